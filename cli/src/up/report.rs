//! What `kthena up` says once requests are served: pure text.

use super::ports::{Addresses, reachable};
use kthena_router::local::{DataPlane, Target, TargetRoute};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What there is to say.
#[derive(Debug)]
pub struct Report<'a> {
    /// Where things listen.
    pub addresses: Addresses,
    /// What is served.
    pub data_plane: &'a DataPlane,
    /// Objects that are not served here, a line each.
    pub skipped: &'a [String],
    /// What is wrong, a line each.
    pub problems: &'a [String],
    /// Whether engines are simulated.
    pub simulate: bool,
    /// What engines said that are served without manifests, a line each.
    pub engines: Option<&'a [String]>,
    /// The environment variable with the key that the engines want, which they want of clients too.
    pub key: Option<&'static str>,
    /// Whether a person wants to see the debug page.
    pub open: bool,
}

const HEADER: [&str; 4] = ["MODEL", "ROUTE", "MODEL SERVER", "ENDPOINTS"];

// === impl Report ===

impl Report<'_> {
    /// The text; its first line is `ready: URL`.
    pub fn text(&self) -> String {
        let Addresses { listen, metrics, debug, admin } = self.addresses;
        let [listen, metrics, debug, admin] = [listen, metrics, debug, admin].map(reachable);
        let mut text = format!("ready: {}://{listen}\n\n{}", self.scheme(), self.models());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\nmetrics  http://{metrics}/metrics\ndebug    http://{debug}/\n\
             envoy    http://{admin}\nstop     Ctrl-C; requests in flight are answered first\n\n",
        );
        for line in self.skipped.iter().chain(self.problems) {
            let _ = writeln!(text, "{line}");
        }
        if !self.skipped.is_empty() || !self.problems.is_empty() {
            text.push('\n');
        }
        text + &self.try_it()
    }

    /// The models and how to ask for one.
    pub fn models_and_try(&self) -> String {
        format!("\n{}\n{}", self.models(), self.try_it())
    }

    fn scheme(&self) -> &'static str {
        if self.data_plane.listeners.iter().any(|listener| listener.tls.is_some()) { "https" } else { "http" }
    }

    fn models(&self) -> String {
        let mut text = String::new();
        if let Some(engines) = self.engines {
            engines.iter().for_each(|engine| text += &format!("{engine}\n"));
            text.push('\n');
        }
        let rows: Vec<_> = self.data_plane.table.routes.iter().flat_map(|route| self.rows(route)).collect();
        match (rows.is_empty(), self.engines) {
            (true, None) => text += "no models: the manifests hold no ModelRoute that is served\n",
            (true, Some(_)) => text += "no models yet: every engine is asked again until it serves one\n",
            (false, _) => text += &table(&rows),
        }
        if self.data_plane.endpoints.is_empty() && !self.simulate && self.engines.is_none() {
            text += "no endpoints: the manifests hold no ready Pod of a ModelServer; try --simulate\n";
        }
        text
    }

    /// A command that asks for the first model; nothing without models.
    fn try_it(&self) -> String {
        let listen = reachable(self.addresses.listen);
        let mut text = String::new();
        if self.open {
            let _ = writeln!(text, "open http://{}/\n", reachable(self.addresses.debug));
        }
        if let Some(model) = self.data_plane.table.routes.iter().find_map(|route| names(route).next()) {
            let body = serde_json::json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
            let body = body.to_string().replace('\'', r"'\''");
            let key = self.key.map(|name| format!(" -H \"Authorization: Bearer ${name}\"")).unwrap_or_default();
            let scheme = self.scheme();
            // Few certificates name such an address.
            let insecure = if scheme == "https" { " --insecure" } else { "" };
            let _ = writeln!(
                text,
                "try: curl{insecure} {scheme}://{listen}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{body}'"
            );
        }
        text
    }

    /// A row for each ModelServer of a route, the route's own columns on the first only.
    fn rows(&self, route: &TargetRoute) -> Vec<[String; 4]> {
        let models = names(route).collect::<Vec<_>>().join(", ");
        let mut seen = BTreeSet::new();
        let targets = route.rules.iter().flat_map(|rule| &rule.targets).filter_map(|target| match target {
            Target::Server { index, .. } => {
                let name = self.data_plane.table.servers.get(usize::try_from(*index).ok()?)?.name.clone();
                let endpoints = self.endpoints(&name);
                Some((name, endpoints))
            }
            Target::Provider { name, .. } => Some((name.clone(), "not served".to_owned())),
        });
        let mut own = Some((models, route.name.clone()));
        let targets: Vec<_> = targets.filter(|(name, _)| seen.insert(name.clone())).collect();
        let row = |(name, endpoints)| {
            let (models, route) = own.take().unwrap_or_default();
            [models, route, name, endpoints]
        };
        targets.into_iter().map(row).collect()
    }

    fn endpoints(&self, server: &str) -> String {
        let pool = self.data_plane.picker.get(server).map(|pool| pool.endpoints.as_slice()).unwrap_or_default();
        if pool.is_empty() {
            return "none".to_owned();
        }
        pool.iter().map(|(address, _)| address.to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// The names that a route answers to.
fn names(route: &TargetRoute) -> impl Iterator<Item = &str> {
    route.model.iter().chain(&route.adapters).map(String::as_str)
}

/// Columns side by side, each as wide as its widest cell.
fn table(rows: &[[String; 4]]) -> String {
    let header = HEADER.map(str::to_owned);
    let rows = || std::iter::once(&header).chain(rows);
    let mut widths = [0; 4];
    for row in rows() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows() {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
