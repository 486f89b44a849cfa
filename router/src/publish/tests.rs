use super::*;
use crate::source::Directory;
use kthena_core::scheduling::Profile;
use kthena_envoy::Sockets;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const ROUTE: &str = "
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec: {modelName: chat, rules: [{targetModels: [{modelServerName: small}]}]}
";

struct Fixture {
    directory: Directory,
    folder: TempDir,
    publisher: Publisher,
}

fn fixture(manifest: &str) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), manifest).unwrap();
    let picker = Picker::new(Profile::default());
    let telemetry = Arc::new(Telemetry::new(&picker, &Arc::default()));
    let debug = Arc::new(Debug::new(Arc::clone(&picker), None));
    let wiring = Wiring { sockets: Sockets::in_directory(Path::new("/run")), wasm: "/filter.wasm".into() };
    let publisher =
        Publisher::new(Settings::default(), Configuration::default(), wiring, Cache::new(), picker, telemetry, debug);
    Fixture { directory: Directory::open([folder.path()]).unwrap(), folder, publisher }
}

impl Fixture {
    fn publish(&mut self, manifest: &str) -> i64 {
        fs::write(self.folder.path().join("a.yaml"), manifest).unwrap();
        let snapshot = self.directory.load();
        self.publisher.publish(&snapshot);
        self.publisher.telemetry.table_version.get()
    }
}

#[test]
fn the_table_gets_a_new_version_only_when_something_changed() {
    let mut fixture = fixture(ROUTE);
    assert_eq!(fixture.publish(ROUTE), 1);
    assert_eq!(fixture.publish(&format!("# a comment\n{ROUTE}")), 1);
    assert_eq!(fixture.publish(&ROUTE.replace("modelName: chat", "modelName: talk")), 2);
    assert_eq!(fixture.publisher.telemetry.config_problems.get(), 1, "the ModelServer is missing");
    let shown = fixture.publisher.debug.problems.load();
    assert!(shown[0].message.contains("default/small"), "{shown:?}");
}

#[test]
fn after_a_start_nothing_is_published_until_every_manifest_can_be_read() {
    let mut fixture = fixture("kind: [");
    assert_eq!(fixture.publish("kind: ["), 0);
    assert!(!fixture.publisher.picker.ready() && fixture.publisher.cache.status().is_empty());
    assert_eq!(fixture.publish(ROUTE), 1);
    assert!(fixture.publisher.picker.ready());
}

#[test]
fn a_bad_edit_keeps_what_is_published() {
    let mut fixture = fixture(ROUTE);
    fixture.publish(ROUTE);
    assert_eq!(fixture.publish("kind: ["), 1);
    assert_eq!(fixture.publisher.debug.resources.load().model_routes.len(), 1);
}

#[test]
fn a_pod_that_joins_a_serving_model_server_is_news_of_endpoints_only() {
    let pod = |name: &str, ip: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: small}}}}\nstatus: {{podIP: {ip}}}\n"
        )
    };
    let server = "---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata: {name: small}
spec: {inferenceEngine: vLLM, workloadSelector: {matchLabels: {app: small}}, workloadPort: {port: 8000}}
";
    let one = format!("{ROUTE}{server}{}", pod("a", "10.0.0.1"));
    let mut fixture = fixture(&one);
    assert_eq!(fixture.publish(&one), 1);
    assert_eq!(fixture.publish(&format!("{one}{}", pod("b", "10.0.0.2"))), 1, "the table is the same");
    let status = fixture.publisher.cache.status();
    let renewed: Vec<_> = status.iter().filter(|(_, status)| status.offered > 1).map(|(url, _)| url.as_str()).collect();
    assert_eq!(renewed, ["type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"]);
    assert_eq!(fixture.publisher.picker.endpoints()[0].1.len(), 2);
}

#[test]
fn the_metrics_hear_every_name_that_a_label_may_hold() {
    let manifest = "
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata: {name: chat, namespace: team}
spec:
  modelName: talk
  loraAdapters: [poet]
  rules: [{targetModels: [{modelServerName: small}]}]
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata: {name: remote, namespace: team}
spec: {modelName: far, rules: [{targetModels: [{externalModelProviderName: away}]}]}
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata: {name: small, namespace: team}
spec:
  inferenceEngine: vLLM
  model: org/small
  workloadSelector: {matchLabels: {app: small}}
  workloadPort: {port: 8000}
";
    let mut fixture = fixture(manifest);
    fixture.publish(manifest);
    let table = &fixture.publisher.current.as_ref().unwrap().table;
    let found: BTreeSet<String> = names(table).collect();
    let expected = ["talk", "poet", "team/chat", "team/small", "org/small", "far", "team/remote", "team/away"];
    assert_eq!(found, expected.map(str::to_owned).into());
}
