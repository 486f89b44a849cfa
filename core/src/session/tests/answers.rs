//! What comes back, and what the log is told of it.

use super::*;

fn answer(injected: bool) -> Answer {
    let mut answer = Answer::expect(Facts::named("virtual", true));
    answer.inject(injected);
    answer
}

#[test]
fn the_usage_chunk_that_we_asked_for_is_read_and_withheld() {
    let chunk = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";
    let stream = format!("{chunk}{usage}data: [DONE]\n\n");
    for injected in [true, false] {
        for size in [1, 13, stream.len()] {
            let mut answer = answer(injected);
            assert_eq!(answer.start(b"text/event-stream; charset=utf-8", b""), injected);
            let pieces: Vec<_> = stream.as_bytes().chunks(size).collect();
            let mut got = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                got.extend(answer.feed(piece, index + 1 == pieces.len(), || NOW).unwrap_or_else(|| piece.to_vec()));
            }
            let expected = if injected { format!("{chunk}data: [DONE]\n\n") } else { stream.clone() };
            assert_eq!(String::from_utf8(got).unwrap(), expected, "injected {injected}, chunks of {size}");
            let usage = answer.usage().unwrap();
            assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (3, 2, 5));
        }
    }
}

#[test]
fn an_encoded_answer_passes_untouched() {
    let mut answer = answer(true);
    assert!(!answer.start(b"text/event-stream", b"gzip"));
    assert!(answer.encoded() && !answer.reads());
    assert_eq!(answer.feed(b"\x1f\x8b", true, || NOW), None);
}

#[test]
fn a_whole_answers_usage_is_read() {
    let mut answer = answer(false);
    answer.start(b"application/json", b"");
    answer.feed(br#"{"choices":[{}],"usage":{"prompt_tokens":3,"#, false, || NOW);
    answer.feed(br#""completion_tokens":2,"total_tokens":5}}"#, true, || NOW);
    assert_eq!(answer.usage().unwrap().total_tokens, 5);
}

#[test]
fn the_log_is_told_whereto_a_request_went_and_when() {
    let (forward, _) = send("/v1/completions", br#"{"model":"virtual","prompt":"x"}"#, 64).unwrap();
    let expected = Facts {
        key: KEY,
        model_route: Some("default/chat".into()),
        target: Some(("default/small".into(), "org/small".into())),
        forwarded: Some(NOW),
        ..Facts::named("virtual", true)
    };
    assert_eq!(forward.answer.facts(), expected);
}

#[test]
fn the_log_is_told_of_what_is_refused_and_for_which_model() {
    let routes = routes(1 << 20);
    for (body, model, known, kind, message) in [
        ("{}", "", false, Kind::RequestParsing, "model not found"),
        ("{}{}", "", false, Kind::RequestParsing, "invalid request body"),
        (r#"{"model":"virtual"}"#, "virtual", true, Kind::PromptParsing, "prompt not found"),
        (r#"{"model":"other","prompt":"x"}"#, "other", false, Kind::RouteNotFound, "route not found"),
    ] {
        let Opening::Body(mut session) = head("POST", "/v1/completions", &[]).open(&routes, 0) else {
            panic!("a body")
        };
        let judged = session.feed(body.as_bytes()).and_then(|()| session.finish(&routes, 0, NOW, |_| None));
        let facts = judged.unwrap_err().facts;
        let (got, text) = facts.refusal.clone().unwrap();
        assert_eq!((facts.model.as_str(), facts.model_known, got), (model, known, kind), "{body}");
        assert!(text.starts_with(message), "{body}: {text}");
    }
    let opening = head("GET", "/v1/anything", &[(wire::MODEL, "other")]).open(&routes, 0);
    let Opening::Reply(local) = opening else { panic!("{opening:?}") };
    assert_eq!(
        (local.facts.model.as_str(), local.facts.refusal.map(|(kind, _)| kind)),
        ("other", Some(Kind::RouteNotFound))
    );
}

#[test]
fn the_pace_of_a_stream_begins_with_its_first_word_and_leaves_its_usage_out() {
    let ms = Duration::from_millis;
    let mut answer = answer(true);
    answer.start(b"text/event-stream", b"");
    let word = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
    let (half, rest) = word.split_at(20);
    for (at, chunk) in [
        (10, "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"),
        (30, &[word, word].concat()),
        (41, half),
        (60, rest),
        (64, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
        (90, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n"),
    ] {
        answer.feed(chunk.as_bytes(), at == 90, || ms(at));
    }
    let facts = answer.facts();
    let mut gaps = [0; Chunks::BUCKETS];
    (gaps[0], gaps[3]) = (1, 1);
    assert_eq!(facts.chunks, Some(Chunks { first: ms(30), span: ms(34), gaps }));
    assert_eq!(facts.usage, Some(Usage { input: 3, output: 3 }));
}

#[test]
fn a_request_that_was_given_up_on_says_so_in_the_log() {
    let (forward, _) = send("/v1/completions", br#"{"model":"virtual","prompt":"x"}"#, 64).unwrap();
    let facts = forward.answer.given_up();
    assert_eq!(facts.refusal, Some((Kind::Proxy, "request to pod timed out".to_owned())));
    assert_eq!(facts.target, forward.answer.facts().target);
}
