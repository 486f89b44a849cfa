//! A table that the filter cannot read: Envoy refuses it, the last good one serves on.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::google::protobuf::{Any, BytesValue};
use envoy_types::util::pack_any;
use kthena_crds::Resources;
use kthena_e2e::{Client, Engine, Loopback, Output, envoy, filter_module, spawn, until};
use kthena_envoy::xds::{Cache, Resource, Server, TypeStatus};
use kthena_envoy::{Capacity, Renderer, Settings, Snapshot, Sockets, Wiring, bootstrap::bootstrap, compile};
use kthena_simulator::Options;
use prost::{Message, Name};
use serde_json::{from_value, json};
use std::fs;
use std::process::{Child, Stdio};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::service::Routes;

/// A cache that is served on a socket; its Envoys find no picker, and need none.
struct Plane {
    address: Loopback,
    directory: TempDir,
    sockets: Sockets,
    renderer: Renderer,
    cache: Cache,
    engine: Engine,
}

/// An Envoy; dropping it kills it.
struct Envoy(Child);

impl Plane {
    fn serve() -> Self {
        let directory = kthena_e2e::directory();
        let sockets = Sockets::in_directory(directory.path());
        let cache = Cache::new();
        let listener = UnixListenerStream::new(UnixListener::bind(&sockets.xds).unwrap());
        let ads = Routes::new(Server::new(cache.clone()).into_service());
        tokio::spawn(tonic::transport::Server::builder().add_routes(ads).serve_with_incoming(listener));
        let options = Options { models: vec!["served".into()], speed: 100.0, ..Options::default() };
        let engine = Engine::simulated("engine", options);
        let renderer = Renderer::new(Wiring { sockets: sockets.clone(), wasm: filter_module() });
        Self { address: Loopback::claim(&[8080, 9901]), directory, sockets, renderer, cache, engine }
    }

    /// A snapshot with one route for `model`.
    fn snapshot(&mut self, model: &str) -> Snapshot {
        let mut resources = Resources::default();
        let metadata = |name| json!({"name": name, "namespace": "default", "labels": {"app": "engine"}});
        resources.model_routes.push(
            from_value(json!({
                "apiVersion": "networking.serving.volcano.sh/v1alpha1", "kind": "ModelRoute", "metadata": metadata("route"),
                "spec": {"modelName": model, "rules": [{"name": "all", "targetModels": [{"modelServerName": "engine"}]}]},
            }))
            .unwrap(),
        );
        resources.model_servers.push(
            from_value(json!({
                "apiVersion": "networking.serving.volcano.sh/v1alpha1", "kind": "ModelServer", "metadata": metadata("engine"),
                "spec": {
                    "model": "served", "inferenceEngine": "vLLM", "workloadPort": {"port": 8000},
                    "workloadSelector": {"matchLabels": {"app": "engine"}},
                },
            }))
            .unwrap(),
        );
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let status = json!({"podIP": self.engine.ip(), "phase": "Running", "conditions": ready});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata("engine"), "status": status});
        resources.pods.push(from_value(pod).unwrap());
        let settings = Settings { listen: self.address.at(8080), ..Settings::default() };
        self.renderer.render(&compile(&resources, &settings)).unwrap()
    }

    fn table(&self) -> Option<TypeStatus> {
        self.cache.status().remove(&TypedExtensionConfig::type_url())
    }

    fn envoy(&self) -> Envoy {
        let config = self.directory.path().join("envoy.json");
        let capacity = Capacity { heap: 4 << 30, connections: 10_000 };
        fs::write(&config, bootstrap("e2e", self.address.at(9901), &self.sockets, capacity, false).to_string())
            .unwrap();
        let output = Output::default();
        let mut child = spawn(&envoy(), |command| {
            command.arg("-c").arg(&config).args(["--use-dynamic-base-id", "--concurrency", "2", "-l", "error"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
        });
        output.follow(child.stderr.take().unwrap());
        Envoy(child)
    }

    /// Waits until a chat with `model` is answered by the engine.
    async fn serves(&self, model: &str) {
        let client = Client::new(self.address.at(8080));
        until(&format!("{model} to be served"), async || {
            client.try_chat(model).await.is_ok_and(|answer| answer.pod() == "engine").then_some(())
        })
        .await;
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same snapshot, but with the filter's table cut in the middle.
fn damaged(snapshot: &Snapshot) -> Snapshot {
    let resources = snapshot.types().flat_map(|(_, resources)| resources.iter().cloned());
    Snapshot::new(resources.map(|resource| match resource.body.type_url == TypedExtensionConfig::type_url() {
        true => Resource { body: cut(&resource.body), ..resource },
        false => resource,
    }))
}

fn cut(body: &Any) -> Any {
    let mut extension = TypedExtensionConfig::decode(body.value.as_slice()).unwrap();
    let mut wasm = Wasm::decode(extension.typed_config.unwrap().value.as_slice()).unwrap();
    let plugin = wasm.config.as_mut().unwrap();
    let mut table = BytesValue::decode(plugin.configuration.as_ref().unwrap().value.as_slice()).unwrap();
    table.value.truncate(table.value.len() / 2);
    plugin.configuration = Some(pack_any(table));
    extension.typed_config = Some(pack_any(wasm));
    pack_any(extension)
}

#[tokio::test]
async fn a_damaged_table_is_refused_and_reported_while_the_last_good_one_serves_on() {
    let mut plane = Plane::serve();
    let first = plane.snapshot("first");
    plane.cache.publish(&first);
    let old = plane.envoy();
    plane.serves("first").await;

    // Envoy serves a table before it says so.
    until("Envoy's word", async || plane.table().filter(|table| table.accepted == Some(1))).await;
    let second = plane.snapshot("second");
    plane.cache.publish(&damaged(&second));
    let refused = until("Envoy's refusal", async || plane.table().filter(|table| table.refused.is_some())).await;
    assert_eq!((refused.accepted, refused.offered), (Some(1), 2));
    plane.serves("first").await;

    drop(old);
    let _fresh = plane.envoy();
    plane.serves("first").await;
    assert!(plane.table().unwrap().refused.is_some(), "what is published is still the bad one");

    let third = plane.snapshot("third");
    plane.cache.publish(&third);
    plane.serves("third").await;
    let now = until("Envoy's word", async || plane.table().filter(|table| table.accepted == Some(3))).await;
    assert_eq!(now.refused, None);
}
