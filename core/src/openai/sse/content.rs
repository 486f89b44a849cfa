//! Whether an event carries something of the answer, or only opens it.

use memchr::memmem::find_iter;

/// Members that hold generated text in the protocols that are streamed: chat and its reasoning, completions,
/// Responses (`delta`), Messages (`text`, `thinking`, `partial_json`), tool calls (`arguments`).
const TEXTS: [&[u8]; 8] = [
    br#""content""#,
    br#""text""#,
    br#""delta""#,
    br#""arguments""#,
    br#""reasoning_content""#,
    br#""reasoning""#,
    br#""thinking""#,
    br#""partial_json""#,
];

/// Whether one of the members above is a string that is not empty.
///
/// The bytes are searched, not parsed: in a JSON string a quote is escaped, so no text can look like a member.
pub(super) fn has_content(data: &[u8]) -> bool {
    TEXTS.iter().any(|name| find_iter(data, name).any(|at| holds_text(data.get(at + name.len()..).unwrap_or_default())))
}

/// Whether what follows a member's name is `: "x`.
fn holds_text(rest: &[u8]) -> bool {
    let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    matches!(value, Some([b'"', first, ..]) if *first != b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_what_opens_an_answer() {
        for (data, expected) in [
            (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, false),
            (r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, false),
            (r#"{"choices":[{"delta":{"content":"a"}}]}"#, true),
            (r#"{"choices": [{"delta": {"content" : "\n"}}]}"#, true),
            (r#"{"choices":[{"delta":{"content":"","reasoning_content":"hm"}}]}"#, true),
            (r#"{"choices":[{"text":"a"}]}"#, true),
            (r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":""}}]}}]}"#, false),
            (r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}]}"#, true),
            (r#"{"type":"response.output_text.delta","delta":"a"}"#, true),
            (r#"{"type":"response.created","response":{"output":[]}}"#, false),
            (r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}"#, true),
            (r#"{"type":"message_start","message":{"content":[]}}"#, false),
            (r#"{"choices":[],"usage":{"prompt_tokens":3}}"#, false),
            (r#"{"model":"\"content\":\"x"}"#, false),
            (r#"{"content""#, false),
            ("", false),
        ] {
            assert_eq!(has_content(data.as_bytes()), expected, "{data}");
        }
    }
}
