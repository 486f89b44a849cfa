//! The expected texts are those of a real vLLM 0.32, with this simulator's words in them.

use super::*;

fn head(id: &str) -> Head {
    Head {
        id: id.to_owned(),
        created: 1_795_254_251,
        model: "tiny".to_owned(),
        fingerprint: "vllm-0.32.0-dbd8fa59".to_owned(),
    }
}

const COUNTS: Counts = Counts { prompt: 12, completion: 2 };

fn piece(last: bool, usage: Option<Counts>, fingerprint: bool) -> Piece<'static> {
    Piece { index: 0, text: " café", last, usage, fingerprint }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).expect("JSON is UTF-8")
}

#[test]
fn chat_events_have_the_keys_of_the_capture_in_its_order() {
    let head = head("chatcmpl-1");
    let start =
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795254251,"model":"tiny","choices":["#;
    let none = Counts { prompt: 12, completion: 0 };
    let cases = [
        (
            chat::opening(&head, 0, Some(none)),
            r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":12,"total_tokens":12,"completion_tokens":0,"completion_tokens_details":null},"prompt_token_ids":null,"prompt_text":null}"#,
        ),
        (
            chat::opening(&head, 1, None),
            r#"{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}"#,
        ),
        (
            chat::piece(&head, &piece(false, None, false)),
            r#"{"index":0,"delta":{"content":" café"},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#,
        ),
        (
            chat::piece(&head, &piece(true, Some(COUNTS), false)),
            r#"{"index":0,"delta":{"content":" café"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2,"completion_tokens_details":null}}"#,
        ),
        (
            chat::piece(&head, &piece(true, None, true)),
            r#"{"index":0,"delta":{"content":" café"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#,
        ),
        (
            chat::totals(&head, COUNTS),
            r#"],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2},"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#,
        ),
    ];
    for (event, rest) in cases {
        assert_eq!(text(&event), format!("{start}{rest}\n\n"));
    }
}

#[test]
fn completion_events_have_the_keys_of_vllm_in_its_order() {
    let head = head("cmpl-1");
    let start = r#"data: {"id":"cmpl-1","object":"text_completion","created":1795254251,"model":"tiny","choices":["#;
    let cases = [
        (
            completion::piece(&head, &piece(false, Some(COUNTS), false)),
            r#"{"index":0,"text":" café","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2}}"#,
        ),
        (
            completion::piece(&head, &piece(true, None, true)),
            r#"{"index":0,"text":" café","logprobs":null,"finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#,
        ),
        (
            completion::totals(&head, COUNTS),
            r#"],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2},"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#,
        ),
    ];
    for (event, rest) in cases {
        assert_eq!(text(&event), format!("{start}{rest}\n\n"));
    }
}

#[test]
fn whole_answers_name_every_field() {
    let texts = ["hi".to_owned()];
    let usage = r#""usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2,"prompt_tokens_details":null,"completion_tokens_details":null}"#;
    let middle = r#""service_tier":null,"system_fingerprint":"vllm-0.32.0-dbd8fa59""#;
    assert_eq!(
        text(&chat::whole(&head("chatcmpl-1"), &texts, COUNTS)),
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1795254251,"model":"tiny","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi","refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null}},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"routed_experts":null}}],{middle},{usage},"prompt_logprobs":null,"prompt_token_ids":null,"prompt_text":null,"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}}"#
        )
    );
    assert_eq!(
        text(&completion::whole(&head("cmpl-1"), &texts, COUNTS)),
        format!(
            r#"{{"id":"cmpl-1","object":"text_completion","created":1795254251,"model":"tiny","choices":[{{"index":0,"text":"hi","logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"prompt_logprobs":null,"prompt_token_ids":null,"routed_experts":null}}],{middle},{usage},"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}}"#
        )
    );
}
