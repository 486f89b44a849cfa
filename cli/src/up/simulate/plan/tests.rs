use super::*;

fn server(name: &str, model: Option<&str>, port: u16) -> ModelServer {
    let model = model.map(|model| format!("model: {model}, ")).unwrap_or_default();
    parse(&format!(
        "metadata: {{name: {name}, namespace: ns}}\nspec: {{{model}inferenceEngine: vLLM, \
         workloadSelector: {{matchLabels: {{app: {name}}}}}, workloadPort: {{port: {port}}}}}",
    ))
}

fn route(name: &str, model: &str, loras: &str, targets: &[&str]) -> ModelRoute {
    let targets: Vec<_> = targets.iter().map(|target| format!("{{modelServerName: {target}}}")).collect();
    parse(&format!(
        "metadata: {{name: {name}, namespace: ns}}\nspec: {{modelName: '{model}', loraAdapters: [{loras}], \
         rules: [{{targetModels: [{}]}}]}}",
        targets.join(", "),
    ))
}

fn pod(name: &str, app: &str, ip: &str) -> Pod {
    parse(&format!("metadata: {{name: {name}, namespace: ns, labels: {{app: {app}}}}}\nstatus: {{podIP: '{ip}'}}"))
}

/// The type's own header (apiVersion, kind) is the source's business.
fn parse<T: serde::de::DeserializeOwned + kthena_crds::Resource<DynamicType = ()>>(yaml: &str) -> T {
    let header = format!("apiVersion: {}\nkind: {}\n", T::api_version(&()), T::kind(&()));
    serde_saphyr::from_str(&(header + yaml)).unwrap()
}

fn planned(resources: &Resources) -> Vec<String> {
    let plan = plan(resources);
    assert_eq!(plan.problems, []);
    plan.simulators.iter().map(describe).collect()
}

fn describe(planned: &Planned) -> String {
    let place = match &planned.place {
        Place::Given(address) => address.to_string(),
        Place::MadeUp(MadeUp { server, port, .. }) => format!("for {server} :{port}"),
    };
    format!("{} {place} models={} loras={}", planned.pod, planned.models.join(","), planned.loras.join(","))
}

#[test]
fn a_model_server_without_pods_gets_two_that_are_its_own() {
    let resources = Resources {
        model_servers: vec![server("s", Some("m"), 8000)],
        pods: vec![pod("other", "t", "127.0.0.2")],
        ..Resources::default()
    };
    let expected = ["ns/s-sim-0 for ns/s :8000 models=m loras=", "ns/s-sim-1 for ns/s :8000 models=m loras="];
    assert_eq!(planned(&resources), expected);
    let Place::MadeUp(made_up) = &plan(&resources).simulators[0].place else { unreachable!("no Pod is given") };
    assert_eq!(made_up.labels, BTreeMap::from([("app".to_owned(), "s".to_owned())]));
}

#[test]
fn a_pod_is_simulated_once_for_each_port_that_selects_it() {
    let mut other_port = server("s", Some("n"), 9000);
    other_port.metadata.name = Some("other-port".to_owned());
    let mut same_port = server("s", Some("o"), 8000);
    same_port.metadata.name = Some("same-port".to_owned());
    let resources = Resources {
        model_servers: vec![server("s", Some("m"), 8000), other_port, same_port],
        pods: vec![pod("a", "s", "127.0.0.2")],
        ..Resources::default()
    };
    let expected = ["ns/a 127.0.0.2:8000 models=m,o loras=", "ns/a 127.0.0.2:9000 models=n loras="];
    assert_eq!(planned(&resources), expected);
}

#[test]
fn a_pod_with_a_port_of_its_own_is_simulated_there() {
    let at = |name: &str, port: &str| {
        let mut pod = pod(name, "s", "127.0.0.2");
        pod.metadata.annotations = Some(BTreeMap::from([("kthena.endpoint/port".to_owned(), port.to_owned())]));
        pod
    };
    let resources = Resources {
        model_servers: vec![server("s", Some("m"), 8000)],
        pods: vec![at("a", "8001"), at("b", "8002"), at("c", "none")],
        ..Resources::default()
    };
    let expected = ["ns/a 127.0.0.2:8001 models=m loras=", "ns/b 127.0.0.2:8002 models=m loras="];
    assert_eq!(planned(&resources), expected);
}

#[test]
fn a_pod_without_an_address_leaves_its_model_server_to_made_up_ones() {
    let resources = Resources {
        model_servers: vec![server("s", Some("m"), 8000)],
        pods: vec![pod("a", "s", "")],
        ..Resources::default()
    };
    assert_eq!(planned(&resources).len(), 2);
}

#[test]
fn a_pod_of_another_namespace_is_not_the_model_server_s() {
    let mut foreign = pod("a", "s", "127.0.0.2");
    foreign.metadata.namespace = Some("elsewhere".to_owned());
    let resources =
        Resources { model_servers: vec![server("s", Some("m"), 8000)], pods: vec![foreign], ..Resources::default() };
    assert!(planned(&resources)[0].starts_with("ns/s-sim-0 "));
}

#[test]
fn a_pod_that_is_not_on_loopback_is_named_and_not_replaced() {
    let resources = Resources {
        model_servers: vec![server("s", Some("m"), 8000), server("s", Some("m"), 9000)],
        pods: vec![pod("a", "s", "10.0.0.7")],
        ..Resources::default()
    };
    let plan = plan(&resources);
    assert_eq!(plan.simulators, []);
    let problems: Vec<_> = plan.problems.iter().map(ToString::to_string).collect();
    let expected = "Pod ns/a: status.podIP: 10.0.0.7 is not a loopback address (127.0.0.0/8), the Pod is not simulated";
    assert_eq!(problems, [expected]);
}

#[test]
fn names_come_from_the_model_server_or_else_from_its_routes() {
    for (model, routes, expected) in [
        (Some("m"), vec![route("r", "asked", "l1, l2", &["s"])], "models=m loras=l1,l2"),
        (
            None,
            vec![route("r", "asked", "", &["s", "t"]), route("q", "also", "l1", &["s"])],
            "models=asked,also loras=l1",
        ),
        (None, vec![route("r", "asked", "", &["t"])], "models=s loras="),
        (None, vec![route("r", "", "l1", &["s"])], "models=s loras=l1"),
        (Some("m"), vec![route("r", "x", "m, l1", &["s"]), route("q", "x", "l1", &["s"])], "models=m loras=l1"),
    ] {
        let resources =
            Resources { model_servers: vec![server("s", model, 8000)], model_routes: routes, ..Resources::default() };
        let first = planned(&resources).remove(0);
        assert_eq!(first, format!("ns/s-sim-0 for ns/s :8000 {expected}"));
    }
}

#[test]
fn what_a_model_server_speaks_tls_to_answers_in_tls() {
    let mut secure = server("secure", Some("m"), 8443);
    secure.spec.workload_port.protocol = Protocol::Https;
    let resources = Resources {
        model_servers: vec![server("plain", Some("m"), 8000), secure],
        pods: vec![pod("given", "secure", "127.0.0.2")],
        ..Resources::default()
    };
    let plan = plan(&resources);
    let tls: Vec<_> = plan.simulators.iter().map(|planned| (planned.pod.as_str(), planned.tls)).collect();
    assert_eq!(tls, [("ns/given", true), ("ns/plain-sim-0", false), ("ns/plain-sim-1", false)]);
}
