use super::window::SIZE;
use super::*;
use crate::openai::Scanner;
use crate::openai::properties::{json, reference};
use proptest::prelude::*;

fn scan(body: &[u8]) -> Prompt {
    let mut scanner = Scanner::new();
    scanner.feed(body).unwrap();
    scanner.finish().unwrap().prompt
}

/// A body whose windows are no longer than `most`.
fn windows(body: &[u8], most: usize) -> impl FnMut(Range<usize>) -> Option<Vec<u8>> {
    move |range| {
        assert!(range.len() <= SIZE, "{range:?}");
        body.get(range).map(|bytes| bytes[..bytes.len().min(most)].to_vec())
    }
}

fn walked(prompt: &Prompt, body: &[u8], most: usize) -> Result<Vec<u8>, Unreadable> {
    let mut told = Vec::new();
    prompt.walk(windows(body, most), |bytes| {
        told.extend(bytes);
        ControlFlow::Continue(())
    })?;
    Ok(told)
}

fn canonical(body: &str) -> String {
    String::from_utf8(walked(&scan(body.as_bytes()), body.as_bytes(), SIZE).unwrap()).unwrap()
}

#[test]
fn a_chat_is_told_with_its_markers_and_without_its_escapes() {
    let body = r#"{"messages":[{"content":"\u00e9\n\ud83d\ude00\"","role":"us\u0065r"},{"role":"assistant"}],
        "system":[{"text":"a"},{"text":"b"}]}"#;
    let expected =
        "<|im_start|>system\na\nb<|im_end|>\n<|im_start|>user\né\n😀\"<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n";
    assert_eq!(canonical(body), expected);
    let body = r#"{"input":["a",{"role":"user","content":"b"}],"instructions":"i"}"#;
    let expected = "<|im_start|>developer\ni<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>user\nb<|im_end|>\n";
    assert_eq!(canonical(body), expected);
    assert_eq!(canonical(r#"{"prompt":["a","b"]}"#), "ab");
    assert_eq!(canonical(r#"{"prompt":[1,2,3]}"#), "");
    assert_eq!(canonical(r#"{"messages":[]}"#), "");
}

#[test]
fn a_lone_surrogate_at_a_string_s_end_is_told_in_its_place() {
    assert_eq!(canonical(r#"{"prompt":["a\ud83d","\ude00b"]}"#), "a\u{fffd}\u{fffd}b");
}

#[test]
fn a_long_prompt_is_read_window_by_window_and_no_further_than_wanted() {
    let body = format!(r#"{{"x":"{}","prompt":"{}\n"}}"#, "skipped".repeat(50_000), "long ".repeat(50_000));
    let prompt = scan(body.as_bytes());
    let (mut asked, mut told) = (Vec::new(), 0);
    let read = |range: Range<usize>| {
        asked.push(range.clone());
        body.as_bytes().get(range).map(<[u8]>::to_vec)
    };
    let enough = |bytes: &[u8]| {
        told += bytes.len();
        if told < 100_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    prompt.walk(read, enough).unwrap();
    let start = prompt.parts[0].span.start;
    assert_eq!(asked, [start..start + SIZE, start + SIZE..start + 2 * SIZE]);
    assert_eq!(canonical(&body), "long ".repeat(50_000) + "\n");
}

#[test]
fn messages_whose_roles_come_last_cost_no_window_each() {
    let message = format!(r#"{{"content":"{}","role":"user"}}"#, "x".repeat(1000));
    let body = format!(r#"{{"messages":[{}]}}"#, vec![message; 1000].join(","));
    let mut read = 0;
    let count = |range: Range<usize>| {
        read += range.len();
        body.as_bytes().get(range).map(<[u8]>::to_vec)
    };
    scan(body.as_bytes()).walk(count, |_| ControlFlow::Continue(())).unwrap();
    assert!(read < 3 * body.len(), "{read} bytes of {}", body.len());
}

#[test]
fn of_a_truncated_prompt_the_beginning_is_told() {
    let whole = |messages: usize| {
        let messages =
            vec![r#"{"role":"user","content":["#.to_owned() + &[r#"{"text":"t"}"#; 99].join(",") + "]}"; messages];
        format!(r#"{{"messages":[{}]}}"#, messages.join(","))
    };
    let (long, longer) = (whole(100), whole(110));
    assert!(scan(long.as_bytes()).truncated);
    let told = canonical(&long);
    assert_eq!(told, canonical(&longer));
    assert_eq!(told.matches("<|im_start|>").count(), told.matches("<|im_end|>").count() + 1);
    assert!(reference::from_value(&serde_json::from_str(&long).unwrap()).1.starts_with(&told));
}

#[test]
fn a_body_that_is_not_the_scanned_one_is_an_error() {
    let body = br#"{"prompt":"a\nb"}"#;
    let prompt = scan(body);
    assert_eq!(walked(&prompt, b"", SIZE), Err(Unreadable));
    assert_eq!(walked(&prompt, br#"{"prompt":"a\xb"}"#, SIZE), Err(Unreadable));
    let none = prompt.walk(|_| None, |_| ControlFlow::Continue(()));
    assert_eq!(none, Err(Unreadable));
    let endless = prompt.walk(|_| Some(vec![b'x'; 1 << 20]), |_| ControlFlow::Continue(()));
    assert_eq!(endless, Err(Unreadable));
}

proptest! {
    #[test]
    fn what_is_told_is_the_canonical_prompt_whatever_the_windows(body in json::request(), most in 1usize..40) {
        let (body, prompt) = (body.as_bytes(), scan(body.as_bytes()));
        let (_, expected) = reference::from_value(&serde_json::from_slice(body)?);
        prop_assert_eq!(String::from_utf8(walked(&prompt, body, most)?)?, &expected[..]);
        prop_assert_eq!(walked(&prompt, body, SIZE)?, expected.as_bytes());
    }
}
