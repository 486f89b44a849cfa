//! Tool calls. The expected keys and events are those of a vLLM 0.32.0 with `--tool-call-parser hermes`.

use kthena_simulator::Options;
use serde_json::{Value, json};

use crate::support::{Answer, Running, quick};

const ARGUMENTS: &str = r#"{"city": "Paris", "days": 1}"#;

fn options() -> Options {
    Options { models: vec!["tiny".into()], ..quick() }
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}, "days": {"enum": [1, 2]}}, "required": ["city", "days"]})
}

fn chat(choice: &Value, more: &Value) -> Value {
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": schema()}}]);
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}], "tools": tools, "tool_choice": choice});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The data of a stream, `[DONE]` left out.
fn events(answer: &Answer) -> Vec<Value> {
    let lines = answer.text().lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[tokio::test]
async fn a_required_call_is_told_whole_and_needs_no_limit_of_tokens() {
    let simulator = Running::start(options()).await;
    let answer = simulator.post("/v1/chat/completions", &chat(&json!("required"), &json!({}))).await;
    let call = r#""content":"","refusal":null,"annotations":null,"audio":null,"function_call":null,"tool_calls":[{"id":"chatcmpl-tool-"#;
    assert!(answer.text().contains(call), "{}", answer.text());
    let rest = r#"","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Paris\", \"days\": 1}"}}],"reasoning":null},"logprobs":null,"finish_reason":"tool_calls","stop_reason":null"#;
    assert!(answer.text().contains(rest), "{}", answer.text());

    let named = json!({"type": "function", "function": {"name": "weather"}});
    let choice = simulator.post("/v1/chat/completions", &chat(&named, &json!({}))).await.json()["choices"][0].clone();
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], ARGUMENTS);
    assert_eq!(choice["finish_reason"], "stop", "as vLLM has it for a named tool");

    let text = simulator.post("/v1/chat/completions", &chat(&json!("auto"), &json!({}))).await.json();
    assert_eq!(
        (&text["choices"][0]["finish_reason"], &text["usage"]["completion_tokens"]),
        (&json!("length"), &json!(16))
    );
}

#[tokio::test]
async fn a_streamed_call_tells_its_name_and_then_its_arguments() {
    let simulator = Running::start(options()).await;
    let body = chat(&json!("required"), &json!({"stream": true, "n": 2}));
    let answer = simulator.post("/v1/chat/completions", &body).await;
    let all = events(&answer);
    for index in [0, 1] {
        let deltas: Vec<_> = all.iter().map(|e| &e["choices"][0]).filter(|choice| choice["index"] == index).collect();
        assert_eq!(deltas[0]["delta"], json!({"role": "assistant", "content": ""}));
        let begun = &deltas[1]["delta"]["tool_calls"][0];
        assert!(begun["id"].as_str().unwrap().starts_with("chatcmpl-tool-"), "{begun}");
        assert_eq!(
            (&begun["index"], &begun["type"], &begun["function"]),
            (&json!(0), &json!("function"), &json!({"name": "weather"}))
        );
        let (last, rest) = deltas[2..].split_last().unwrap();
        let arguments: String = rest
            .iter()
            .filter_map(|choice| choice["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
            .collect();
        assert_eq!(arguments, ARGUMENTS);
        assert!(rest.len() > 2, "piece by piece");
        assert!(rest.iter().all(|choice| choice["delta"]["tool_calls"][0].get("id").is_none()));
        assert_eq!((&last["delta"], &last["finish_reason"]), (&json!({}), &json!("tool_calls")));
    }
    let piece = r#""choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"{\"ci"}}]},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#;
    assert!(answer.text().contains(piece), "{}", answer.text());
}

#[tokio::test]
async fn a_call_that_is_cut_off_is_text() {
    let simulator = Running::start(options()).await;
    let choice = simulator
        .post("/v1/chat/completions", &chat(&json!("required"), &json!({"max_tokens": 3})))
        .await
        .json()["choices"][0]
        .clone();
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("<tool_call>"), &json!("length")));
    assert!(choice["message"].get("tool_calls").is_none());
    let streamed = chat(&json!("required"), &json!({"max_tokens": 3, "stream": true}));
    let last = events(&simulator.post("/v1/chat/completions", &streamed).await).pop().unwrap();
    assert_eq!((&last["choices"][0]["delta"], &last["choices"][0]["finish_reason"]), (&json!({}), &json!("length")));
}

#[tokio::test]
async fn ids_of_tokens_are_told_where_a_stream_has_nothing_else_to_tell() {
    let simulator = Running::start(options()).await;
    let body = chat(&json!("required"), &json!({"stream": true, "return_token_ids": true}));
    let all = events(&simulator.post("/v1/chat/completions", &body).await);
    let mut ids = Vec::new();
    for event in &all[1..] {
        ids.extend(event["choices"][0]["token_ids"].as_array().expect("ids with every event").clone());
    }
    let text = simulator.post("/detokenize", &json!({"tokens": ids})).await.json()["prompt"].clone();
    let arguments = ARGUMENTS;
    let said = format!("<tool_call>\n{{\"name\": \"weather\", \"arguments\": {arguments}}}\n</tool_call>");
    assert_eq!(text, said);
}

#[tokio::test]
async fn a_message_uses_a_tool() {
    let simulator = Running::start(options()).await;
    let tools = json!([{"name": "weather", "input_schema": schema()}]);
    let body = json!({"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 100, "tools": tools, "tool_choice": {"type": "any"}});
    let answer = simulator.post("/v1/messages", &body).await;
    let content = r#""content":[{"type":"tool_use","id":"chatcmpl-tool-"#;
    assert!(answer.text().contains(content), "{}", answer.text());
    let rest =
        r#"","name":"weather","input":{"city":"Paris","days":1}}],"model":"tiny","stop_reason":"tool_use","usage":{"#;
    assert!(answer.text().contains(rest), "{}", answer.text());

    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    let all = events(&simulator.post("/v1/messages", &streamed).await);
    assert_eq!(all[1]["content_block"]["input"], json!({}));
    let pieces: String = all.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(pieces, ARGUMENTS);
    assert_eq!(all[all.len() - 2]["delta"], json!({"stop_reason": "tool_use", "stop_sequence": null}));

    let mut unknown = body;
    unknown["tool_choice"] = json!({"type": "tool", "name": "nope"});
    assert_eq!(
        simulator.post("/v1/messages", &unknown).await.text(),
        r#"{"type":"error","error":{"type":"BadRequestError","message":"The tool with name 'nope' is not found in the tools list."}}"#
    );
}

#[tokio::test]
async fn a_response_calls_a_function() {
    let simulator = Running::start(options()).await;
    let tools = json!([{"type": "function", "name": "weather", "parameters": schema()}]);
    let mut body = json!({"input": "hi", "max_output_tokens": 100, "tools": tools, "tool_choice": "required"});
    let answer = simulator.post("/v1/responses", &body).await;
    let item = r#""output":[{"arguments":"{\"city\": \"Paris\", \"days\": 1}","call_id":"chatcmpl-tool-"#;
    assert!(answer.text().contains(item), "{}", answer.text());
    let rest = r#"","async":null,"caller":null,"namespace":null,"status":"completed"}],"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"required","tools":[{"name":"weather","parameters":{"#;
    assert!(answer.text().contains(rest), "{}", answer.text());
    let json = answer.json();
    assert_eq!(
        (&json["status"], &json["incomplete_details"], &json["max_output_tokens"]),
        (&json!("completed"), &Value::Null, &json!(100))
    );

    body["stream"] = true.into();
    let all = events(&simulator.post("/v1/responses", &body).await);
    let mut names: Vec<_> = all.iter().map(|event| event["type"].as_str().unwrap()).collect();
    names.dedup();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names, expected);
    assert!(all.iter().enumerate().all(|(index, event)| event["sequence_number"] == index));
    let pieces: String =
        all.iter().filter(|e| e["type"] == expected[3]).filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(
        (pieces.as_str(), &all.last().unwrap()["response"]["output"][0]["arguments"]),
        (ARGUMENTS, &json!(ARGUMENTS))
    );
}
