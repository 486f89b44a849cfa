//! Refusals: status, body and words.

use super::bench::UNSERVED;
use super::subject::{CHAT, COMPLETIONS, with};
use super::{Case, Subject, cases};
use crate::Answer;
use serde_json::json;

pub(super) const EVERYWHERE: &[Case] = cases![
    an_unknown_model_is_not_found,
    parameters_out_of_range_are_named,
    a_wrong_type_is_named_by_its_place,
    a_choice_of_tools_that_makes_no_sense_is_refused,
    a_stream_is_refused_as_a_whole_answer_is,
    a_prompt_longer_than_the_context_is_refused,
    a_huge_prompt_is_refused_by_its_letters,
    another_media_type_is_refused,
];

pub(super) const DIRECT: &[Case] =
    cases![what_is_no_json_is_refused, what_is_missing_is_named, a_conversation_without_a_message_is_refused];

const BAD_REQUEST: &str = "BadRequestError";
/// FastAPI's.
const INVALID: &str = "Bad Request";

/// What pydantic says of one field.
fn problem(kind: &str, place: &str, message: &str, input: &str) -> String {
    format!("\n  {{'type': '{kind}', 'loc': '{place}', 'msg': '{message}', 'input': '{input}'}}")
}

#[track_caller]
fn assert_invalid(answer: &Answer, place: &str, problems: &[String]) {
    let errors = if problems.len() == 1 { "error" } else { "errors" };
    let message = format!("{} validation {errors}:{}", problems.len(), problems.concat());
    Subject::assert_refused(answer, 400, INVALID, Some(place), &message);
}

async fn an_unknown_model_is_not_found(it: Subject) {
    let message =
        format!("The model `{UNSERVED}` does not exist. Valid aliases: {}, {}.", it.facts.model, it.facts.alias);
    for answer in [it.chat(json!({"model": UNSERVED})).await, it.complete(json!({"model": UNSERVED})).await] {
        Subject::assert_refused(&answer, 404, "NotFoundError", Some("model"), &message);
    }
}

async fn a_choice_of_tools_that_makes_no_sense_is_refused(it: Subject) {
    let tools = json!([{"type": "function", "function": {"name": "one"}}]);
    let named = json!({"type": "function", "function": {"name": "two"}});
    for (more, param, message) in [
        (json!({"tool_choice": "required"}), "tool_choice", "When using `tool_choice`, `tools` must be set."),
        (
            json!({"tools": tools, "tool_choice": named}),
            "tool_choice",
            "The tool specified in `tool_choice` does not match any of the specified `tools`",
        ),
        (
            json!({"tools": tools, "tool_choice": "whatever"}),
            "tool_choice",
            "Invalid value for `tool_choice`: whatever! Only named tools, \"none\", \"auto\" or \"required\" are supported.",
        ),
        (
            json!({"tools": []}),
            "tools",
            "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.",
        ),
    ] {
        let message = format!("{message} (parameter={param})");
        Subject::assert_refused(&it.chat(more).await, 400, BAD_REQUEST, Some(param), &message);
    }
}

async fn parameters_out_of_range_are_named(it: Subject) {
    let context = it.facts.max_model_len;
    let too_many = format!(
        "max_tokens={0} cannot be greater than max_model_len={context}. Please request fewer output tokens. \
         (parameter=max_tokens, value={0})",
        context + 1
    );
    for (more, param, message) in [
        (json!({"top_p": 2}), Some("top_p"), "top_p must be in (0, 1], got 2.0. (parameter=top_p, value=2.0)"),
        (
            json!({"temperature": -1}),
            Some("temperature"),
            "temperature must be non-negative, got -1.0. (parameter=temperature, value=-1.0)",
        ),
        (
            json!({"max_tokens": 0}),
            Some("max_tokens"),
            "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
        ),
        (json!({"max_tokens": context + 1}), Some("max_tokens"), &too_many),
        (json!({"n": 0}), None, "n must be at least 1, got 0."),
        (
            json!({"stream_options": {"include_usage": true}}),
            Some("stream_options"),
            "Stream options can only be defined when `stream=True`. (parameter=stream_options)",
        ),
    ] {
        Subject::assert_refused(&it.chat(more).await, 400, BAD_REQUEST, param, message);
    }
}

async fn a_wrong_type_is_named_by_its_place(it: Subject) {
    let message = "Input should be a valid integer, unable to parse string as an integer";
    let problem = problem("int_parsing", "body.max_tokens", message, "x");
    assert_invalid(&it.chat(json!({"max_tokens": "x"})).await, "body.max_tokens", &[problem]);
}

async fn a_stream_is_refused_as_a_whole_answer_is(it: Subject) {
    let whole = it.chat(json!({"top_p": 2})).await;
    let stream = it.chat(json!({"top_p": 2, "stream": true})).await;
    assert_eq!((stream.status, stream.text()), (400, whole.text()));
    let unknown = it.chat(json!({"model": UNSERVED, "stream": true})).await;
    assert_eq!((unknown.status, unknown.header("content-type")), (404, "application/json"));
}

async fn a_prompt_longer_than_the_context_is_refused(it: Subject) {
    let context = it.facts.max_model_len;
    let message = |qualifier, count| {
        format!(
            "This model's maximum context length is {context} tokens. However, your prompt contains {qualifier}{count} \
             input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the \
             input prompt. (parameter=input_tokens, value={count})"
        )
    };
    let ids = vec![300; context as usize + 2];
    let text = "a b c d ".repeat(context as usize);
    // A text is not tokenized to its end.
    for (prompt, message) in [(json!(ids), message("", context + 2)), (json!(text), message("at least ", context + 1))]
    {
        let answer = it.complete(json!({"prompt": prompt, "max_tokens": null})).await;
        Subject::assert_refused(&answer, 400, BAD_REQUEST, Some("input_tokens"), &message);
    }
}

async fn a_huge_prompt_is_refused_by_its_letters(it: Subject) {
    const LETTERS: usize = 20_000_000;
    let answer = it.complete(json!({"prompt": "a".repeat(LETTERS)})).await;
    let context = it.facts.max_model_len;
    let words = answer.error();
    let start = format!(
        "This model's maximum context length is {context} tokens. However, your prompt contains {LETTERS} characters \
         (more than "
    );
    let end = format!(
        " characters, which is the upper bound for {context} input tokens). Please reduce the length of the input \
         prompt. (parameter=input_text, value={LETTERS})"
    );
    assert!(words.starts_with(&start) && words.ends_with(&end), "{words}");
    Subject::assert_refused(&answer, 400, BAD_REQUEST, Some("input_text"), &words);
}

async fn another_media_type_is_refused(it: Subject) {
    let message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed";
    for (path, body) in [(CHAT, it.chat_body(json!({}))), (COMPLETIONS, it.completion_body(json!({})))] {
        let answer = it.front.post(path, &[("content-type", "text/plain")], body.to_string()).await;
        Subject::assert_refused(&answer, 400, INVALID, None, message);
    }
    let charset = [("content-type", "application/json; charset=utf-8")];
    it.front.post(CHAT, &charset, it.chat_body(json!({})).to_string()).await.ok();
}

async fn what_is_no_json_is_refused(it: Subject) {
    // Where and why, in the words of Python's parser, is its own affair.
    for (body, place) in [(r#"{"model":"tiny","#, "body.16"), ("hello", "body.0")] {
        let answer = it.front.post(CHAT, &[], body).await;
        let words = answer.error();
        let start =
            format!("1 validation error:\n  {{'type': 'json_invalid', 'loc': '{place}', 'msg': 'JSON decode error'");
        assert!(words.starts_with(&start), "{words}");
        Subject::assert_refused(&answer, 400, INVALID, Some(place), &words);
    }
    let list = "Input should be a valid dictionary or object to extract fields from";
    let problem = problem("model_attributes_type", "body", list, "<list of 0 items>");
    assert_invalid(&it.front.post(CHAT, &[], "[]").await, "body", &[problem]);
}

async fn what_is_missing_is_named(it: Subject) {
    let missing = |place, input| problem("missing", place, "Field required", input);
    assert_invalid(&it.front.post(CHAT, &[], "").await, "body", &[missing("body", "None")]);
    let answer = it.front.post(CHAT, &[], json!({"model": it.facts.model}).to_string()).await;
    assert_invalid(&answer, "body.messages", &[missing("body.messages", "<dict of 1 items>")]);
    let answer = it.chat(json!({"messages": "hi"})).await;
    let list = problem("list_type", "body.messages", "Input should be a valid list", "hi");
    assert_invalid(&answer, "body.messages", &[list]);
    let answer = it.complete(json!({"prompt": null})).await;
    let message = "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)";
    Subject::assert_refused(&answer, 400, BAD_REQUEST, Some("prompt"), message);
    let answer = it.complete(json!({"prompt": []})).await;
    Subject::assert_refused(&answer, 400, BAD_REQUEST, None, "You must pass at least one prompt");
}

async fn a_conversation_without_a_message_is_refused(it: Subject) {
    let message = "Cannot apply chat template to an empty conversation. Provide at least one message.";
    for stream in [false, true] {
        let answer = it.chat(json!({"messages": [], "stream": stream})).await;
        Subject::assert_refused(&answer, 400, BAD_REQUEST, None, message);
    }
    let unknown = it.chat(json!({"messages": [], "model": UNSERVED})).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    let body = json!({"model": it.facts.model, "messages": [], "max_tokens": 3});
    let answer = it.front.post("/v1/messages", &[], body.to_string()).await;
    let expected = json!({"type": "error", "error": {"type": BAD_REQUEST, "message": message}});
    assert_eq!((answer.status, answer.json()), (400, expected.clone()));
    let with_system = with(body, json!({"system": "Be brief."}));
    it.front.post("/v1/messages", &[], with_system.to_string()).await.ok();
}
