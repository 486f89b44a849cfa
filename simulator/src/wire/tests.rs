//! The expected texts are those of a real vLLM 0.32, with this simulator's words in them.

use super::*;

fn head(id: &str, usage: UsageMode) -> Head {
    Head {
        id: id.to_owned(),
        created: 1_795_254_251,
        model: "tiny".to_owned(),
        fingerprint: "vllm-0.32.0-dbd8fa59".to_owned(),
        usage,
        details: false,
        token_ids: false,
        prompts: vec![PromptFacts { tokens: 12, ids: None }],
        copies: 2,
        call: None,
    }
}

/// Tells tokens' ids and what was cached.
fn talkative(id: &str) -> Head {
    let prompts = vec![PromptFacts { tokens: 12, ids: Some(vec![3, 15]) }];
    Head { details: true, token_ids: true, prompts, ..head(id, UsageMode::AtEnd) }
}

const COUNTS: Counts = Counts { prompt: 12, cached: 4, completion: 2 };

fn piece(position: u32, last: bool) -> Piece<'static> {
    Piece { choice: 0, position, text: " café", id: 7, last, stop: None }
}

fn written(write: impl FnOnce(&mut Event)) -> String {
    let mut event = Event::default();
    write(&mut event);
    let bytes = event.finish().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).expect("JSON is UTF-8")
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).expect("JSON is UTF-8")
}

fn chat(usage: UsageMode) -> chat::Chat {
    chat::Chat::new(head("chatcmpl-1", usage))
}

fn completion(usage: UsageMode) -> completion::Completion {
    completion::Completion::new(head("cmpl-1", usage))
}

#[test]
fn chat_events_have_the_keys_of_the_capture_in_its_order() {
    use UsageMode::{Always, AtEnd, Never};
    let start =
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795254251,"model":"tiny","choices":["#;
    let cases = [
        (
            written(|to| chat(Always).open(0, COUNTS, to)),
            r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":12,"total_tokens":12,"completion_tokens":0,"completion_tokens_details":null},"prompt_token_ids":null,"prompt_text":null}"#,
        ),
        (
            written(|to| chat(AtEnd).open(1, COUNTS, to)),
            r#"{"index":1,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}"#,
        ),
        (
            written(|to| chat(Never).token(&piece(0, false), to)),
            r#"{"index":0,"delta":{"content":" café"},"logprobs":null,"finish_reason":null,"token_ids":null}]}"#,
        ),
        (
            written(|to| chat(Always).token(&piece(1, true), to)),
            r#"{"index":0,"delta":{"content":" café"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2,"completion_tokens_details":null}}"#,
        ),
        (
            written(|to| chat(Never).token(&piece(1, true), to)),
            r#"{"index":0,"delta":{"content":" café"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}],"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#,
        ),
    ];
    for (event, rest) in cases {
        assert_eq!(event, format!("{start}{rest}\n\n"));
    }
    let totals = r#"],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2},"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#;
    assert_eq!(written(|to| chat(AtEnd).close(COUNTS, to)), format!("{start}{totals}\n\n{DONE}"));
    assert_eq!(written(|to| chat(Never).close(COUNTS, to)), DONE);
}

#[test]
fn completion_events_have_the_keys_of_vllm_in_its_order() {
    use UsageMode::{Always, AtEnd, Never};
    let start = r#"data: {"id":"cmpl-1","object":"text_completion","created":1795254251,"model":"tiny","choices":["#;
    let cases = [
        (
            written(|to| completion(Always).token(&piece(1, false), to)),
            r#"{"index":0,"text":" café","logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2}}"#,
        ),
        (
            written(|to| completion(Never).token(&piece(1, true), to)),
            r#"{"index":0,"text":" café","logprobs":null,"finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}],"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#,
        ),
    ];
    for (event, rest) in cases {
        assert_eq!(event, format!("{start}{rest}\n\n"));
    }
    let totals = r#"],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2},"system_fingerprint":"vllm-0.32.0-dbd8fa59"}"#;
    assert_eq!(written(|to| completion(AtEnd).close(COUNTS, to)), format!("{start}{totals}\n\n{DONE}"));
}

#[test]
fn token_ids_and_cached_tokens_stand_where_the_capture_has_them() {
    let mut chat = chat::Chat::new(talkative("chatcmpl-1"));
    assert!(written(|to| chat.open(0, COUNTS, to)).ends_with(",\"prompt_token_ids\":[3,15],\"prompt_text\":null}\n\n"));
    assert!(
        written(|to| chat.token(&piece(0, false), to)).ends_with("\"finish_reason\":null,\"token_ids\":[7]}]}\n\n")
    );
    let details = r#","prompt_tokens_details":{"cached_tokens":4,"created_cache_tokens":0}},"system_fingerprint""#;
    assert!(written(|to| chat.close(COUNTS, to)).contains(details));

    let mut completion = completion::Completion::new(talkative("cmpl-1"));
    let first = written(|to| completion.token(&piece(0, false), to));
    assert!(first.ends_with("\"stop_reason\":null,\"prompt_token_ids\":[3,15],\"token_ids\":[7]}]}\n\n"), "{first}");
    let second = written(|to| completion.token(&piece(1, false), to));
    assert!(second.ends_with("\"prompt_token_ids\":null,\"token_ids\":[7]}]}\n\n"), "{second}");
    let details = r#","prompt_tokens_details":{"cached_tokens":4}},"system_fingerprint""#;
    assert!(written(|to| completion.close(COUNTS, to)).contains(details));
}

#[test]
fn a_failure_in_mid_stream_is_spaced_as_python_spaces_it() {
    assert_eq!(
        written(|to| chat(UsageMode::Never).fail("It \"broke\".", "InternalServerError", 500, to)),
        "data: {\"error\": {\"message\": \"It \\\"broke\\\".\", \"type\": \"InternalServerError\", \"param\": null, \
         \"code\": 500}}\n\ndata: [DONE]\n\n"
    );
}

#[test]
fn whole_answers_name_every_field() {
    let choices = [Choice { text: "hi".to_owned(), ids: vec![7], stop: None }];
    let usage = r#""usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2,"prompt_tokens_details":null,"completion_tokens_details":null}"#;
    let middle = r#""service_tier":null,"system_fingerprint":"vllm-0.32.0-dbd8fa59""#;
    assert_eq!(
        text(&chat(UsageMode::Never).whole(&choices, COUNTS)),
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1795254251,"model":"tiny","choices":[{{"index":0,"message":{{"role":"assistant","content":"hi","refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null}},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"routed_experts":null}}],{middle},{usage},"prompt_logprobs":null,"prompt_token_ids":null,"prompt_text":null,"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}}"#
        )
    );
    assert_eq!(
        text(&completion(UsageMode::Never).whole(&choices, COUNTS)),
        format!(
            r#"{{"id":"cmpl-1","object":"text_completion","created":1795254251,"model":"tiny","choices":[{{"index":0,"text":"hi","logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null,"prompt_logprobs":null,"prompt_token_ids":null,"routed_experts":null}}],{middle},{usage},"kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}}"#
        )
    );
    let talkative = text(&chat::Chat::new(talkative("chatcmpl-1")).whole(&choices, COUNTS)).to_owned();
    for part in [
        r#""prompt_tokens_details":{"cached_tokens":4,"created_cache_tokens":0,"multimodal_tokens":null}"#,
        r#""token_ids":[7],"routed_experts""#,
        r#""prompt_token_ids":[3,15],"prompt_text""#,
    ] {
        assert!(talkative.contains(part), "{part} in {talkative}");
    }
}

#[test]
fn sglang_ends_each_choice_with_an_event_of_its_own() {
    let mut chat = sglang::chat::Chat::new(head("1", UsageMode::AtEnd));
    let start = r#"data: {"id":"1","object":"chat.completion.chunk","created":1795254251,"model":"tiny","choices":["#;
    let choice = r#"{"index":0,"delta":{"reasoning_content":null"#;
    let nulls = r#""logprobs":null,"finish_reason":null,"matched_stop":null}]}"#;
    assert_eq!(
        written(|to| chat.open(0, COUNTS, to)),
        format!("{start}{choice},\"role\":\"assistant\",\"content\":\"\"}},{nulls}\n\n")
    );
    let token = format!("{start}{choice},\"content\":\" café\"}},{nulls}\n\n");
    assert_eq!(written(|to| chat.token(&piece(1, true), to)), token);
    let finish =
        format!("{start}{choice}}},\"logprobs\":null,\"finish_reason\":\"length\",\"matched_stop\":null}}]}}\n\n");
    let usage = r#"],"usage":{"prompt_tokens":12,"total_tokens":14,"completion_tokens":2,"prompt_tokens_details":null,"reasoning_tokens":0,"completion_tokens_details":null}}"#;
    assert_eq!(written(|to| chat.close(COUNTS, to)), format!("{finish}{start}{usage}\n\n{DONE}"));
}
