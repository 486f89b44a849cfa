//! Forms, as audio is sent: routed by their field `model`, which alone changes.

use super::*;

const FILE: &str =
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--\u{0}\r\n";

fn model(name: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{name}\r\n")
}

/// A form in chunks: `Ok` is what the engine would get.
fn post(path: &str, form: &str, chunk: usize) -> Result<(Forward, String), (u16, Value)> {
    let refuse = |local: Local| (local.reply.status, serde_json::from_slice(&local.reply.body).unwrap());
    let routes = routes(1 << 20);
    let content_type = ("content-type", "multipart/form-data; boundary=b");
    let mut session = match head("POST", path, &[content_type]).open(&routes, 0) {
        Opening::Body(session) => session,
        other => panic!("{other:?}"),
    };
    for piece in form.as_bytes().chunks(chunk) {
        session.feed(piece).map_err(refuse)?;
    }
    assert_eq!(session.bytes(), form.len());
    let forward = session.finish(&routes, KEY, NOW, |_| None).map_err(refuse)?;
    let (prefix, rest) = form.as_bytes().split_at(forward.rewrite.prefix_len());
    let sent = [&forward.rewrite.apply(prefix), rest].concat();
    Ok((forward, String::from_utf8(sent).unwrap()))
}

#[test]
fn a_form_is_addressed_by_its_model_which_alone_is_rewritten() {
    for form in [format!("{}{FILE}--b--\r\n", model("virtual")), format!("{FILE}{}--b--\r\n", model("virtual"))] {
        for chunk in [1, 7, form.len()] {
            let (forward, sent) = post("/v1/audio/transcriptions", &form, chunk).unwrap();
            assert_eq!(sent, form.replace("virtual", "org/small"));
            assert_eq!(set(&forward, wire::TARGET), Some("default/small"));
            assert_eq!(set(&forward, wire::MODEL), Some("virtual"));
            assert_eq!(set(&forward, wire::UPSTREAM_MODEL), Some("org/small"));
            assert_eq!((set(&forward, wire::TOKENS), set(&forward, wire::PREFIX_CHAIN)), (None, None));
            assert!(!forward.rewrite.adds_usage());
        }
    }
}

#[test]
fn a_form_that_cannot_be_served_is_refused_in_words() {
    let whole = |fields: &str| format!("{fields}--b--\r\n");
    for (path, form, status, text) in [
        ("/v1/audio/translations", whole(FILE), 404, "model not found"),
        ("/v1/audio/translations", whole(&model(" ")), 404, "model not found"),
        ("/v1/audio/translations", whole(&model("other")), 404, "route not found"),
        ("/v1/audio/translations", FILE.to_owned(), 400, "invalid request body: unexpected end of the form at byte"),
        (
            "/v1/audio/translations",
            whole(&(model("virtual") + &model("virtual"))),
            400,
            "invalid request body: `model` is there twice",
        ),
        (
            "/v1/audio/translations",
            r#"{"model":"virtual"}"#.to_owned(),
            400,
            "invalid request body: expected the boundary",
        ),
        ("/v1/chat/completions", whole(&model("virtual")), 404, "prompt not found"),
    ] {
        let (got, error) = post(path, &form, 5).unwrap_err();
        assert_eq!(got, status, "{form}");
        assert!(message(&error).starts_with(text), "{form}: {error}");
    }
    let opening =
        head("POST", "/v1/audio/transcriptions", &[("content-type", "multipart/form-data")]).open(&routes(9), 0);
    let Opening::Reply(local) = opening else { panic!("{opening:?}") };
    assert_eq!(local.reply.status, 400);
    assert!(String::from_utf8(local.reply.body).unwrap().contains("multipart/form-data needs a boundary"));
}

#[test]
fn a_form_may_be_no_larger_than_any_other_body() {
    let routes = routes(100);
    let content_type = ("content-type", "multipart/form-data; boundary=b");
    let opening = head("POST", "/v1/audio/transcriptions", &[content_type]).open(&routes, 0);
    let Opening::Body(mut session) = opening else { panic!("{opening:?}") };
    session.feed(FILE.as_bytes()).unwrap();
    assert_eq!(session.feed(&[b'x'; 100]).unwrap_err().reply.status, 413);
}
