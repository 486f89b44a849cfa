//! Who may ask: people and programs of this machine, not the web sites that they visit.
//!
//! A port on loopback can be reached by any page in a browser. A page whose name is made to resolve to 127.0.0.1
//! (DNS rebinding) is even told the answers: it is known by its `Host`. Other pages cannot read them, but could
//! start a profile or a change: they are known by what browsers say of a request's origin.

use super::error;
use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Where links of other sites may lead: to the page, which starts nothing.
const PAGES: [&str; 2] = ["/", "/debug/"];

/// Of every answer: it may load, call and show what is here, and nothing else.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// Refuses with 403 what a web site sent or asks under a name of its own; `listen` is where `routes` are served.
pub fn guard(routes: Router, listen: SocketAddr) -> Router {
    routes.layer(from_fn(move |request: Request, next: Next| async move {
        let mut answer: Response = match refusal(request.uri().path(), request.headers(), listen) {
            None => next.run(request).await,
            Some(reason) => error(StatusCode::FORBIDDEN, reason),
        };
        for (name, value) in HEADERS {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        answer
    }))
}

/// Why a request for this path with these headers is refused.
fn refusal(path: &str, headers: &HeaderMap, listen: SocketAddr) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST).unwrap_or_default();
    if !ours(name_of(host), listen) {
        let ip = listen.ip();
        return Some(format!("Host `{host}` is not served here, expected localhost, a loopback address or {ip}"));
    }
    if let Some(origin) = text(ORIGIN)
        && origin.split_once("://").is_none_or(|(_, origin)| !origin.eq_ignore_ascii_case(host))
    {
        return Some(format!("pages of `{origin}` may not ask this server"));
    }
    // Following a link to the page is no harm; loading a profile as one, or in a frame, takes it.
    let link = text(SEC_FETCH_MODE) == Some("navigate") && text(SEC_FETCH_DEST) == Some("document");
    let from_elsewhere = text(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    if from_elsewhere && !(link && PAGES.contains(&path)) {
        return Some("pages of other sites may not ask this server".to_owned());
    }
    None
}

/// A `Host` without its port and an IPv6 address's brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(address, _)| address);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// No name that somebody else can give an address to: `localhost`, or an address of this machine.
fn ours(name: &str, listen: SocketAddr) -> bool {
    if let Ok(ip) = name.parse::<IpAddr>() {
        // Who listens everywhere has more addresses than we know of; and an address is no name to rebind.
        return ip.is_loopback() || ip == listen.ip() || listen.ip().is_unspecified();
    }
    name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(listen: &str, headers: &[(&str, &str)]) -> bool {
        refused_at("/", listen, headers)
    }

    fn refused_at(path: &str, listen: &str, headers: &[(&str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()));
        refusal(path, &headers.collect(), listen.parse().unwrap()).is_some()
    }

    #[test]
    fn only_names_that_nobody_else_can_take_are_served() {
        for host in ["localhost", "LOCALHOST:15000", "127.0.0.1:15000", "127.9.9.9", "[::1]:15000", "10.1.2.3:15000"] {
            assert!(!refused("10.1.2.3:15000", &[("host", host)]), "{host}");
        }
        for host in ["", "evil.example", "evil.example:15000", "localhost.evil.example", "10.1.2.4:15000", "[::1", ":1"]
        {
            assert!(refused("10.1.2.3:15000", &[("host", host)]), "{host}");
        }
        assert!(refused("10.1.2.3:15000", &[]));
        assert!(!refused("0.0.0.0:15000", &[("host", "192.168.1.7:15000")]));
        assert!(refused("0.0.0.0:15000", &[("host", "evil.example:15000")]));
    }

    #[test]
    fn pages_of_other_sites_are_refused_and_links_from_them_are_not() {
        let with = |more: &[(&str, &str)]| {
            let mut headers = vec![("host", "localhost:15000")];
            headers.extend(more);
            refused("127.0.0.1:15000", &headers)
        };
        assert!(!with(&[("origin", "http://localhost:15000"), ("sec-fetch-site", "same-origin")]));
        assert!(!with(&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(!with(&link));
        assert!(with(&[link[0], link[1], ("sec-fetch-dest", "iframe")]));
        assert!(with(&[link[0], link[1]]));
        let local = [("host", "localhost:15000")];
        let followed = |path: &str| refused_at(path, "127.0.0.1:15000", &[&local[..], &link[..]].concat());
        assert!(!followed("/debug/"));
        assert!(followed("/debug/pprof/profile") && followed("/debug/decisions"));
        assert!(with(&[("origin", "http://localhost:3000")]));
        assert!(with(&[("origin", "null")]));
        assert!(with(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")]));
        assert!(with(&[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")]));
    }
}
