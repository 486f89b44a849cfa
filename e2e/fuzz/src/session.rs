//! Any bytes as a request and its answer, through everything that the filter does with them: chunks make no
//! difference to what is decided, and refusals are JSON.
//!
//! The input is a path, a model header, a body and an answer, one a line except for the last, which takes the rest.

use crate::somewhere;
use kthena_core::access_log::Facts;
use kthena_core::prefix::Blocks;
use kthena_core::routing::{
    BackoffClass, Pattern, Regex, Routes, Rule, RuleMatch, Server, ServerState, Table, Target, TargetRoute,
};
use kthena_core::session::{Forward, Head, Local, Opening};
use serde_json::Value;
use std::ops::Range;
use std::time::Duration;

/// What became of a request, as far as it can be compared.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    Refused(u16, Vec<u8>),
    Forwarded(Vec<(&'static str, String)>, Vec<u8>),
}

/// Feeds the bytes.
///
/// # Panics
/// When something that must hold does not.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (path, model, body, answer) = (part(), part(), part(), part());
    let routes = routes();
    let whole = request(&routes, path, model, [body], answer);
    assert_eq!(request(&routes, path, model, body.chunks(1), answer), whole);
    let (first, rest) = body.split_at(somewhere(body));
    assert_eq!(request(&routes, path, model, [first, rest], answer), whole);
    if let Outcome::Refused(status, body) = whole {
        // A list of models is an answer too.
        assert!((200..600).contains(&status));
        serde_json::from_slice::<Value>(&body).expect("our answers are JSON");
    }
}

fn request<'a>(
    routes: &Routes,
    path: &[u8],
    model: &[u8],
    body: impl IntoIterator<Item = &'a [u8]>,
    answer: &[u8],
) -> Outcome {
    let chunks: Vec<&[u8]> = body.into_iter().filter(|chunk| !chunk.is_empty()).collect();
    let headers = [(":method", &b"POST"[..]), (":path", path), ("x-kthena-model", model), ("user-type", model)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_vec())).to_vec();
    match (Head { headers, has_body: !chunks.is_empty() }).open(routes, 7) {
        Opening::Pass => Outcome::Passed,
        Opening::Reply(local) => refused(local),
        Opening::Forward(forward) => forwarded(*forward, &[], answer),
        Opening::Body(mut session) => {
            for chunk in &chunks {
                if let Err(local) = session.feed(chunk) {
                    return refused(local);
                }
            }
            let body = chunks.concat();
            let read = |range: Range<usize>| body.get(range).map(<[u8]>::to_vec);
            match session.finish(routes, 7, Duration::from_millis(1), read) {
                Err(local) => refused(local),
                Ok(forward) => forwarded(forward, &body, answer),
            }
        }
    }
}

/// What the log would say of it survives the wire.
fn refused(local: Local) -> Outcome {
    let Local { reply, facts } = local;
    assert_eq!(Facts::decode(&facts.encode()).as_ref(), Ok(&*facts));
    Outcome::Refused(reply.status, reply.body)
}

fn forwarded(mut forward: Forward, body: &[u8], answer: &[u8]) -> Outcome {
    let (prefix, rest) = body.split_at(forward.rewrite.prefix_len());
    let sent = [&forward.rewrite.apply(prefix), rest].concat();
    for (name, value) in &forward.set {
        assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{name}: {value:?}");
    }
    for content_type in [&b"text/event-stream"[..], b"application/json", answer] {
        forward.answer.start(content_type, b"");
        let (first, rest) = answer.split_at(somewhere(answer));
        forward.answer.feed(first, false, || Duration::from_millis(2));
        forward.answer.feed(rest, true, || Duration::from_millis(3));
    }
    Outcome::Forwarded(forward.set, sent)
}

fn routes() -> Routes {
    let server = |name: &str, state| Server {
        name: format!("default/{name}"),
        state,
        model: Some("served".to_owned()),
        header_timeout_ms: 1,
        retries: 4,
        backoff: BackoffClass::Ms25,
        fail_close: false,
        prefix: Some(Blocks { size: 3, max: 2 }),
    };
    let states = [ServerState::Serving, ServerState::Empty, ServerState::Missing];
    let servers = states.map(|state| server(&format!("{state:?}").to_lowercase(), state)).to_vec();
    let to = |index| vec![Target::Server { index, weight: 1 }];
    let rules = vec![
        Rule {
            matches: RuleMatch { uri: Some(Pattern::Prefix("/v1/comp".into())), ..RuleMatch::default() },
            targets: to(1),
        },
        Rule {
            matches: RuleMatch {
                headers: vec![("user-type".into(), Pattern::Regex(Regex::new("a+b?$")))],
                ..RuleMatch::default()
            },
            targets: to(2),
        },
        Rule { matches: RuleMatch::default(), targets: to(0) },
    ];
    let route = |name: &str| TargetRoute {
        name: format!("default/{name}"),
        model: Some(name.to_owned()),
        adapters: vec![format!("{name}-lora")],
        rules: rules.clone(),
    };
    let (max_request_body_bytes, routes) = (4096, vec![route("m"), route("n")]);
    Routes::new(Table { version: 1, max_request_body_bytes, servers, routes, drop_credentials: true })
}
