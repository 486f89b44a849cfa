use super::*;
use proptest::prelude::*;

fn sample(line: &str) -> Option<(String, f64)> {
    let (found, rest) = name(line.as_bytes());
    let value = Sample::after_name(rest)?.value;
    Some((String::from_utf8(found.to_vec()).unwrap(), value))
}

#[test]
fn a_sample_is_read_with_and_without_labels_timestamp_and_exemplar() {
    for (line, expected) in [
        ("up 1", 1.0),
        ("up\t1.5e3", 1500.0),
        ("up{} 1", 1.0),
        ("up {a=\"b\"}  2 1395066363000", 2.0),
        ("up{a=\"b\",} +Inf\r", f64::INFINITY),
        ("up{a=\"}\",b=\"\\\"} 7 \"} -3", -3.0),
        ("up{a=\"\\\\\"} 4 # {trace_id=\"x}\"} 0.67 1520879607.789", 4.0),
    ] {
        assert_eq!(sample(line), Some(("up".to_owned(), expected)), "{line}");
    }
    assert!(sample("up NaN").unwrap().1.is_nan());
}

#[test]
fn what_is_no_sample_gives_none() {
    for line in ["up", "up ", "up one", "up{a=\"b\" 1", "up{a=\"b} 1", "up{a=\"\\\"} 1", "# EOF", ""] {
        assert_eq!(sample(line), None, "{line}");
    }
}

#[test]
fn labels_are_found_by_name_and_unescaped() {
    let labels = Labels(br#"engine="0", path = "C:\\DIR\n\"x\"",le="+Inf",empty="","#);
    assert_eq!(labels.raw("engine"), Some(&b"0"[..]));
    assert_eq!(labels.value("path").unwrap(), "C:\\DIR\n\"x\"");
    assert_eq!(labels.value("empty").unwrap(), "");
    assert_eq!(labels.raw("gine"), None);
    assert_eq!(Labels(b"no_value,a=\"b\"").raw("a"), None);
}

fn lines(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    for chunk in chunks {
        lines.feed(chunk, |line, whole| found.push((line.to_vec(), whole)));
    }
    lines.finish(|line, whole| found.push((line.to_vec(), whole)));
    found
}

#[test]
fn a_line_beyond_the_bound_is_cut_and_the_next_is_whole() {
    let long = [b"x".repeat(MAX_LINE + 1), b"\nup 1\n".to_vec()].concat();
    for chunk in [1, 1000, long.len()] {
        let chunks: Vec<_> = long.chunks(chunk).collect();
        let expected = [(b"x".repeat(MAX_LINE), false), (b"up 1".to_vec(), true), (Vec::new(), true)];
        assert!(lines(&chunks) == expected, "chunks of {chunk}");
    }
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_the_chunks(page in "[a-z{}\"\\\\\n ]{0,200}", size in 1usize..20) {
        let expected: Vec<_> = page.split('\n').map(|line| (line.as_bytes().to_vec(), true)).collect();
        let chunks: Vec<_> = page.as_bytes().chunks(size).collect();
        prop_assert_eq!(lines(&chunks), expected);
    }

    #[test]
    fn any_label_value_can_be_skipped_and_read(value in "\\PC{0,40}", number in 0u32..1000) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let line = format!("{{a=\"{escaped}\",b=\"1\"}} {number}");
        let sample = Sample::after_name(line.as_bytes()).unwrap();
        prop_assert_eq!(sample.value, f64::from(number));
        prop_assert_eq!(sample.labels.value("a").unwrap(), value);
        prop_assert_eq!(sample.labels.raw("b"), Some(&b"1"[..]));
    }
}
