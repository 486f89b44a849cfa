//! A real Envoy with our configuration, and whatever picker a test puts beside it.
//!
//! `kthena up` would bring its own picker. Here the configuration is compiled and served inside the test process,
//! and the picker's socket is the test's: nobody listens on it until [`Plane::picker`] says who.

use crate::until::{READY, within};
use crate::{Client, FakePicker, Loopback, envoy, filter_module, picker, scratch, spawn};
use kthena_envoy::xds::{Cache, Server};
use kthena_envoy::{Capacity, Renderer, Settings, Sockets, Wiring, bootstrap::bootstrap, compile};
use kthena_router::source::Directory;
use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_stream::wrappers::UnixListenerStream;

/// Envoy on an address of its own; dropping it ends it.
#[derive(Debug)]
pub struct Plane {
    address: Loopback,
    sockets: Sockets,
    envoy: Child,
    _directory: TempDir,
    /// Dropping it ends the xDS server.
    _xds: oneshot::Sender<()>,
}

// === impl Plane ===

impl Plane {
    /// Starts Envoy on what these manifests say, and waits until it serves.
    ///
    /// # Panics
    /// When it cannot be started, or the manifests cannot be read.
    pub async fn start(manifests: &str) -> Self {
        Self::start_with(manifests, Settings::default()).await
    }

    /// The same with other settings; where it listens is its own.
    ///
    /// # Panics
    /// As [`Plane::start`].
    pub async fn start_with(manifests: &str, settings: Settings) -> Self {
        let capacity = Capacity { heap: 4 << 30, connections: 10_000 };
        Self::bounded(manifests, capacity, settings).await
    }

    /// As [`Plane::start_with`], with bounds.
    ///
    /// # Panics
    /// As there.
    pub async fn bounded(manifests: &str, capacity: Capacity, settings: Settings) -> Self {
        let directory = scratch::directory();
        let file = directory.path().join("all.yaml");
        fs::write(&file, manifests).expect("a manifest");
        let snapshot = Directory::open([&file]).expect("the manifest is there").load();
        assert_eq!(snapshot.problems, [], "manifests without a problem");

        let address = Loopback::claim(&[8080, 9901]);
        let sockets = Sockets::in_directory(directory.path());
        let settings = Settings { listen: address.at(8080), exclusive: true, ..settings };
        let mut data_plane = compile(&snapshot.resources, &settings);
        data_plane.table.version = 1;
        let wiring = Wiring { sockets: sockets.clone(), wasm: filter_module() };
        let cache = Cache::new();
        cache.publish(&Renderer::new(wiring).render(&data_plane).expect("it renders"));
        let xds = serve(&sockets, cache);

        let config = directory.path().join("envoy.json");
        fs::write(&config, bootstrap("test", address.at(9901), &sockets, capacity, false).to_string())
            .expect("a bootstrap");
        let envoy = spawn(&envoy(), |command| {
            command.arg("-c").arg(&config).args([
                "--disable-hot-restart",
                "--concurrency",
                "2",
                "--log-level",
                "error",
            ]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        });
        let plane = Self { address, sockets, envoy, _directory: directory, _xds: xds };
        within(READY, "Envoy to listen", async || plane.client().try_get("/healthz").await.ok()).await.ok();
        plane
    }

    /// A client of the listener.
    pub fn client(&self) -> Client {
        Client::new(self.address.at(8080))
    }

    /// A client of Envoy's admin pages.
    pub fn admin(&self) -> Client {
        Client::new(self.address.at(9901))
    }

    /// Puts a picker on the picker's socket, in the place of any other.
    pub fn picker(&self, answer: picker::Answer) -> FakePicker {
        FakePicker::start(&self.sockets.picker, answer)
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
    }
}

/// Serves xDS on a thread of its own.
fn serve(sockets: &Sockets, cache: Cache) -> oneshot::Sender<()> {
    let (sender, receiver) = oneshot::channel::<()>();
    let socket = sockets.xds.clone();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = UnixListener::bind(socket).expect("a socket");
            let server = tonic::transport::Server::builder().add_service(Server::new(cache).into_service());
            let incoming = UnixListenerStream::new(listener);
            let ended = server.serve_with_incoming_shutdown(incoming, async { drop(receiver.await) }).await;
            ended.expect("xDS is served to its end");
        });
    });
    sender
}
