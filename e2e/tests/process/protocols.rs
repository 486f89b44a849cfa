//! Every protocol: routed by its model, its usage read once and nowhere asked for but where the protocol has the option,
//! its errors in its own shape.

use crate::bodies::{BODIES, MODEL, SERVED};
use kthena_e2e::{Answer, until};
use serde_json::{Value, json};

/// The bodies of one request in each protocol, and what its answer's usage says of input and output.
fn requests() -> [(&'static str, Value, [&'static str; 2]); 5] {
    let messages = json!([{"role": "user", "content": "what is said"}]);
    let chat = ["/usage/prompt_tokens", "/usage/completion_tokens"];
    let others = ["/usage/input_tokens", "/usage/output_tokens"];
    [
        ("/v1/chat/completions", json!({"model": MODEL, "messages": messages, "max_tokens": 3}), chat),
        ("/v1/completions", json!({"model": MODEL, "prompt": "what is said", "max_tokens": 3}), chat),
        ("/v1/embeddings", json!({"model": MODEL, "input": ["what", "is said"]}), chat),
        ("/v1/responses", json!({"model": MODEL, "input": "what is said", "max_output_tokens": 3}), others),
        ("/v1/messages", json!({"model": MODEL, "messages": messages, "max_tokens": 3}), others),
    ]
}

async fn ask(path: &str, id: &str, body: &Value) -> Answer {
    BODIES.kthena.client().post(path, &[("x-request-id", id)], body.to_string()).await
}

/// `IN/OUT` in the only line of the log for the request with that id.
async fn logged(id: &str) -> String {
    let output = &BODIES.kthena.output;
    let wanted = format!(" request_id={id} ");
    let line = until(&format!("the line of {id}"), async || output.find(0, |line| line.contains(&wanted))).await;
    assert_eq!(output.lines().iter().filter(|line| line.contains(&wanted)).count(), 1);
    let tokens = line.split_once(" tokens=").map_or("none", |(_, rest)| rest);
    tokens.split(' ').next().unwrap_or_default().to_owned()
}

/// What the engine received last on that path.
async fn received(path: &str) -> Value {
    let requests = BODIES.engine.client().get("/simulator/requests").await.json();
    let last = requests.as_array().unwrap().iter().rfind(|request| request["path"] == path).unwrap().clone();
    serde_json::from_str(last["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn each_protocol_s_usage_is_read_from_whole_answers_and_once() {
    for (path, body, [input, output]) in requests() {
        let id = format!("whole{}", path.replace('/', "-"));
        let answer = ask(path, &id, &body).await.ok().json();
        let count = |at: &str| answer.pointer(at).and_then(Value::as_u64).unwrap_or_else(|| panic!("{at} in {answer}"));
        assert_eq!(logged(&id).await, format!("{}/{}", count(input), count(output)), "{path}");
        assert!(count(input) > 0, "{answer}");
    }
}

#[tokio::test]
async fn each_protocol_s_usage_is_read_from_streams_and_once_however_often_it_is_said() {
    for (path, body, _) in requests().into_iter().filter(|(path, ..)| *path != "/v1/embeddings") {
        let whole = format!("sum{}", path.replace('/', "-"));
        ask(path, &whole, &body).await.ok();
        let expected = logged(&whole).await;
        let every = json!({"include_usage": true, "continuous_usage_stats": true});
        let options = [Value::Null, json!({"include_usage": true}), every];
        let has_option = matches!(path, "/v1/chat/completions" | "/v1/completions");
        for (index, options) in options.into_iter().enumerate().filter(|(index, _)| has_option || *index == 0) {
            let mut body = body.clone();
            body["stream"] = true.into();
            if !options.is_null() {
                body["stream_options"] = options;
            }
            let id = format!("stream{index}{}", path.replace('/', "-"));
            let answer = ask(path, &id, &body).await.ok();
            assert!(answer.header("content-type").starts_with("text/event-stream"), "{path}");
            assert_eq!(logged(&id).await, expected, "{path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_usage_option_is_added_to_streams_of_chats_and_completions_and_to_nothing_else() {
    for (path, mut body, _) in requests() {
        for stream in [false, true] {
            // Paths of their own, so that no other test's request is looked at.
            let path = format!("{path}?options={stream}");
            body["stream"] = stream.into();
            ask(&path, "options", &body).await.ok();
            let mut expected = body.clone();
            expected["model"] = SERVED.into();
            if stream && (path.starts_with("/v1/chat/") || path.starts_with("/v1/completions")) {
                expected["stream_options"] = json!({"include_usage": true});
            }
            assert_eq!(received(&path).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn any_other_json_with_a_model_goes_to_its_engine() {
    for path in ["/v1/rerank", "/v1/score", "/v1/audio/speech", "/v1/engine/specific"] {
        let answer =
            ask(path, "other", &json!({"model": MODEL, "query": "q", "documents": ["a"], "stream": true})).await;
        // The simulator has no such path, and says so as vLLM does.
        assert_eq!(
            (answer.status, answer.pod(), answer.json()),
            (404, "engine", json!({"detail": "Not Found"})),
            "{path}"
        );
        let expected = json!({"model": SERVED, "query": "q", "documents": ["a"], "stream": true});
        assert_eq!(received(path).await, expected, "{path}");
    }
    let counted = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    let answer = ask("/v1/messages/count_tokens", "count", &counted).await.ok().json();
    assert!(answer["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{answer}");
    assert_eq!(logged("count").await, "none", "tokens that were only counted were not used");
}

#[tokio::test]
async fn errors_have_the_shape_of_their_protocol_ours_and_the_engine_s() {
    for (path, mut body, _) in requests() {
        let anthropic = path == "/v1/messages";
        let check = |error: Value, kind: &str, message: &str| {
            assert_eq!(
                (&error["error"]["message"], &error["error"]["type"]),
                (&json!(message), &json!(kind)),
                "{path}"
            );
            assert_eq!(error["type"], if anthropic { json!("error") } else { Value::Null }, "{path}");
        };
        body["model"] = "nobody".into();
        let kind = if anthropic { "not_found_error" } else { "invalid_request_error" };
        check(ask(path, "nobody", &body).await.json(), kind, "route not found");
        let mut nothing = body.clone();
        nothing["model"] = MODEL.into();
        nothing.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "messages" | "prompt" | "input"));
        check(ask(path, "nothing", &nothing).await.json(), kind, "prompt not found");
    }
    // The engine's own, untouched.
    let empty = json!({"model": MODEL, "messages": [], "max_tokens": 3});
    let answer = ask("/v1/messages", "empty", &empty).await;
    let error = answer.json();
    assert_eq!(
        (answer.status, &error["type"], &error["error"]["type"]),
        (400, &json!("error"), &json!("BadRequestError"))
    );
    let answer = ask("/v1/chat/completions", "empty", &empty).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(400)));
}

#[tokio::test]
async fn a_request_s_id_comes_back_the_client_s_own_or_one_that_was_made() {
    let client = BODIES.kthena.client();
    assert_eq!(ask("/v1/messages", "my-own-id", &requests()[4].1).await.ok().header("x-request-id"), "my-own-id");
    let [one, other] = [client.chat(MODEL).await.ok(), client.chat("nobody").await];
    let ids = [one.header("x-request-id"), other.header("x-request-id")];
    assert!(ids.iter().all(|id| id.len() == 36) && ids[0] != ids[1], "{ids:?}");
}
