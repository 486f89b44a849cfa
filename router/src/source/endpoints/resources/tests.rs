use super::*;
use crate::source::endpoints::engine::Model;
use crate::source::endpoints::state::Trouble;
use kthena_envoy::{Settings, compile};

/// `kind name, name, adapter<parent` at a port of 127.0.0.1; `-` for one that never answered.
fn state(port: u16, says: &str) -> State {
    let mut state = State::new(format!("http://localhost:{port}").parse().unwrap());
    state.observe(match says {
        "-" => Err(refused()),
        says => Ok(engine(port, says)),
    });
    state
}

fn engine(port: u16, says: &str) -> Engine {
    let (kind, models) = says.split_once(' ').unwrap();
    let kind = match kind {
        "vllm" => Kind::Vllm,
        "sglang" => Kind::Sglang,
        _ => Kind::Other,
    };
    let model = |text: &str| match text.split_once('<') {
        Some((name, parent)) => Model { name: name.to_owned(), parent: Some(parent.to_owned()) },
        None => Model { name: text.to_owned(), parent: None },
    };
    let models = models.split(", ").map(model).collect();
    Engine { address: ([127, 0, 0, 1], port).into(), kind, models }
}

fn refused() -> Trouble {
    Trouble::Connection("connection refused".to_owned())
}

fn gone(mut state: State) -> State {
    (0..3).for_each(|_| state.observe(Err(refused())));
    state
}

/// `route: model +adapter -> server:weight`, then `server engine: ports`, as they compile.
fn compiled(states: &[State]) -> Vec<String> {
    let Snapshot { resources, .. } = snapshot(states);
    let mut lines = Vec::new();
    for route in &resources.model_routes {
        let name = route.metadata.name.as_deref().unwrap();
        let model = route.spec.name().unwrap_or_default();
        let adapters: String = route.spec.lora_adapters.iter().map(|adapter| format!(" +{adapter}")).collect();
        let targets = route.spec.rules[0].target_models.iter();
        let targets: Vec<_> =
            targets.map(|target| format!("{}:{}", target.model_server().unwrap(), target.weight)).collect();
        lines.push(format!("{name}: {model}{adapters} -> {}", targets.join(" ")));
    }
    let data_plane = compile(&resources, &Settings::default());
    for server in &resources.model_servers {
        let name = server.metadata.name.as_deref().unwrap();
        let pool = &data_plane.picker[&format!("default/{name}")];
        let ports: String = pool.endpoints.iter().map(|(address, _)| format!(" {}", address.port())).collect();
        lines.push(format!("{name} {:?}:{ports}", server.spec.inference_engine));
    }
    lines
}

fn problems(states: &[State]) -> Vec<String> {
    snapshot(states).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_name_goes_to_the_engines_that_answer_to_it() {
    for (says, expected) in [
        (vec!["vllm tiny"], vec!["tiny: tiny -> tiny:100", "tiny Vllm: 1"]),
        (vec!["vllm tiny", "vllm tiny"], vec!["tiny: tiny -> tiny:100", "tiny Vllm: 1 2"]),
        (
            vec!["vllm tiny, alias, l<tiny, m<tiny"],
            vec!["alias: alias -> tiny:100", "tiny: tiny +l +m -> tiny:100", "tiny Vllm: 1"],
        ),
        (vec!["vllm a", "sglang b"], vec!["a: a -> a:100", "b: b -> b-sglang:100", "a Vllm: 1", "b-sglang Sglang: 2"]),
        // An adapter that one engine has goes to that one.
        (
            vec!["vllm tiny", "vllm tiny, l<tiny"],
            vec!["l:  +l -> l:100", "tiny: tiny -> tiny:100", "l Vllm: 2", "tiny Vllm: 1 2"],
        ),
        // Two kinds share by the number of their engines.
        (vec!["vllm q", "sglang q", "vllm q"], vec!["q: q -> q:2 q-sglang:1", "q Vllm: 1 3", "q-sglang Sglang: 2"]),
        // One whose metrics are not known is served beside vLLM.
        (vec!["vllm q", "other q"], vec!["q: q -> q:100", "q Vllm: 1 2"]),
        (
            vec!["other Org/Llama:1b, qwen"],
            vec![
                "org-llama-1b: Org/Llama:1b -> org-llama-1b:100",
                "qwen: qwen -> org-llama-1b:100",
                "org-llama-1b Vllm: 1",
            ],
        ),
        // An adapter of a model that is not listed, and a name that is an adapter on one engine only.
        (vec!["vllm l<base"], vec!["l:  +l -> l:100", "l Vllm: 1"]),
        (vec!["vllm a, x<a", "vllm x"], vec!["a: a -> a:100", "x: x -> x:100", "a Vllm: 1", "x Vllm: 1 2"]),
        (vec!["-"], vec![]),
        (vec!["-", "vllm a"], vec!["a: a -> a:100", "a Vllm: 2"]),
    ] {
        let states: Vec<_> = (1..).zip(&says).map(|(port, says)| state(port, says)).collect();
        assert_eq!(compiled(&states), expected, "{says:?}");
    }
}

#[test]
fn an_engine_that_is_gone_keeps_its_names_and_gets_nothing() {
    let states = [gone(state(1, "vllm a")), state(2, "vllm a")];
    assert_eq!(compiled(&states), ["a: a -> a:100", "a Vllm: 2"]);
    assert_eq!(compiled(&states.map(gone)), ["a: a -> a:100", "a Vllm:"]);
    let kinds = [state(1, "vllm a"), gone(state(2, "sglang a"))];
    assert_eq!(compiled(&kinds)[0], "a: a -> a:100 a-sglang:0");
}

#[test]
fn more_adapters_than_a_route_may_have_get_routes_of_their_own() {
    let adapters: Vec<_> = (0..12).map(|index| format!("l{index:02}<a")).collect();
    let Snapshot { resources, .. } = snapshot(&[state(1, &format!("vllm a, {}", adapters.join(", ")))]);
    let counts: Vec<_> = resources.model_routes.iter().map(|route| route.spec.lora_adapters.len()).collect();
    assert_eq!(counts, [10, 1, 1]);
    for route in &resources.model_routes {
        assert!(kthena_crds::admission::model_route::validate(route).is_empty());
    }
}

#[test]
fn every_object_is_one_that_would_be_admitted() {
    let states = [state(1, "vllm Org/Model_1, l/x<Org/Model_1"), state(2, "sglang Org/Model_1")];
    let Snapshot { resources, problems, .. } = snapshot(&states);
    assert_eq!(problems, []);
    for server in &resources.model_servers {
        assert_eq!(kthena_crds::admission::model_server::validate(server), []);
        assert_eq!(kthena_crds::admission::name::validate(&server.metadata), []);
    }
    for pod in &resources.pods {
        assert_eq!(kthena_crds::admission::pod::validate(pod), []);
        assert_eq!(kthena_crds::admission::name::validate(&pod.metadata), []);
    }
    let compiled = compile(&resources, &Settings::default());
    assert_eq!(compiled.problems, []);
    assert_eq!(compiled.endpoints[0].pod, "default/localhost-1");
}

#[test]
fn what_is_wrong_with_an_engine_is_said_by_its_url() {
    let states = [state(1, "-"), gone(state(2, "vllm a")), state(3, "other b")];
    assert_eq!(
        problems(&states),
        [
            "http://localhost:1: waiting: connection refused; asked again until it serves",
            "http://localhost:2: connection refused; gets no requests until it answers",
            "http://localhost:3: no metrics of vLLM or SGLang, served as if it were vLLM; of its load only our own \
             requests are known"
        ]
    );
}

#[test]
fn two_urls_of_one_engine_are_one_engine() {
    let mut again = State::new("http://127.0.0.1:1".parse().unwrap());
    again.observe(Ok(engine(1, "vllm a")));
    let states = [state(1, "vllm a"), again];
    assert_eq!(compiled(&states), ["a: a -> a:100", "a Vllm: 1"]);
    assert_eq!(
        problems(&states),
        ["http://127.0.0.1:1: the same engine as http://localhost:1, both are 127.0.0.1:1; served once"]
    );
}

#[test]
fn an_address_is_of_who_answers_there_now() {
    let same = "http://b:1: the same engine as http://a:1, both are 127.0.0.1:1; served once";
    let gone_a = "http://a:1: connection refused; gets no requests until it answers";
    let gone_b = "http://b:1: connection refused; gets no requests until it answers";
    for (a_is_gone, b_is_gone, served, problems_said) in [
        (false, false, vec!["m: m -> m:100", "m Vllm: 1"], vec![same]),
        (true, false, vec!["n: n -> n:100", "n Vllm: 1"], vec![gone_a]),
        (false, true, vec!["m: m -> m:100", "m Vllm: 1"], vec![gone_b]),
        (true, true, vec!["m: m -> m:100", "m Vllm:"], vec![gone_a, gone_b]),
    ] {
        let state = |host: &str, model: &str, is_gone: bool| {
            let mut state = State::new(format!("http://{host}:1").parse().unwrap());
            state.observe(Ok(engine(1, &format!("vllm {model}"))));
            if is_gone { gone(state) } else { state }
        };
        let states = [state("a", "m", a_is_gone), state("b", "n", b_is_gone)];
        assert_eq!(
            (compiled(&states), problems(&states)),
            (served.into_iter().map(str::to_owned).collect(), problems_said.into_iter().map(str::to_owned).collect(),)
        );
    }
}
