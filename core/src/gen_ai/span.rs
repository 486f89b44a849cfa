//! What the filter tells Envoy's span of a request.
//!
//! Envoy makes the span and reads it at the end of the request from its filter state, where the filter leaves each
//! attribute under its own name. The log's facts come too late for that: they are left after the span has ended.

use super::{
    ERROR, FIRST_CHUNK, INPUT_TOKENS, OPERATION, OUTPUT_TOKENS, PROVIDER, PROVIDER_NAME, REQUEST_MODEL, REQUEST_STREAM,
    RESPONSE_MODEL,
};
use crate::access_log::Facts;

/// The property that holds the span's name.
pub const NAME: &str = "kthena.span";
/// `namespace/name` of the ModelRoute that matched.
pub const ROUTE: &str = "kthena.model_route";
/// `namespace/name` of the ModelServer that the request goes to.
pub const SERVER: &str = "kthena.model_server";

/// The attributes that the filter may leave.
pub const ATTRIBUTES: [&str; 12] = [
    OPERATION,
    PROVIDER_NAME,
    REQUEST_MODEL,
    REQUEST_STREAM,
    RESPONSE_MODEL,
    FIRST_CHUNK,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    ERROR,
    ROUTE,
    SERVER,
    NAME,
];

/// Properties and their values.
pub type Notes = Vec<(&'static str, String)>;

/// What the headers tell. Until a model is known, a span is named by its operation, or its method.
pub fn begun(operation: Option<&'static str>, method: &[u8]) -> Notes {
    let name = match operation {
        Some(operation) => operation.to_owned(),
        None => String::from_utf8_lossy(method.get(..method.len().min(16)).unwrap_or_default()).into_owned(),
    };
    let operation = operation.into_iter().flat_map(|operation| [(OPERATION, operation), (PROVIDER_NAME, PROVIDER)]);
    let operation = operation.map(|(name, value)| (name, value.to_owned()));
    [(NAME, name)].into_iter().chain(operation).collect()
}

/// What is known once a request may pass, or was refused. A name that no ModelRoute has does not name the span.
pub fn judged(operation: Option<&'static str>, stream: bool, facts: &Facts) -> Notes {
    let mut notes = Notes::new();
    if !facts.model.is_empty() {
        notes.push((REQUEST_MODEL, facts.model.clone()));
        if let Some(operation) = operation.filter(|_| facts.model_known) {
            notes.push((NAME, format!("{operation} {}", facts.model)));
        }
    }
    if stream {
        notes.push((REQUEST_STREAM, "true".to_owned()));
    }
    notes.extend(facts.model_route.clone().map(|route| (ROUTE, route)));
    notes.extend(facts.target.clone().map(|(server, _)| (SERVER, server)));
    notes.extend(facts.refusal.as_ref().map(|(kind, _)| (ERROR, kind.name().to_owned())));
    notes
}

/// What an answer's status tells of a request that was sent on: who answered, or why nobody did.
pub fn answering(status: &[u8], facts: &Facts) -> Notes {
    match status {
        [b'2', ..] => facts.target.iter().map(|(_, model)| (RESPONSE_MODEL, model.clone())).collect(),
        // From 500 on it is a failure of ours or of the engine's, and its name.
        [b'5', ..] => vec![(ERROR, String::from_utf8_lossy(status).into_owned())],
        _ => Notes::new(),
    }
}

/// What a whole answer told.
pub fn answered(facts: &Facts) -> Notes {
    let mut notes = Notes::new();
    if let Some(usage) = facts.usage {
        notes.push((INPUT_TOKENS, usage.input.to_string()));
        notes.push((OUTPUT_TOKENS, usage.output.to_string()));
    }
    notes.extend(facts.chunks.as_ref().map(|chunks| (FIRST_CHUNK, format!("{:.6}", chunks.first.as_secs_f64()))));
    notes.extend(facts.told.as_ref().map(|(status, _)| (ERROR, status.to_string())));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::{Chunks, Kind, Usage};
    use std::time::Duration;

    fn value<'n>(notes: &'n Notes, name: &str) -> Option<&'n str> {
        notes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_span_is_named_by_what_is_known_and_never_by_a_name_that_a_client_makes_up() {
        assert_eq!(value(&begun(Some("chat"), b"POST"), NAME), Some("chat"));
        assert_eq!(value(&begun(None, b"GET"), NAME), Some("GET"));
        for (known, name) in [(true, Some("chat m")), (false, None)] {
            let notes = judged(Some("chat"), false, &Facts::named("m", known));
            assert_eq!((value(&notes, NAME), value(&notes, REQUEST_MODEL)), (name, Some("m")));
        }
    }

    #[test]
    fn every_note_is_an_attribute_that_envoy_is_told_to_read() {
        let facts = Facts {
            model_route: Some("default/r".to_owned()),
            target: Some(("default/s".to_owned(), "served".to_owned())),
            usage: Some(Usage { input: 7, output: 9 }),
            chunks: Some(Chunks::begin(Duration::from_millis(1500))),
            told: Some((400, "words of the engine".to_owned())),
            ..Facts::named("m", true).refused(Kind::Proxy, "words")
        };
        let mut notes = [begun(Some("chat"), b"POST"), judged(Some("chat"), true, &facts)].concat();
        notes.extend([answering(b"200", &facts), answered(&facts)].concat());
        for (name, text) in &notes {
            assert!(ATTRIBUTES.contains(name), "{name}");
            assert!(!text.contains("words"), "{name} is {text}");
        }
        let told = [INPUT_TOKENS, OUTPUT_TOKENS, FIRST_CHUNK, REQUEST_STREAM, RESPONSE_MODEL, SERVER, ROUTE];
        let values = told.map(|name| value(&notes, name).unwrap_or_default());
        assert_eq!(values, ["7", "9", "1.500000", "true", "served", "default/s", "default/r"]);
    }

    #[test]
    fn what_an_engine_refuses_is_no_failure_and_what_fails_is_named() {
        assert_eq!(answering(b"404", &Facts::default()), []);
        assert_eq!(answering(b"503", &Facts::default()), [(ERROR, "503".to_owned())]);
        assert_eq!(
            value(&answered(&Facts { told: Some((500, String::new())), ..Facts::default() }), ERROR),
            Some("500")
        );
    }
}
