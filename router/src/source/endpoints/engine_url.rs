//! An engine's URL as people give it.

use http::Uri;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Where an engine is: shown, and kept, as `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EngineUrl {
    host: String,
    port: u16,
}

/// What every refusal ends with.
const EXPECTED: &str = "expected http://HOST:PORT, such as http://127.0.0.1:8000";

// === impl EngineUrl ===

impl EngineUrl {
    /// A name or an IP address, an IPv6 one without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// 1 to 65535.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `HOST:PORT`, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl FromStr for EngineUrl {
    type Err = String;

    /// Takes `http://HOST[:PORT]`, also with the path `/v1`, which clients of the OpenAI API are given.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("no scheme: {EXPECTED}; is http://{text} meant?"));
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(format!("{scheme} is not available in this version: {EXPECTED}"));
        }
        let uri: Uri = format!("http://{rest}").parse().map_err(|error| format!("{error}: {EXPECTED}"))?;
        let authority = uri.authority().ok_or_else(|| format!("no host: {EXPECTED}"))?;
        if authority.as_str().contains('@') {
            return Err(format!("a user is not accepted: {EXPECTED}"));
        }
        if !matches!(uri.path().trim_end_matches('/'), "" | "/v1") || uri.query().is_some() {
            let path = uri.path_and_query().map_or("", |path| path.as_str());
            return Err(format!("the path {path} is not accepted, as requests keep their own: {EXPECTED}"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 80,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or_else(|| format!("no such port: {EXPECTED}"))?,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match host.is_empty() {
            true => Err(format!("no host: {EXPECTED}")),
            false => Ok(Self { host, port }),
        }
    }
}

impl TryFrom<String> for EngineUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<EngineUrl> for String {
    fn from(endpoint: EngineUrl) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for EngineUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

/// Refuses an engine that is given twice.
///
/// # Errors
/// Names it.
pub fn distinct(endpoints: &[EngineUrl]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match endpoints.iter().find(|endpoint| !seen.insert(*endpoint)) {
        Some(twice) => Err(format!("--endpoint {twice}: given twice; give every engine once")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        text.parse::<EngineUrl>().map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn a_url_is_kept_as_host_and_port() {
        for (given, kept) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("HTTP://My-GPU-Box:8000/", "http://my-gpu-box:8000"),
            ("http://localhost:8000/v1", "http://localhost:8000"),
            ("http://localhost:8000/v1/", "http://localhost:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
            ("http://gpu", "http://gpu:80"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(kept), "{given}");
        }
        assert_eq!("http://[::1]:8000".parse::<EngineUrl>().unwrap().host(), "::1");
    }

    #[test]
    fn what_is_refused_is_told_what_is_accepted() {
        for (given, why) in [
            ("https://gpu:8000", "https is not available in this version"),
            ("localhost:8000", "is http://localhost:8000 meant?"),
            ("http://gpu:8000/openai", "the path /openai is not accepted"),
            ("http://gpu:8000/v1/models", "the path /v1/models is not accepted"),
            ("http://gpu:8000/?key=1", "the path /?key=1 is not accepted"),
            ("http://me:secret@gpu:8000", "a user is not accepted"),
            ("http://gpu:0", "no such port"),
            ("http://gpu:70000", "no such port"),
            ("http://gpu:", "no such port"),
            ("http://", ""),
            ("http://:8000", ""),
            ("http://a b", ""),
            ("", "no scheme"),
        ] {
            let error = parse(given).expect_err(given);
            assert!(error.contains(why) && error.contains(EXPECTED), "{given}: {error}");
        }
    }

    #[test]
    fn an_engine_given_twice_is_named() {
        let parse = |text: &str| text.parse::<EngineUrl>().unwrap();
        let [a, b, again] = ["http://gpu:1", "http://gpu:2", "http://GPU:1/v1"].map(parse);
        assert_eq!(distinct(&[a.clone(), b]), Ok(()));
        assert_eq!(distinct(&[a, again]).unwrap_err(), "--endpoint http://gpu:1: given twice; give every engine once");
    }
}
