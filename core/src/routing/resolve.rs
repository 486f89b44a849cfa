//! A request and a table in, a target out.

use super::{Server, ServerState, Table, Target, TargetRoute};
use crate::reply::Refusal;

/// A table ready to be asked: names sorted for binary search, nothing copied.
#[derive(Debug, Default)]
pub struct Routes {
    table: Table,
    /// Indexes of routes with a model name, by name, then by age.
    by_model: Vec<u32>,
    /// Route and adapter indexes, by adapter name, then by age.
    by_adapter: Vec<(u32, u32)>,
}

/// What of a request decides its way.
pub struct Query<'a> {
    /// The model that the client named.
    pub model: &'a str,
    /// The path without its query.
    pub path: &'a str,
    /// The first value of a header, by its lower-case name; empty where it is absent.
    pub header: &'a dyn Fn(&str) -> &'a [u8],
}

/// Where a request goes, or why nowhere.
pub type Resolution<'t> = Result<Routed<'t>, Refusal>;

/// A request's target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Routed<'t> {
    /// The ModelRoute that matched.
    pub route: &'t TargetRoute,
    /// The ModelServer that was picked; it has endpoints.
    pub server: &'t Server,
    /// The name that the engine must be asked for, where it differs from the client's.
    pub rewrite: Option<&'t str>,
}

// === impl Routes ===

impl Routes {
    /// Indexes a table.
    pub fn new(table: Table) -> Self {
        let mut by_model = Vec::new();
        let mut by_adapter = Vec::new();
        for (route, position) in table.routes.iter().zip(0u32..) {
            if route.model.is_some() {
                by_model.push(position);
            }
            by_adapter.extend((0u32..).take(route.adapters.len()).map(|adapter| (position, adapter)));
        }
        let mut routes = Self { table, by_model: Vec::new(), by_adapter: Vec::new() };
        // Stable sorts: within one name the table's order (age) stays.
        by_model.sort_by(|a, b| routes.model(*a).cmp(routes.model(*b)));
        by_adapter.sort_by(|a, b| routes.adapter(*a).cmp(routes.adapter(*b)));
        routes.by_model = by_model;
        routes.by_adapter = by_adapter;
        routes
    }

    /// The table behind it.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Finds the target. `random` is any uniform value; it picks among weighted targets.
    ///
    /// # Errors
    /// The [`Refusal`] that the client gets.
    pub fn resolve(&self, query: &Query<'_>, random: u64) -> Resolution<'_> {
        let bases = range(&self.by_model, query.model, |i| self.model(*i));
        let mut target = bases.iter().find_map(|i| self.take(*i, query, random));
        let mut adapter = false;
        // Adapters count only where no route has the name as its model, whether or not one matched.
        if bases.is_empty() {
            let adapters = range(&self.by_adapter, query.model, |i| self.adapter(*i));
            target = adapters.iter().find_map(|(i, _)| self.take(*i, query, random));
            adapter = true;
        }
        let (route, target) = target.ok_or(Refusal::RouteNotFound)?;
        let server = match target {
            Target::Provider { name, .. } => return Err(Refusal::ProviderNotReady(name.clone())),
            Target::Server { index, .. } => self.table.servers.get(*index as usize).ok_or(Refusal::RouteNotFound)?,
        };
        match server.state {
            ServerState::Missing => Err(Refusal::ModelServerMissing(server.name.clone())),
            ServerState::Empty => Err(Refusal::NoPods(server.name.clone())),
            ServerState::Serving => {
                let rewrite = server.model.as_deref().filter(|model| !adapter && *model != query.model);
                Ok(Routed { route, server, rewrite })
            }
        }
    }

    /// Every name that clients can ask for, sorted bytewise, each once.
    pub fn models(&self) -> Vec<&str> {
        let mut names: Vec<&str> = (self.by_model.iter().map(|i| self.model(*i)))
            .chain(self.by_adapter.iter().map(|i| self.adapter(*i)))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether clients can ask for this name.
    pub fn has_model(&self, name: &str) -> bool {
        !range(&self.by_model, name, |i| self.model(*i)).is_empty()
            || !range(&self.by_adapter, name, |i| self.adapter(*i)).is_empty()
    }

    /// The first rule of a route that matches, and the target it draws; `None` passes on to the next route.
    fn take(&self, route: u32, query: &Query<'_>, random: u64) -> Option<(&TargetRoute, &Target)> {
        let route = self.table.routes.get(route as usize)?;
        let rule = route.rules.iter().find(|rule| {
            let when = &rule.matches;
            when.model.as_deref().is_none_or(|model| model == query.model)
                && when.headers.iter().all(|(name, pattern)| pattern.matches((query.header)(name)))
                && when.uri.as_ref().is_none_or(|pattern| pattern.matches(query.path.as_bytes()))
        })?;
        Some((route, draw(&rule.targets, random)?))
    }

    fn model(&self, route: u32) -> &str {
        self.table.routes.get(route as usize).and_then(|route| route.model.as_deref()).unwrap_or_default()
    }

    fn adapter(&self, (route, adapter): (u32, u32)) -> &str {
        let route = self.table.routes.get(route as usize);
        route.and_then(|route| route.adapters.get(adapter as usize)).map(String::as_str).unwrap_or_default()
    }
}

/// The run of entries whose key is `name`.
fn range<'a, T>(sorted: &'a [T], name: &str, key: impl Fn(&T) -> &'a str) -> &'a [T] {
    let start = sorted.partition_point(|entry| key(entry) < name);
    let rest = sorted.get(start..).unwrap_or_default();
    let len = rest.partition_point(|entry| key(entry) == name);
    rest.get(..len).unwrap_or_default()
}

/// A target by weight; `None` when all weigh nothing.
fn draw(targets: &[Target], random: u64) -> Option<&Target> {
    let total: u64 = targets.iter().map(|target| u64::from(target.weight())).sum();
    let mut ticket = random.checked_rem(total)?;
    targets.iter().find(|target| match ticket.checked_sub(u64::from(target.weight())) {
        Some(left) => {
            ticket = left;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests;
