//! Forms, by tables and by properties.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const HEADER: &[u8] = b"multipart/form-data; boundary=XyZ";

fn run<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<Option<FormModel>, FormError> {
    let mut scanner = FormScanner::new(Boundary::of(HEADER).unwrap().unwrap());
    for chunk in chunks {
        if let Err(error) = scanner.feed(chunk) {
            assert_eq!(scanner.feed(b"--XyZ--"), Err(error), "a fault is repeated");
            return Err(error);
        }
    }
    scanner.finish()
}

/// Reads a form whole and cut at every byte.
fn read(form: &[u8]) -> Result<Option<FormModel>, FormError> {
    let whole = run([form]);
    assert_eq!(run(form.chunks(1)), whole, "{:?}", String::from_utf8_lossy(form));
    whole
}

/// A part as clients write it.
fn part(name: &str, value: &str) -> String {
    format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

const FILE: &str = "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: \
    audio/wav\r\n\r\nRIFF\r\n--Xy\r\r\n--\r\n\r\n\u{0}--XyZ\r\n";
const END: &str = "--XyZ--\r\n";

#[test]
fn the_model_is_found_before_and_behind_the_file_and_its_place_holds_it() {
    for form in [
        part("model", "whisper") + FILE + END,
        FILE.to_owned() + &part("model", "whisper") + &part("language", "en") + END,
        FILE.to_owned() + &part("model", "whisper") + "--XyZ--",
        FILE.to_owned() + &part("model", "whisper") + END + "anything --XyZ\r\n",
    ] {
        let FormModel { name, span } = read(form.as_bytes()).unwrap().unwrap();
        assert_eq!((&*name, &form[span.range()]), ("whisper", "whisper"), "{form}");
    }
}

#[test]
fn a_value_that_looks_like_its_own_end_is_kept_whole() {
    for value in ["", "a\r\n--Xy", "\r\r\n--X", "--XyZ", "\n--XyZ", "a\r\n", "é"] {
        let form = part("model", value) + END;
        let model = read(form.as_bytes()).unwrap().unwrap();
        assert_eq!((&*model.name, &form[model.span.range()]), (value, value));
    }
}

#[test]
fn a_form_without_the_field_has_no_model() {
    for form in [FILE.to_owned() + END, part("models", "x") + END, part("Model", "x") + END, END.to_owned()] {
        assert_eq!(read(form.as_bytes()), Ok(None), "{form}");
    }
}

#[test]
fn names_are_read_as_clients_write_them() {
    for (header, found) in [
        ("Content-Disposition: form-data; name=model", true),
        ("content-disposition:form-data;name=\"model\"", true),
        ("CONTENT-DISPOSITION: Form-Data ; NAME=\"model\"; filename*=UTF-8''x", true),
        ("Content-Type: text/plain; name=\"no\"\r\nContent-Disposition: form-data; name=\"model\"", true),
        ("Content-Disposition: form-data; filename=\"; name=model\"; name=\"file\"", false),
        ("Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"; name=\\\"model\\\".wav\"", false),
        ("Content-Disposition: form-data; name=\"file\";", false),
    ] {
        let form = format!("--XyZ\r\n{header}\r\n\r\nx\r\n{END}");
        assert_eq!(read(form.as_bytes()).map(|model| model.is_some()), Ok(found), "{header}");
    }
}

#[test]
fn what_parsers_might_read_in_two_ways_is_refused() {
    for header in [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"model\"",
        "Content-Disposition: form-data; filename=\"x\"",
        "Content-Disposition: form-data; name*=UTF-8''model",
        "Content-Disposition: form-data; name*0=model; name=\"x\"",
        "Content-Disposition: form-data; name=\"x\"; name=\"model\"",
        "Content-Disposition: form-data; name=\"mo\\del\"",
        "Content-Disposition: form-data; name=\"x\"; filename=\nX: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\"\nContent-Disposition: form-data; name=\"model\"",
        "Content-Disposition: form-data; name=\"x\"\rX: y",
        "Content-Disposition: form-data; name=\"x",
        "Content-Disposition: form-data; name=\"x\"y",
        "Content-Disposition: form-data;\r\n name=\"model\"",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"",
        "no header",
    ] {
        let line = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let form = format!("--XyZ\r\n{line}\r\nx\r\n{END}");
        assert_eq!(read(form.as_bytes()), Err(FormError::Nameless { offset: 7 }), "{header}");
    }
    let twice = part("model", "a") + &part("model", "b") + END;
    let offset = twice.rfind("b\r\n").unwrap();
    assert_eq!(read(twice.as_bytes()), Err(FormError::Twice { offset }));
}

/// Starlette decodes the names and values of fields by the header's charset.
#[test]
fn a_form_in_a_charset_that_engines_would_read_another_model_in_is_refused() {
    let header = |more: &str| Boundary::of(format!("multipart/form-data; boundary=XyZ{more}").as_bytes()).unwrap();
    for more in
        ["; charset=utf-7", "; charset=utf-16", "; charset=utf-8; charset=utf-7", "; charset*=utf-7''x", "; x=y"]
    {
        assert_eq!(header(more), Err(FormError::Parameter), "{more}");
    }
    for more in ["", "; charset=utf-8", "; Charset=\"UTF-8\""] {
        assert!(header(more).is_ok(), "{more}");
    }
    // Without the charset, only one of the two is the model to anybody.
    let form = part("model", "public") + &part("+AG0-odel", "other") + END;
    assert_eq!(&*read(form.as_bytes()).unwrap().unwrap().name, "public");
}

#[test]
fn a_body_that_is_no_form_is_refused_where_it_goes_wrong() {
    for (form, offset) in [
        ("x", 0),
        ("\r\n--XyZ--", 0),
        ("--XyA\r\n", 4),
        ("--XyZ \r\n", 5),
        ("--XyZ\n", 5),
        ("--XyZ-x", 6),
        ("--XyZ\r\r", 6),
        ("{\"model\":\"m\"}", 0),
    ] {
        assert_eq!(read(form.as_bytes()), Err(FormError::NotAtBoundary { offset }), "{form:?}");
    }
    let whole = FILE.to_owned() + &part("model", "m") + "--XyZ--";
    for length in 0..whole.len() {
        let cut = &whole.as_bytes()[..length];
        assert_eq!(read(cut), Err(FormError::UnexpectedEnd { offset: length }), "{length}");
    }
}

#[test]
fn headers_and_the_model_s_name_have_bounds() {
    let headers = |bytes: usize| {
        let line = "Content-Disposition: form-data; name=\"file\"\r\nX: ";
        format!("--XyZ\r\n{line}{}\r\n\r\nx\r\n{END}", "x".repeat(bytes - line.len() - 4))
    };
    assert_eq!(read(headers(8192).as_bytes()), Ok(None));
    assert_eq!(read(headers(8193).as_bytes()), Err(FormError::HeadersTooLong { limit: 8192, offset: 7 }));
    let model = |bytes: usize| part("model", &"m".repeat(bytes)) + END;
    assert_eq!(read(model(4096).as_bytes()).unwrap().unwrap().name.len(), 4096);
    let refused = read(model(4097).as_bytes());
    assert!(matches!(refused, Err(FormError::ModelTooLong { limit: 4096, .. })), "{refused:?}");
    let refused = read(&[part("model", "").trim_end().as_bytes(), b"\r\n\r\n\xff\r\n--XyZ--"].concat());
    assert!(matches!(refused, Err(FormError::ModelNotText { .. })), "{refused:?}");
}

#[test]
fn a_boundary_is_one_as_rfc_2046_has_it() {
    for (header, delimiter) in [
        ("multipart/form-data; boundary=a", Some("\r\n--a")),
        ("Multipart/Form-Data ; charset=utf-8; Boundary=\"a b:c\"", Some("\r\n--a b:c")),
        (
            "multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            Some("\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW"),
        ),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"a \"", None),
        ("multipart/form-data; boundary=\"a\\b\"", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=\u{e9}", None),
    ] {
        let boundary = Boundary::of(header.as_bytes()).unwrap().ok();
        assert_eq!(boundary.as_ref().map(Boundary::delimiter), delimiter.map(str::as_bytes), "{header}");
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    assert_eq!(Boundary::of(long.as_bytes()), Some(Err(FormError::NoBoundary)));
    for header in ["", "application/json", "multipart/mixed; boundary=a", "multipart/form-datax; boundary=a"] {
        assert_eq!(Boundary::of(header.as_bytes()), None, "{header}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chunks_make_no_difference_and_the_place_holds_the_name(
        pieces in vec(select(&["--XyZ", "\r\n", "\r", "-", "--", "Xy", "model", "x", "\0",
            "Content-Disposition: form-data; name=\"model\"\r\n\r\n", "Content-Disposition: form-data; name=f\r\n\r\n"][..]), 0..20),
        cut in any::<Index>(),
    ) {
        let form = format!("{}{}\r\n{END}", part("model", "m"), pieces.concat());
        let bytes = form.as_bytes();
        let whole = run([bytes]);
        let (first, rest) = bytes.split_at(cut.index(bytes.len() + 1));
        prop_assert_eq!(&run([first, rest]), &whole);
        prop_assert_eq!(&run(bytes.chunks(1)), &whole);
        if let Ok(Some(model)) = whole {
            prop_assert_eq!(&form[model.span.range()], &model.name);
        }
    }
}
