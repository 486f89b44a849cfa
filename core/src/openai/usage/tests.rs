//! Usage of answers that are one object, by tables.

use super::*;

fn usage(body: &str) -> Option<(u64, u64, u64)> {
    let mut whole = BodyUsage::new();
    whole.feed(body.as_bytes());
    let mut bytewise = BodyUsage::new();
    for byte in body.as_bytes() {
        bytewise.feed(&[*byte]);
    }
    assert_eq!(whole.usage(), bytewise.usage(), "{body}");
    whole.usage().map(|usage| (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens))
}

#[test]
fn reads_the_top_level_usage() {
    for (body, expected) in [
        (r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#, Some((3, 4, 7))),
        (r#"{"choices":[{"usage":{"total_tokens":9}}],"usage":{"total_tokens":7,"prompt_tokens":3}}"#, Some((3, 0, 7))),
        (r#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#, Some((3, 4, 7))),
        (r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":0}}"#, Some((3, 4, 7))),
        (
            r#"{"usage":{"prompt_tokens":3,"total_tokens":3,"prompt_tokens_details":{"prompt_tokens":1}}}"#,
            Some((3, 0, 3)),
        ),
        (r#"{"usage":{"prompt_tokens":null,"completion_tokens":4}}"#, Some((0, 4, 4))),
        (r#"{"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":"4"}}"#, Some((2, 0, 2))),
        (r#"{"usage":{"prompt_tokens":1},"usage":{"completion_tokens":2}}"#, Some((0, 2, 2))),
        (r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}}"#, Some((u64::MAX, 1, u64::MAX))),
        (r#"{"us\u0061ge":{"total_tokens":7}}"#, Some((0, 0, 7))),
        (r#"{"usage":{"input_tokens":9,"output_tokens":2}}"#, Some((9, 2, 11))),
        (
            r#"{"response":{"id":"r","usage":{"input_tokens":9,"input_tokens_details":{"input_tokens":1},"output_tokens":2,"total_tokens":11}},"type":"response.completed"}"#,
            Some((9, 2, 11)),
        ),
        (r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#, Some((9, 1, 10))),
        (
            r#"{"type":"message","usage":{"input_tokens":3,"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_5m_input_tokens":20},"output_tokens":7}}"#,
            Some((123, 7, 130)),
        ),
        (r#"{"usage":{"input_tokens":9,"cache_read_input_tokens":null,"output_tokens":1}}"#, Some((9, 1, 10))),
        // OpenAI's prompt has the cached ones in it, whoever adds Anthropic's words to it.
        (
            r#"{"usage":{"prompt_tokens":9,"cache_read_input_tokens":8,"completion_tokens":1,"total_tokens":10}}"#,
            Some((9, 1, 10)),
        ),
        (
            r#"{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":8},"output_tokens":1,"total_tokens":10}}"#,
            Some((9, 1, 10)),
        ),
        (
            r#"{"object":"list","data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":5,"total_tokens":5,"completion_tokens":0}}"#,
            Some((5, 0, 5)),
        ),
        (
            r#"{"response":{"total_tokens":1},"usage":{"total_tokens":7},"message":[{"usage":{"total_tokens":1}}]}"#,
            Some((0, 0, 7)),
        ),
    ] {
        assert_eq!(usage(body), expected, "{body}");
    }
}

#[test]
fn what_reports_nothing_has_no_usage() {
    for body in [
        "",
        "{}",
        r#"{"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#,
        r#"{"usage":{"prompt_tokens":-3,"completion_tokens":1.5}}"#,
        r#"{"usage":[{"total_tokens":7}]}"#,
        r#"{"usage":7}"#,
        // Audio is counted in seconds.
        r#"{"text":"hi","usage":{"type":"duration","seconds":3}}"#,
        // A count that was asked for is no use.
        r#"{"input_tokens":12}"#,
        r#"{"usage":{"total_tokens":7},"usage":null}"#,
        r#"{"other":{"usage":{"total_tokens":7}}}"#,
        r#"{"response":{"output":{"usage":{"total_tokens":7}}}}"#,
        r#"{"usage":{"total_tokens":7},"response":{"usage":null}}"#,
    ] {
        assert_eq!(usage(body), None, "{body}");
    }
}

#[test]
fn an_answer_that_is_no_whole_object_has_no_usage() {
    let whole = r#"{"usage":{"total_tokens":7}}"#;
    for len in 0..whole.len() {
        assert_eq!(usage(&whole[..len]), None, "{len}");
    }
    for body in [format!("[{whole}]"), format!("{whole},"), format!("data: {whole}")] {
        assert_eq!(usage(&body), None, "{body}");
    }
    assert_eq!(usage(&format!("{whole}\n")), Some((0, 0, 7)));
}
