//! Snapshots in; table, endpoints and picks out.
//!
//! A change is published at once, and after that at most ten times a second: each update of the table
//! costs every Envoy worker some milliseconds.

use crate::configuration::Configuration;
use crate::source::{Snapshot, Text};
use kthena_core::config::{ClientCredentials, Compiled};
use kthena_core::routing::{Table, Target};
use kthena_core::scheduling::Profile;
use kthena_crds::Problem;
use kthena_envoy::xds::Cache;
use kthena_envoy::{DataPlane, Renderer, Settings, Wiring, compile};
use kthena_ext_proc::debug::Debug;
use kthena_ext_proc::telemetry::Telemetry;
use kthena_ext_proc::{Picker, Pool, Pools, Profiles};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// The shortest time between two publications.
const INTERVAL: Duration = Duration::from_millis(100);

/// Everything that hears of a new configuration.
pub struct Publisher {
    settings: Settings,
    renderer: Renderer,
    cache: Cache,
    picker: Arc<Picker>,
    telemetry: Arc<Telemetry>,
    debug: Arc<Debug>,
    configuration: Configuration,
    said: BTreeSet<String>,
    current: Option<DataPlane>,
    version: u64,
}

// === impl Publisher ===

impl Publisher {
    /// A publisher that has published nothing.
    pub(crate) fn new(
        settings: Settings,
        configuration: Configuration,
        wiring: Wiring,
        cache: Cache,
        picker: Arc<Picker>,
        telemetry: Arc<Telemetry>,
        debug: Arc<Debug>,
    ) -> Self {
        Self {
            settings,
            renderer: Renderer::new(wiring),
            cache,
            picker,
            telemetry,
            debug,
            configuration,
            said: BTreeSet::new(),
            current: None,
            version: 0,
        }
    }

    /// Publishes every snapshot, the newest first where they come faster than [`INTERVAL`].
    pub(crate) async fn follow(mut self, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            self.publish(&snapshot);
            sleep(INTERVAL).await;
            tokio::select! {
                changed = snapshots.changed() => if changed.is_err() { return },
                text = self.configuration.changed() => match text {
                    Some(text) => self.configure(&text),
                    None => return,
                },
            }
        }
    }

    /// Puts the configuration file in force, if what it holds now can be.
    fn configure(&mut self, text: &Text) {
        if let Some(compiled) = self.configuration.take(text) {
            let Settings { listen, exclusive, ref tls, ref tracing, .. } = self.settings;
            let (tls, tracing) = (tls.clone(), tracing.clone());
            self.settings = Settings { exclusive, tls, tracing, ..settings(listen, &compiled) };
            // The filter hears of it a moment later: until then prompts are hashed as they were, and match nothing
            // where that is another way.
            self.picker.configure(Profiles::new(compiled.profile, compiled.profiles));
        }
    }

    fn publish(&mut self, snapshot: &Snapshot) {
        let mut data_plane = compile(&snapshot.resources, &self.settings);
        self.report(snapshot, &data_plane.problems);
        // After a start there is no earlier good state behind what could not be read, but Envoy may have one
        // from before the start: better no word from us than half a configuration.
        if self.current.is_none() && !snapshot.first_load_errors().is_empty() {
            tracing::error!("nothing is published until every manifest can be read");
            return;
        }
        self.debug.resources.store(Arc::new(snapshot.resources.clone()));
        // The same table keeps its version, and its bytes: an update of it costs every worker, one of the
        // endpoints does not.
        data_plane.table.version = self.version;
        if self.current.as_ref().is_none_or(|current| current.table != data_plane.table) {
            data_plane.table.version += 1;
        }
        if self.current.as_ref() == Some(&data_plane) {
            return;
        }
        let rendered = match self.renderer.render(&data_plane) {
            Ok(rendered) => rendered,
            Err(error) => {
                tracing::error!("configuration not published, the last one stays: {error}");
                return;
            }
        };
        self.version = data_plane.table.version;
        self.cache.publish(&rendered);
        let pools = data_plane.picker.iter().map(|(target, pool)| {
            let (engine, endpoints, profile) = (Some(pool.engine), pool.endpoints.clone(), pool.profile.clone());
            let (transport, fail_close) = (pool.transport.clone(), pool.fail_close);
            (target.clone(), Pool { engine, transport, fail_close, profile, endpoints })
        });
        self.picker.publish(Pools::new(pools));
        self.telemetry.configured(names(&data_plane.table));
        self.telemetry.table_version.set(i64::try_from(self.version).unwrap_or(i64::MAX));
        let (routes, endpoints) = (data_plane.table.routes.len(), data_plane.endpoints.len());
        let servers = data_plane.picker.len();
        tracing::info!("table {}: {routes} routes, {servers} model servers, {endpoints} endpoints", self.version);
        self.current = Some(data_plane);
    }

    /// Takes the problems of a snapshot for said.
    pub(crate) fn expect(&mut self, snapshot: &Snapshot) {
        let compiled = compile(&snapshot.resources, &self.settings).problems;
        self.said = self.problems(snapshot, &compiled).map(ToString::to_string).collect();
    }

    /// Says what is new among the problems, and what is over.
    fn report(&mut self, snapshot: &Snapshot, compiled: &[Problem]) {
        self.debug.problems.store(Arc::new(self.problems(snapshot, compiled).cloned().collect()));
        let problems: BTreeSet<_> = self.problems(snapshot, compiled).map(ToString::to_string).collect();
        for problem in problems.difference(&self.said) {
            tracing::warn!("{problem}");
        }
        for problem in self.said.difference(&problems) {
            tracing::info!("no longer: {problem}");
        }
        self.telemetry.config_problems.set(i64::try_from(problems.len()).unwrap_or(i64::MAX));
        self.said = problems;
    }

    /// Those of the configuration file, of the objects' files, and of the objects.
    fn problems<'a>(&'a self, snapshot: &'a Snapshot, compiled: &'a [Problem]) -> impl Iterator<Item = &'a Problem> {
        self.configuration.problems().chain(&snapshot.problems).chain(compiled)
    }
}

/// Every name in a table: what clients ask for, ModelRoutes, where they lead, and what engines are asked for.
fn names(table: &Table) -> impl Iterator<Item = String> {
    let routes = table.routes.iter().flat_map(|route| [Some(&route.name), route.model.as_ref()]);
    let adapters = table.routes.iter().flat_map(|route| &route.adapters);
    let servers = table.servers.iter().flat_map(|server| [Some(&server.name), server.model.as_ref()]);
    let targets = table.routes.iter().flat_map(|route| &route.rules).flat_map(|rule| &rule.targets);
    let providers = targets.filter_map(|target| match target {
        Target::Provider { name, .. } => Some(name),
        Target::Server { .. } => None,
    });
    routes.chain(servers).flatten().chain(adapters).chain(providers).cloned()
}

/// The compile settings that the options and the configuration file give.
pub fn settings(listen: std::net::SocketAddr, config: &Compiled) -> Settings {
    Settings {
        listen,
        max_request_body_bytes: config.max_request_body_bytes,
        stream_idle_timeout: config.stream_idle_timeout,
        profiles: blocks(config),
        endpoint_header: config.endpoint_header,
        drop_credentials: config.client_credentials == ClientCredentials::Drop,
        ..Settings::default()
    }
}

/// How the file's profiles have prompts hashed.
fn blocks(config: &Compiled) -> kthena_envoy::Profiles {
    let blocks = |profile: &Profile| profile.prefix().map(|arguments| arguments.blocks);
    let named = config.profiles.iter().map(|(name, profile)| (name.clone(), blocks(profile))).collect();
    kthena_envoy::Profiles { default: blocks(&config.profile), named }
}

#[cfg(test)]
mod tests;
