use super::*;
use kthena_crds::{ModelRoute, Pod, Resource, model_server::Protocol};

const SERVER: &str = "
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata:
  name: llama
spec:
  workloadSelector:
    matchLabels:
      app: llama
  workloadPort:
    port: 8000
  inferenceEngine: vLLM
  trafficPolicy:
    timeout: 10s
";

const ROUTE: &str = "
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata:
  name: llama
  namespace: dev
spec:
  modelName: Llama-3.1
  rules:
  - targetModels:
    - modelServerName: llama
";

fn parse(text: &str) -> Manifest {
    Manifest::parse(text, Format::Yaml, "x.yaml")
}

/// The objects of a text that has nothing wrong with it.
fn served(text: &str) -> Vec<Object> {
    let manifest = parse(text);
    assert!(manifest.refusals.is_empty(), "{:?}", manifest.refusals);
    assert!(manifest.remarks.is_empty(), "{:?}", manifest.remarks);
    manifest.objects
}

/// The problems of a text of which nothing is served, as shown.
fn refusals(text: &str) -> Vec<String> {
    let manifest = parse(text);
    assert!(manifest.objects.is_empty(), "{:?}", manifest.objects);
    let refusals = manifest.refusals.iter();
    refusals.map(ToString::to_string).collect()
}

fn names(objects: &[Object]) -> Vec<String> {
    let references = objects.iter().map(Object::reference);
    references.map(|reference| reference.to_string()).collect()
}

fn pod(object: &Object) -> &Pod {
    match object {
        Object::Pod(pod) => pod,
        other => panic!("not a Pod: {other:?}"),
    }
}

#[test]
fn documents_become_objects_with_the_defaults_of_a_cluster() {
    let objects = served(&format!("# a comment\n{SERVER}---\n{ROUTE}"));
    assert_eq!(names(&objects), ["ModelServer default/llama", "ModelRoute dev/llama"]);
    let [Object::ModelServer(server), Object::ModelRoute(route)] = &objects[..] else {
        panic!("{objects:?}");
    };
    assert_eq!(server.spec.workload_port.protocol, Protocol::Http);
    assert_eq!(server.metadata.namespace.as_deref(), Some("default"));
    assert_eq!(route.spec.rules[0].target_models[0].weight, 100);
}

#[test]
fn empty_documents_and_those_of_comments_only_hold_nothing() {
    let text = format!("---\n# nothing\n---\n---\n{SERVER}---\n# end\n---\nnull\n---\n");
    assert_eq!(names(&served(&text)), ["ModelServer default/llama"]);
    assert_eq!(parse("# only\n# comments\n"), Manifest::default());
    assert_eq!(parse("\u{feff}# a byte order mark\n"), Manifest::default());
}

#[test]
fn a_list_is_its_items() {
    let item = |name: &str| format!("- {{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}\n");
    let text = format!("apiVersion: v1\nkind: List\nitems:\n{}{}", item("a"), item("b"));
    assert_eq!(names(&served(&text)), ["Pod default/a", "Pod default/b"]);
    assert!(served("{apiVersion: v1, kind: List}").is_empty());
}

#[test]
fn json_may_be_indented_by_tabs() {
    let text = "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"a\"}\n}\n";
    let manifest = Manifest::parse(text, Format::Json, "x.json");
    assert_eq!(names(&manifest.objects), ["Pod default/a"]);
}

#[test]
fn other_kinds_are_named_and_skipped() {
    let text = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}}
---
{apiVersion: networking.serving.volcano.sh/v1alpha1, kind: Unheard, metadata: {name: y, namespace: n}}
---
{apiVersion: example.com/v1, kind: Pod, metadata: {name: z}}
";
    let manifest = parse(text);
    assert!(manifest.refusals.is_empty(), "{:?}", manifest.refusals);
    assert_eq!(
        manifest.skipped,
        [
            "Deployment default/x in x.yaml: not served here, skipped",
            "Unheard n/y in x.yaml: not served here, skipped",
            "Pod default/z in x.yaml: not served here, skipped",
        ]
    );
}

#[test]
fn a_value_that_is_not_accepted_is_named_with_object_file_field_and_remedy() {
    for (from, to, expected) in [
        (
            "vLLM",
            "Foo",
            "ModelServer default/llama in x.yaml: spec.inferenceEngine: unknown variant `Foo`, expected `vLLM` or `SGLang`",
        ),
        (
            "port: 8000",
            "port: 0",
            "ModelServer default/llama in x.yaml: spec.workloadPort.port: invalid port 0: expected 1 to 65535",
        ),
        (
            "app: llama",
            "app: '-'",
            "ModelServer default/llama in x.yaml: spec.workloadSelector.matchLabels: invalid value \"-\" of label \"app\": ",
        ),
        ("name: llama", "name: Llama", "ModelServer default/llama in x.yaml: metadata.name: invalid name \"Llama\": "),
        (
            "networking.serving.volcano.sh/v1alpha1",
            "networking.serving.volcano.sh/v1",
            "ModelServer default/llama in x.yaml: apiVersion: unknown version `networking.serving.volcano.sh/v1`, expected `networking.serving.volcano.sh/v1alpha1`",
        ),
        ("  inferenceEngine: vLLM\n", "", "ModelServer default/llama in x.yaml: spec: missing field `inferenceEngine`"),
        ("  name: llama", "  labels: {}", "x.yaml: document 1: metadata.name: missing"),
        ("kind: ModelServer", "", "x.yaml: document 1: kind: missing"),
        ("apiVersion: networking.serving.volcano.sh/v1alpha1", "", "x.yaml: document 1: apiVersion: missing"),
    ] {
        let found = refusals(&SERVER.replace(from, to));
        assert_eq!(found.len(), 1, "{to}: {found:?}");
        let expected = expected.replace(
            "default/llama",
            match to {
                "name: Llama" => "default/Llama",
                _ => "default/llama",
            },
        );
        assert!(found[0].starts_with(&expected), "{to}: {found:?}");
    }
}

#[test]
fn a_path_into_a_list_has_its_index() {
    let found = refusals(&ROUTE.replace("modelServerName: llama", "weight: heavy"));
    let expected = "ModelRoute dev/llama in x.yaml: spec.rules[0].targetModels[0].weight: invalid type";
    assert!(found[0].starts_with(expected), "{found:?}");
}

#[test]
fn an_inadmissible_object_is_refused_with_every_reason() {
    let text = ROUTE.replace("modelName: Llama-3.1", "loraAdapters: ['', '']");
    assert_eq!(
        refusals(&text),
        [
            "ModelRoute dev/llama in x.yaml: spec.loraAdapters[0]: lora adapter name cannot be an empty string",
            "ModelRoute dev/llama in x.yaml: spec.loraAdapters[1]: lora adapter name cannot be an empty string",
        ]
    );
}

#[test]
fn an_unknown_field_is_a_remark_and_the_object_is_served() {
    let manifest = parse(&SERVER.replace("timeout: 10s", "timout: 10s"));
    assert_eq!(names(&manifest.objects), ["ModelServer default/llama"]);
    let remarks: Vec<_> = manifest.remarks.iter().map(ToString::to_string).collect();
    assert_eq!(remarks, ["ModelServer default/llama in x.yaml: spec.trafficPolicy.timout: unknown field, ignored"]);
}

#[test]
fn unknown_fields_are_found_in_pods_and_lists_too() {
    let manifest = parse("{apiVersion: v1, kind: Pod, metadata: {name: a}, status: {podIp: 127.0.0.2}}");
    assert_eq!(manifest.remarks[0].field.as_deref(), Some("status.podIp"));
    let manifest = parse(&ROUTE.replace("- targetModels:", "- nam: x\n    targetModels:"));
    assert_eq!(manifest.remarks[0].field.as_deref(), Some("spec.rules[0].nam"));
}

#[test]
fn the_status_that_a_cluster_left_in_a_manifest_is_no_problem() {
    let text = format!("{SERVER}status:\n  conditions: [{{type: Ready}}]\n");
    assert_eq!(names(&served(&text)), ["ModelServer default/llama"]);
}

#[test]
fn null_is_absent_and_takes_the_default() {
    let text = ROUTE.replace("modelServerName: llama", "modelServerName: llama\n      weight: null");
    let objects = served(&text.replace("  namespace: dev", "  namespace:"));
    assert_eq!(names(&objects), ["ModelRoute default/llama"]);
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    let objects = served(
        "
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {stage: n, commit: 12e34567}}
spec:
  containers: []
  volumes: [{name: v, configMap: {name: c, defaultMode: 0644}}]
",
    );
    let pod = pod(&objects[0]);
    let labels = pod.meta().labels.as_ref().unwrap();
    assert_eq!(labels["stage"], "n");
    let spec = pod.spec.as_ref().unwrap();
    let volume = &spec.volumes.as_ref().unwrap()[0];
    assert_eq!(volume.config_map.as_ref().unwrap().default_mode, Some(0o644));
}

#[test]
fn a_text_that_does_not_parse_is_one_line_naming_the_file_and_place() {
    for text in ["{", "a: [", "a: b: c", "kind: Pod\nkind: Pod\n"] {
        let found = refusals(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("x.yaml: "), "{text}: {found:?}");
        assert!(found[0].contains("line "), "{text}: {found:?}");
        assert!(!found[0].contains('\n'), "{text}: {found:?}");
    }
    for text in ["word", "[1]", "--- 3"] {
        let expected = "x.yaml: document 1: expected a mapping with apiVersion, kind and metadata";
        assert_eq!(refusals(text), [expected], "{text}");
    }
}

#[test]
fn what_is_nested_too_deeply_or_grows_without_end_is_refused() {
    let deep = "[".repeat(100_000);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    for text in [deep, bomb] {
        assert_eq!(refusals(&text).len(), 1);
    }
}

#[test]
fn a_large_ordinary_manifest_is_read() {
    // More documents, and more values, than the parser allows by default.
    let pods = 2_000;
    let mut labels = String::new();
    for index in 0..65 {
        labels += &format!("l{index}: v, ");
    }
    let mut text = "# a long introduction\n".repeat(200);
    for index in 0..pods {
        text += &format!(
            "---\napiVersion: v1\nkind: Pod\n# a remark\nmetadata: {{name: p-{index}, labels: {{{labels}}}}}\n"
        );
    }
    assert_eq!(served(&text).len(), pods);
}

#[test]
fn a_long_comment_inside_a_mapping_is_read() {
    let comment = "  # why this is so\n".repeat(500);
    let text = ROUTE.replace("spec:\n", &format!("spec:\n{comment}"));
    let text = text.replace("  rules:\n", &format!("  rules:\n{comment}"));
    assert_eq!(names(&served(&text)), ["ModelRoute dev/llama"]);
}

#[test]
fn the_versions_read_are_the_types_own() {
    assert!(ROUTE.contains(&*ModelRoute::api_version(&())));
}

/// A Secret `s1` with these lines behind its metadata, and one that is in order.
fn secrets(lines: &str) -> String {
    let header = "apiVersion: v1\nkind: Secret\nmetadata:";
    format!("{header} {{name: s1}}\n{lines}\n---\n{header} {{name: s2, namespace: ns}}\nstringData: {{ca.crt: CA}}\n")
}

fn authorities(objects: &[Object]) -> Vec<Option<&str>> {
    let secrets = objects.iter().map(|object| match object {
        Object::Secret(secret) => secret,
        other => panic!("not a Secret: {other:?}"),
    });
    secrets.map(|secret| kthena_crds::secret::ca(secret)).collect()
}

#[test]
fn what_else_a_secret_holds_is_nobody_s_business_and_kept_nowhere() {
    for lines in [
        "stringData: {port: 31337}",
        "stringData: hunter2-31337",
        "stringData: [hunter2-31337]",
        "data: {tls.key: '%31337%', tls.crt: 31337}",
        "data: 31337",
        "immutable: 31337\ntype: {hunter2: 31337}",
        "hunter2-31337: 31337",
        "stringData: {ca.crt: 31337}",
        "stringData: {ca.crt: [31337]}",
        "data: {ca.crt: '%31337%'}",
        "data: {ca.crt: 31337}",
    ] {
        let objects = served(&secrets(lines));
        assert_eq!(names(&objects), ["Secret default/s1", "Secret ns/s2"], "{lines}");
        assert_eq!(authorities(&objects), [None, Some("CA")], "{lines}");
        assert!(!format!("{objects:?}").contains("31337"), "{lines}: {objects:?}");
    }
}

#[test]
fn base64_of_a_secret_may_be_wrapped() {
    for lines in ["data:\n  ca.crt: |\n    Q0\n    E=\n", "data: {ca.crt: \"Q0\\r\\nE=\\r\\n\"}"] {
        assert_eq!(authorities(&served(&secrets(lines))), [Some("CA"), Some("CA")], "{lines}");
    }
}

#[test]
fn why_a_secret_is_refused_tells_fields_and_no_values() {
    for (metadata, why) in [
        ("{name: s1, namespace: 31337}", "Secret default/s1 in x.yaml: metadata.namespace: expected a text"),
        ("{name: s1, namespace: [31337]}", "Secret default/s1 in x.yaml: metadata.namespace: expected a text"),
        ("{name: 31337}", "x.yaml: document 1: metadata.name: missing: expected a text, as every object has a name"),
        ("31337", "x.yaml: document 1: metadata.name: missing: expected a text, as every object has a name"),
    ] {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{key: 31337}}\n");
        assert_eq!(refusals(&text), [why], "{text}");
    }
}

#[test]
fn a_text_with_a_secret_that_does_not_parse_names_the_place_and_shows_nothing_of_it() {
    for lines in [
        "stringData: {hunter2: x, hunter2: x}",
        "stringData:\n  password: !hunter2 x",
        "stringData:\n  password: *hunter2",
        "stringData:\n  password: .inf\n  hunter2: a: b",
        "stringData: {password: \"hunter2",
        "stringData: {password: \"\\hunter2\"}",
        "stringData:\n  password: hunter2\n hunter2",
        "stringData:\n  password: @hunter2",
        "stringData:\n  ? [hunter2]\n  : x",
        "stringData:\n  password: !!int hunter2",
        "stringData:\n  password: !!binary hunter2%",
        "stringData:\n  <<: hunter2",
        "%hunter2 x\n---\n",
    ] {
        for text in [secrets(lines), format!("{lines}\n")] {
            let found = Manifest::parse(&text, Format::Yaml, "x.yaml");
            let said = format!("{:?} {:?} {:?}", found.refusals, found.remarks, found.skipped);
            assert!(!said.contains("hunter2") && !said.contains("x.yaml: hun"), "{text}: {said}");
        }
    }
    let found = refusals("kind: Secret\nstringData: {a: x, a: y}\n");
    assert_eq!(
        found,
        ["x.yaml: duplicate mapping key at line 2, column 20 (no more is shown, as the file holds a Secret)"]
    );
    for text in
        ["{\"kind\": \"Secret\", \"stringData\": {\"a\": hunter2}}", "{\"stringData\": {\"a\": 2e999999, hunter2}}"]
    {
        let found = Manifest::parse(text, Format::Json, "x.json").refusals;
        assert_eq!(found.len(), 1, "{text}");
        assert!(!format!("{found:?}").contains("hunter2"), "{text}: {found:?}");
    }
}
