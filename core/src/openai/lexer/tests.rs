//! Syntax, by tables: what is refused, at which byte, and what must not be.

use super::nesting::MAX_DEPTH;
use crate::openai::{ScanError, Scanner};

fn read(body: &[u8]) -> Result<(), ScanError> {
    let mut scanner = Scanner::new();
    scanner.feed(body)?;
    scanner.finish().map(|_| ())
}

/// As [`read`], in chunks of one byte.
fn read_bytewise(body: &[u8]) -> Result<(), ScanError> {
    let mut scanner = Scanner::new();
    for byte in body {
        scanner.feed(&[*byte])?;
    }
    scanner.finish().map(|_| ())
}

fn nested(levels: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
}

#[test]
fn accepts_every_form_of_json() {
    let bodies = [
        r#"{}"#,
        " \t\r\n{ \t\r\n} \t\r\n",
        r#"{"a":[],"b":{},"c":[[],{}],"":""}"#,
        r#"{"a":[0,-0,1,-1,10,0.5,-0.5,1e5,1E+5,1e-5,0e0,12.50e10]}"#,
        r#"{"a":123456789012345678901234567890123456789012345678901234567890,"b":1e999999999}"#,
        r#"{"a":[true,false,null , true ]}"#,
        r#"{"a":"\"\\\/\b\f\n\r\t\u0000\u00e9\uD83D\ude00"}"#,
        r#"{"a":"\uD83D","b":"\uDE00x","c":"\uD83D\uD83D\uDE00","d":"\uD83D\n"}"#,
        "{\"a\":\"é漢😀\u{7f}\u{2028}\"}",
        &nested(MAX_DEPTH),
    ];
    for body in bodies {
        assert_eq!(read(body.as_bytes()), Ok(()), "{body}");
        assert_eq!(read_bytewise(body.as_bytes()), Ok(()), "{body} bytewise");
    }
}

#[test]
fn refuses_what_is_no_json_and_says_where() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "unexpected end of the body at byte 0"),
        (b" \n", "unexpected end of the body at byte 2"),
        (b"{", "unexpected end of the body at byte 1"),
        (br#"{"a":"b"#, "unexpected end of the body at byte 7"),
        (br#"{"a":"\u00"#, "unexpected end of the body at byte 10"),
        (b"{\"a\":\"\xe6\xbc", "unexpected end of the body at byte 8"),
        (br#"{"a":12"#, "unexpected end of the body at byte 7"),
        (br#"{"a":tru"#, "unexpected end of the body at byte 8"),
        (b"[]", "expected a JSON object, found character '[' at byte 0"),
        (b" \"a\"", "expected a JSON object, found character '\"' at byte 1"),
        (b"null", "expected a JSON object, found character 'n' at byte 0"),
        (b"\xef\xbb\xbf{}", "expected a JSON object, found byte 0xef at byte 0"),
        (b"{}{}", "invalid request body at byte 2"),
        (b"{} \0", "invalid request body at byte 3"),
        (br#"{"a":1,}"#, "unexpected character '}' at byte 7"),
        (br#"{,}"#, "unexpected character ',' at byte 1"),
        (br#"{"a"}"#, "unexpected character '}' at byte 4"),
        (br#"{"a":}"#, "unexpected character '}' at byte 5"),
        (br#"{"a" "b"}"#, "unexpected character '\"' at byte 5"),
        (br#"{"a":1 2}"#, "unexpected character '2' at byte 7"),
        (br#"{"a":[1,]}"#, "unexpected character ']' at byte 8"),
        (br#"{"a":[1}"#, "unexpected character '}' at byte 7"),
        (br#"{"a":{]"#, "unexpected character ']' at byte 6"),
        (br#"{"a":[,"#, "unexpected character ',' at byte 6"),
        (br#"{a:1}"#, "unexpected character 'a' at byte 1"),
        (br#"{'a':1}"#, "unexpected character ''' at byte 1"),
        (br#"{"a":01}"#, "unexpected character '1' at byte 6"),
        (br#"{"a":-}"#, "unexpected character '}' at byte 6"),
        (br#"{"a":+1}"#, "unexpected character '+' at byte 5"),
        (br#"{"a":.5}"#, "unexpected character '.' at byte 5"),
        (br#"{"a":1.}"#, "unexpected character '}' at byte 7"),
        (br#"{"a":1e}"#, "unexpected character '}' at byte 7"),
        (br#"{"a":1e+}"#, "unexpected character '}' at byte 8"),
        (br#"{"a":0x1}"#, "unexpected character 'x' at byte 6"),
        (br#"{"a":NaN}"#, "unexpected character 'N' at byte 5"),
        (br#"{"a":nul}"#, "unexpected character '}' at byte 8"),
        (br#"{"a":True}"#, "unexpected character 'T' at byte 5"),
        (br#"{"a":truee}"#, "unexpected character 'e' at byte 9"),
        (b"{\"a\":\x0b1}", "unexpected byte 0x0b at byte 5"),
        (b"{\"a\":\"x\ny\"}", "control character 0x0a must be escaped in a string at byte 7"),
        (b"{\"a\x00\":1}", "control character 0x00 must be escaped in a string at byte 3"),
        (br#"{"a":"\x"}"#, "invalid escape with character 'x' at byte 7"),
        (br#"{"a":"\u00g0"}"#, "invalid escape with character 'g' at byte 10"),
        (b"{\"a\":\"\\\n\"}", "invalid escape with byte 0x0a at byte 7"),
        (b"{\"a\":\"ab\xffcd\"}", "invalid UTF-8 in a string at byte 8"),
        (b"{\"a\":\"\xc0\xaf\"}", "invalid UTF-8 in a string at byte 6"),
        (b"{\"a\":\"\xed\xa0\x80\"}", "invalid UTF-8 in a string at byte 6"),
        (b"{\"a\":\"\xf4\x90\x80\x80\"}", "invalid UTF-8 in a string at byte 6"),
        (b"{\"a\":\"x\xe6\xbc\"}", "invalid UTF-8 in a string at byte 7"),
        (b"{\"a\":\"x\xe6\xbc\\n\"}", "invalid UTF-8 in a string at byte 7"),
        (b"{\"\xff\":1}", "invalid UTF-8 in a string at byte 2"),
    ];
    for (body, message) in cases {
        let shown = String::from_utf8_lossy(body);
        let error = read(body).expect_err(&shown);
        assert_eq!(error.to_string(), *message, "{shown}");
        assert!(message.ends_with(&format!(" {}", error.offset())), "{shown}: offset {}", error.offset());
        assert_eq!(read_bytewise(body), Err(error), "{shown} bytewise");
    }
}

#[test]
fn nesting_beyond_the_bound_is_refused_at_the_bracket_too_many() {
    let refused = Err(ScanError::TooDeep { limit: 128, offset: 5 + MAX_DEPTH - 1 });
    assert_eq!(read(nested(MAX_DEPTH + 1).as_bytes()), refused);
    assert_eq!(read(format!("{{\"a\":{}", "[".repeat(1_000_000)).as_bytes()), refused);
}

#[test]
fn a_fault_is_repeated_and_nothing_is_read_after_it() {
    let mut scanner = Scanner::new();
    let fault = scanner.feed(b"{]").expect_err("an object does not end with a bracket");
    assert_eq!(scanner.feed(b"}"), Err(fault));
    assert_eq!(scanner.bytes(), 2);
    assert_eq!(scanner.finish(), Err(fault));
}

#[test]
fn empty_chunks_change_nothing() {
    let mut scanner = Scanner::new();
    for chunk in [&b""[..], b"{\"a\":\"\xc3", b"", b"\xa9\"", b"", b"}", b""] {
        assert_eq!(scanner.feed(chunk), Ok(()));
    }
    assert_eq!(scanner.bytes(), 10);
    assert!(scanner.finish().is_ok());
}
