//! What counts as prompt text, by tables.

use super::*;
use crate::openai::{Scanner, properties::reference};

fn prompt(body: &str) -> Prompt {
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes()).expect(body);
    let prompt = scanner.finish().expect(body).prompt;
    let canonical = reference::from_parts(&prompt, body.as_bytes());
    assert_eq!(prompt.chars, canonical.chars().count() as u64, "{body}: {canonical}");
    prompt
}

fn canonical(body: &str) -> String {
    reference::from_parts(&prompt(body), body.as_bytes())
}

fn message(role: &str, content: &str) -> String {
    format!("<|im_start|>{role}\n{content}<|im_end|>\n")
}

#[test]
fn estimates_as_upstream_kthena_does() {
    for (body, tokens) in [
        (r#"{"messages":[{"role":"user","content":"hello world"}]}"#, 10),
        (r#"{"messages":[{"role":"user","content":"Hello"}]}"#, 9),
        (r#"{"messages":[{"role":"user","content":"hi"}]}"#, 8),
        (r#"{"prompt":"San Francisco is a"}"#, 5),
        (r#"{"prompt":""}"#, 0),
        (r#"{"messages":[]}"#, 0),
        (r#"{}"#, 0),
        (r#"{"prompt":"漢字漢字\u6f22"}"#, 2),
        (r#"{"prompt":"\ud83d\ude00😀\ud83d\ude00é"}"#, 1),
    ] {
        assert_eq!(prompt(body).estimate_tokens(), tokens, "{body}");
    }
}

#[test]
fn a_completion_prompt_is_its_text() {
    assert_eq!(canonical(r#"{"prompt":"a\nb"}"#), "a\nb");
    assert_eq!(canonical(r#"{"prompt":["a","b\u0063"]}"#), "abc");
    assert_eq!(
        prompt(r#"{"prompt":["a","\n"]}"#).parts,
        [
            PromptPart { role: PartRole::Prompt, message: 0, span: Span { start: 12, end: 13 }, escaped: false },
            PromptPart { role: PartRole::Prompt, message: 1, span: Span { start: 16, end: 18 }, escaped: true },
        ]
    );
}

#[test]
fn token_ids_are_a_prompt_without_text() {
    for body in [r#"{"prompt":[1,2,3]}"#, r#"{"prompt":[[1],[2,3]]}"#, r#"{"prompt":[]}"#] {
        assert_eq!(prompt(body), Prompt { kind: Some(PromptKind::Prompt), ..Prompt::default() }, "{body}");
    }
}

#[test]
fn a_chat_is_its_messages() {
    let body = r#"{"messages":[
        {"role":"system","content":"Be brief."},
        {"content":[{"type":"text","text":"one"},{"type":"image_url","image_url":{"url":"x"}},{"text":"two","type":"text"}],"role":"user"},
        {"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{}"}}]}
    ]}"#;
    let expected = [message("system", "Be brief."), message("user", "one\ntwo"), message("assistant", "")].concat();
    assert_eq!(canonical(body), expected);
    let roles: Vec<_> = prompt(body).parts.iter().map(|part| (part.role, part.message)).collect();
    let (role, content) = (PartRole::Role, PartRole::Content);
    assert_eq!(roles, [(role, 0), (content, 0), (role, 1), (content, 1), (content, 1), (role, 2)]);
}

#[test]
fn a_part_counts_by_its_type_wherever_that_stands() {
    for (part, text) in [
        (r#"{"type":"text","text":"t"}"#, "t"),
        (r#"{"text":"t","type":"input_text"}"#, "t"),
        (r#"{"text":"t","t\u0079pe":"output_te\u0078t"}"#, "t"),
        (r#"{"text":"t"}"#, "t"),
        (r#"{"text":"t","type":null}"#, "t"),
        (r#"{"text":"t","type":""}"#, "t"),
        (r#"{"text":"t","type":"refusal"}"#, ""),
        (r#"{"text":"t","type":"a type whose name is longer than any that is known"}"#, ""),
        (r#"{"text":"t","type":7}"#, ""),
        (r#"{"text":"t","type":{"type":"text"}}"#, ""),
        (r#"{"text":"t","type":"image","type":"text"}"#, "t"),
        (r#"{"text":"t","type":"text","type":"image"}"#, ""),
        (r#"{"text":["t"],"type":"text"}"#, ""),
        (r#"{"text":"s","text":"t"}"#, "t"),
        (r#"{"text":"s","text":null}"#, ""),
        (r#""t""#, ""),
        (r#"["t"]"#, ""),
        (r#"{"type":"text"}"#, ""),
        (r#"{"type":"image","x":{"type":"text","text":"t"}}"#, ""),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        assert_eq!(canonical(&body), message("user", text), "{part}");
    }
}

#[test]
fn a_message_without_a_role_is_none() {
    for item in ["1", "null", r#""text""#, r#"["user"]"#, r#"{"content":"x"}"#, r#"{"role":1,"content":"x"}"#, "{}"] {
        let body = format!(r#"{{"messages":[{item},{{"role":"user","content":"y"}}]}}"#);
        assert_eq!(canonical(&body), message("user", "y"), "{item}");
    }
}

#[test]
fn the_last_of_several_members_counts_in_messages_too() {
    for (body, expected) in [
        (r#"{"messages":[{"role":"a","role":"b","content":"x","content":["y"],"content":"z"}]}"#, message("b", "z")),
        (r#"{"messages":[{"role":"a","content":"x","content":null}]}"#, message("a", "")),
        (r#"{"messages":[{"role":"a","content":"x"}],"messages":[{"role":"b","content":"y"}]}"#, message("b", "y")),
        (r#"{"messages":[{"role":"a"}],"messages":null,"prompt":"p"}"#, "p".to_owned()),
        (r#"{"prompt":"p","prompt":"q"}"#, "q".to_owned()),
        (r#"{"system":"a","system":[{"text":"b"}],"messages":[]}"#, message("system", "b")),
        (r#"{"system":"a","system":7,"messages":[]}"#, String::new()),
        (r#"{"instructions":"a","instructions":null,"input":"x"}"#, message("user", "x")),
    ] {
        assert_eq!(canonical(body), expected, "{body}");
    }
}

#[test]
fn anthropics_system_goes_first_wherever_it_stands() {
    let chat = r#""messages":[{"role":"user","content":"hi"}]"#;
    for system in [r#""system":"S\u0054""#, r#""system":[{"type":"text","text":"ST"},{"type":"image","text":"no"}]"#] {
        for body in [format!("{{{system},{chat}}}"), format!("{{{chat},{system}}}")] {
            assert_eq!(canonical(&body), [message("system", "ST"), message("user", "hi")].concat(), "{body}");
            assert_eq!(prompt(&body).parts.last().map(|part| part.message), Some(1), "{body}");
        }
    }
    let parts = format!(r#"{{"system":[{{"text":"S"}},{{"text":"T"}}],{chat}}}"#);
    assert_eq!(canonical(&parts), [message("system", "S\nT"), message("user", "hi")].concat());
    assert_eq!(canonical(r#"{"system":"S","prompt":"p"}"#), "p");
    assert_eq!(canonical(r#"{"system":"S","input":"x"}"#), message("user", "x"));
}

#[test]
fn an_input_is_text_texts_or_items() {
    for (body, expected) in [
        (r#"{"input":"x"}"#, message("user", "x")),
        (r#"{"input":["x","y"]}"#, [message("user", "x"), message("user", "y")].concat()),
        (r#"{"input":[1,2,3]}"#, String::new()),
        (r#"{"input":"x","instructions":"I"}"#, [message("developer", "I"), message("user", "x")].concat()),
        (r#"{"instructions":["I"],"input":"x"}"#, message("user", "x")),
        (r#"{"input":[{"role":"user","content":"x"}]}"#, message("user", "x")),
        (
            r#"{"input":[{"content":[{"type":"input_text","text":"x"}],"type":"message","role":"user"}]}"#,
            message("user", "x"),
        ),
        (r#"{"input":[{"type":"","role":"user","content":"x"}]}"#, message("user", "x")),
        (r#"{"input":[{"role":"user","content":"x","type":"reasoning"}]}"#, String::new()),
        (r#"{"input":[{"type":"function_call_output","output":"x"}]}"#, String::new()),
        (r#"{"messages":[{"role":"user","content":"x","type":"anything"}]}"#, message("user", "x")),
    ] {
        assert_eq!(canonical(body), expected, "{body}");
    }
}

#[test]
fn the_kind_is_the_first_usable_field() {
    let (prompt_kind, messages, input) =
        (Some(PromptKind::Prompt), Some(PromptKind::Messages), Some(PromptKind::Input));
    for (body, kind) in [
        (r#"{"input":"i","messages":[],"prompt":"p"}"#, prompt_kind),
        (r#"{"input":"i","messages":[],"prompt":null}"#, messages),
        (r#"{"input":"i","messages":{},"prompt":7}"#, input),
        (r#"{"messages":[1]}"#, messages),
        (r#"{"input":[]}"#, input),
        (r#"{"prompt":{}}"#, None),
        (r#"{"messages":"text"}"#, None),
        (r#"{"input":null}"#, None),
        (r#"{"system":"s","instructions":"i"}"#, None),
        (r#"{"prompt":"p","prompt":null,"input":""}"#, input),
        (r#"{"x":{"prompt":"p"}}"#, None),
    ] {
        assert_eq!(prompt(body).kind, kind, "{body}");
    }
}

#[test]
fn parts_are_bounded_and_the_length_is_not() {
    let body = format!(r#"{{"system":"s","messages":[{}]}}"#, vec![r#"{"role":"u","content":"x"}"#; 5000].join(","));
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes()).expect("a chat");
    let prompt = scanner.finish().expect("a chat").prompt;
    assert_eq!(prompt.parts.len(), 8192);
    assert!(prompt.truncated);
    assert_eq!(prompt.chars, 24 + 7 + 5000 * 26);

    let parts = vec![r#"{"text":"x"}"#; 9000].join(",");
    let body = format!(r#"{{"messages":[{{"role":"u","content":[{parts}]}},{{"role":"u","content":"y"}}]}}"#);
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes()).expect("a chat");
    let prompt = scanner.finish().expect("a chat").prompt;
    assert_eq!((prompt.parts.len(), prompt.truncated), (8192, true));
    assert!(prompt.parts.iter().all(|part| part.message == 0), "nothing follows what was left out");
    assert_eq!(prompt.chars, 24 + 1 + 9000 + 8999 + 26);
}

#[test]
fn what_a_later_member_replaces_leaves_no_truncation_behind() {
    let parts = vec![r#"{"text":"x"}"#; 9000].join(",");
    let body = format!(r#"{{"messages":[{{"role":"u","content":[{parts}],"content":"y"}}]}}"#);
    assert_eq!(canonical(&body), message("u", "y"));
    assert!(!prompt(&body).truncated);
}
