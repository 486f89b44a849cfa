use super::*;
use kthena_router::local::{Settings, compile};
use kthena_router::source::Directory;
use std::fs;

const MANIFESTS: &str = "
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata: {name: r}
spec:
  modelName: deepseek's
  loraAdapters: [lora-a]
  rules:
  - targetModels: [{modelServerName: s, weight: 70}, {modelServerName: empty, weight: 30}]
  - targetModels: [{modelServerName: s}]
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata: {name: s}
spec: {inferenceEngine: vLLM, workloadSelector: {matchLabels: {app: s}}, workloadPort: {port: 8000}}
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata: {name: empty}
spec: {inferenceEngine: vLLM, workloadSelector: {matchLabels: {app: e}}, workloadPort: {port: 8000}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: s}}
status: {podIP: 127.0.0.2}
---
apiVersion: v1
kind: Pod
metadata: {name: q, labels: {app: s}}
status: {podIP: 127.0.0.3}
";

fn report(manifests: &str, skipped: &[String], problems: &[String], open: bool) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("all.yaml"), manifests).unwrap();
    let snapshot = Directory::open([directory.path()]).unwrap().load();
    assert_eq!(snapshot.problems, []);
    let data_plane = compile(&snapshot.resources, &Settings::default());
    let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let listen = "0.0.0.0:8080".parse().unwrap();
    let addresses = Addresses { listen, metrics: at(9090), debug: at(15000), admin: at(9901) };
    Report { addresses, data_plane: &data_plane, skipped, problems, simulate: false, engines: None, key: None, open }
        .text()
}

#[test]
fn it_says_where_to_send_what_and_who_answers() {
    let skipped = ["Service default/x in all.yaml: not served here, skipped".to_owned()];
    let problems = ["ModelServer default/empty: spec.workloadSelector: no ready Pod matches".to_owned()];
    let expected = r#"ready: http://127.0.0.1:8080

MODEL               ROUTE      MODEL SERVER   ENDPOINTS
deepseek's, lora-a  default/r  default/s      127.0.0.2:8000, 127.0.0.3:8000
                               default/empty  none

metrics  http://127.0.0.1:9090/metrics
debug    http://127.0.0.1:15000/
envoy    http://127.0.0.1:9901
stop     Ctrl-C; requests in flight are answered first

Service default/x in all.yaml: not served here, skipped
ModelServer default/empty: spec.workloadSelector: no ready Pod matches

try: curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' -d '{"messages":[{"content":"Hello","role":"user"}],"model":"deepseek'\''s"}'
"#;
    assert_eq!(report(MANIFESTS, &skipped, &problems, false), expected);
}

#[test]
fn without_models_and_endpoints_it_says_what_is_missing() {
    let text = report("# nothing yet\n", &[], &[], false);
    assert!(text.contains("no models: ") && text.contains("no endpoints: ") && text.contains("--simulate"), "{text}");
    assert!(!text.contains("curl"), "{text}");
}

#[test]
fn engines_without_manifests_are_listed_with_what_they_said() {
    let [listen, metrics, debug, admin] = [8080, 9090, 15000, 9901].map(|port| ([127, 0, 0, 1], port).into());
    let addresses = Addresses { listen, metrics, debug, admin };
    let text = |manifests: &str, engine: &str, key| {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("all.yaml"), manifests).unwrap();
        let snapshot = Directory::open([directory.path()]).unwrap().load();
        let data_plane = compile(&snapshot.resources, &Settings::default());
        let engines = Some(&[engine.to_owned()][..]);
        let report = Report {
            addresses,
            data_plane: &data_plane,
            skipped: &[],
            problems: &[],
            simulate: false,
            engines,
            key,
            open: false,
        };
        (report.text(), report.models_and_try())
    };
    let (first, _) = text("# none\n", "http://h:1: waiting", None);
    let begins = "ready: http://127.0.0.1:8080\n\nhttp://h:1: waiting\n\nno models yet: every engine is asked again";
    assert!(first.starts_with(begins) && !first.contains("--simulate") && !first.contains("curl"), "{first}");
    let (_, later) = text(MANIFESTS, "http://h:1: vLLM serves m", None);
    assert!(later.starts_with("\nhttp://h:1: vLLM serves m\n\nMODEL ") && later.contains("\ntry: curl "), "{later}");
    let (_, keyed) = text(MANIFESTS, "http://h:1: vLLM serves m", Some("NAME"));
    assert!(keyed.contains(r#"/v1/chat/completions -H "Authorization: Bearer $NAME" -H 'Content-Type"#), "{keyed}");
}

#[test]
fn the_page_to_open_is_the_line_before_the_one_to_try() {
    let text = report(MANIFESTS, &[], &[], true);
    let lines: Vec<_> = text.lines().collect();
    let open = lines.iter().position(|line| *line == "open http://127.0.0.1:15000/").unwrap();
    assert!(lines[open + 2].starts_with("try: curl"), "{text}");
}
