//! Everything that can be wrong before anything is started, a line each.

use super::envoy;
use super::machine;
use super::ports::{Addresses, reachable};
use crate::args::UpOptions;
use kthena_crds::Duration;
use kthena_router::local::{Capacity, Compiled, Tls, Tracing};
use kthena_router::source::endpoints::{EngineUrl, distinct};
use kthena_router::source::{Directory, Snapshot};
use kthena_router::{configuration, find_wasm};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;

/// What a run needs, found and read.
#[derive(Debug)]
pub struct Checked {
    /// The user's manifests and what they hold; none where engines are given instead.
    pub manifests: Option<(Directory, Snapshot)>,
    /// The certificate that clients are shown, if they speak HTTPS.
    pub tls: Option<Tls>,
    /// Whether spans are made, and where they go.
    pub tracing: Option<Tracing>,
    /// The configuration file.
    pub config: Compiled,
    /// Envoy.
    pub envoy: PathBuf,
    /// The filter's module.
    pub wasm: PathBuf,
    /// Ports that are free.
    pub addresses: Addresses,
    /// What Envoy may take on.
    pub capacity: Capacity,
    /// How long requests in flight are waited for at the end.
    pub drain_timeout: std::time::Duration,
}

/// On a laptop nobody waits five minutes, which is upstream's default on a cluster.
const DRAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Checks everything.
///
/// # Errors
/// All that is wrong, a line each, with its remedy.
pub fn check(options: &UpOptions) -> Result<Checked, Vec<String>> {
    let mut errors = Errors::default();
    let manifests = if options.endpoints.is_empty() { manifests(&options.manifests, &mut errors) } else { None };
    errors.of(distinct(&options.endpoints));
    let config = errors.of(configuration::load(options.config.as_deref()));
    let tls = errors.of(options.tls.files());
    let tracing = errors.of(options.otlp.tracing());
    let wasm = errors.of(find_wasm(options.wasm.clone()));
    let envoy = errors.of(envoy::find(options.envoy.as_deref()));
    let drain_timeout = errors.of(drain_timeout(std::env::var("DRAIN_TIMEOUT").ok()));
    let found = machine::capacity();
    let capacity = Capacity {
        heap: options.envoy_heap.unwrap_or(found.heap),
        connections: options.max_connections.unwrap_or(found.connections),
    };
    let UpOptions { listen, metrics, debug, admin, .. } = *options;
    let addresses = Addresses { listen, metrics, debug, admin }.probe();
    let addresses = addresses.map_err(|lines| errors.0.extend(lines)).ok();
    errors.of(addresses.map_or(Ok(()), |addresses| not_ourselves(&options.endpoints, addresses.listen)));
    match (config, tls, tracing, wasm, envoy, drain_timeout, addresses) {
        (Some(config), Some(tls), Some(tracing), Some(wasm), Some(envoy), Some(drain_timeout), Some(addresses))
            if errors.0.is_empty() =>
        {
            Ok(Checked { manifests, tls, tracing, config, envoy, wasm, addresses, capacity, drain_timeout })
        }
        _ => Err(errors.0),
    }
}

fn manifests(paths: &[PathBuf], errors: &mut Errors) -> Option<(Directory, Snapshot)> {
    let mut directory = errors.of(Directory::open(paths))?;
    let snapshot = directory.load();
    errors.0.extend(snapshot.first_load_errors().iter().map(ToString::to_string));
    Some((directory, snapshot))
}

/// Refuses our own listener as an engine: requests would go round in a circle.
///
/// For a message at the start only: the router finds out by itself (by what a router answers), and by that alone where
/// others stand between.
fn not_ourselves(endpoints: &[EngineUrl], listen: SocketAddr) -> Result<(), String> {
    let is_ours = |endpoint: &&EngineUrl| {
        let addresses = || (endpoint.host(), endpoint.port()).to_socket_addrs().into_iter().flatten();
        endpoint.port() == listen.port() && addresses().any(|address| reaches(reachable(address).ip(), listen.ip()))
    };
    match endpoints.iter().find(is_ours) {
        Some(ours) => Err(format!("--endpoint {ours}: clients are to be served there; choose another with --listen")),
        None => Ok(()),
    }
}

/// Whether a connection to `to` comes to what listens at `listen`.
fn reaches(to: IpAddr, listen: IpAddr) -> bool {
    let (to, listen) = (to.to_canonical(), listen.to_canonical());
    // Only an address of this machine can be listened at.
    let is_local = || TcpListener::bind((to, 0)).is_ok();
    to == listen || (listen.is_unspecified() && to.is_ipv4() == listen.is_ipv4() && is_local())
}

#[derive(Debug, Default)]
struct Errors(Vec<String>);

impl Errors {
    /// The value, or `None` with the error kept, in one line.
    fn of<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.0.push(format!("{error:#}").replace('\n', " "))).ok()
    }
}

fn drain_timeout(text: Option<String>) -> Result<std::time::Duration, String> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(DRAIN_TIMEOUT),
        Some(text) => text.parse::<Duration>().map(Duration::as_std).map_err(|error| format!("DRAIN_TIMEOUT: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn options(manifests: PathBuf) -> UpOptions {
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        UpOptions {
            manifests: vec![manifests],
            endpoints: Vec::new(),
            simulate: false,
            open: false,
            listen: any,
            tls: Default::default(),
            metrics: any,
            debug: any,
            admin: any,
            config: None,
            access_log: None,
            otlp: Default::default(),
            envoy: None,
            envoy_heap: None,
            max_connections: None,
            wasm: None,
            simulator: Default::default(),
        }
    }

    #[test]
    fn every_failure_is_one_line_and_all_are_said() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), "kind: ModelServer\n").unwrap();
        fs::write(directory.path().join("b.yaml"), "{").unwrap();
        let mut options = options(directory.path().to_owned());
        options.config = Some(directory.path().join("no-config.yaml"));
        options.tls.certificate = Some(directory.path().join("no-certificate.pem"));
        options.tls.key = Some(directory.path().join("no-key.pem"));
        options.wasm = Some(directory.path().join("no-filter.wasm"));
        options.envoy = Some(directory.path().join("no-envoy"));
        let errors = check(&options).unwrap_err();
        for part in ["a.yaml", "b.yaml", "no-config.yaml", "no-certificate.pem", "no-filter.wasm", "no-envoy"] {
            assert!(errors.iter().any(|line| line.contains(part)), "{part}: {errors:#?}");
        }
        assert!(errors.iter().all(|line| !line.contains('\n')), "{errors:#?}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let errors = check(&options(directory.path().join("nowhere"))).unwrap_err();
        assert!(
            errors.iter().any(|line| line.contains("nowhere") && line.contains("existing directory")),
            "{errors:#?}"
        );
    }

    #[test]
    fn our_own_listener_is_no_engine() {
        for (listen, ours, others) in [
            (
                "0.0.0.0:8080",
                &["127.0.0.1:8080", "localhost:8080/v1", "127.0.0.2:8080", "0.0.0.0:8080", "[::ffff:127.0.0.1]:8080"][..],
                // The last is documentation's: no machine has it.
                &["127.0.0.1:8000", "192.0.2.1:8080"][..],
            ),
            ("127.0.0.1:8080", &["127.0.0.1:8080", "localhost:8080"], &["127.0.0.2:8080", "127.0.0.1:80"]),
            ("127.0.0.2:8080", &["127.0.0.2:8080"], &["127.0.0.1:8080", "localhost:8080"]),
        ] {
            let check = |host: &str| {
                let endpoint = format!("http://{host}").parse::<EngineUrl>().unwrap();
                not_ourselves(&[endpoint], listen.parse().unwrap())
            };
            for host in ours {
                let error = check(host).expect_err(host);
                assert!(error.contains("--listen"), "{error}");
            }
            for host in others {
                assert_eq!(check(host), Ok(()), "{host} at {listen}");
            }
        }
    }

    #[test]
    fn the_drain_timeout_is_a_go_duration() {
        assert_eq!(drain_timeout(None), Ok(DRAIN_TIMEOUT));
        assert_eq!(drain_timeout(Some("1m30s".to_owned())), Ok(std::time::Duration::from_secs(90)));
        let error = drain_timeout(Some("90".to_owned())).unwrap_err();
        assert!(error.starts_with("DRAIN_TIMEOUT: ") && error.contains("such as \"10s\""), "{error}");
    }
}
