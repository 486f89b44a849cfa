//! Where spans of requests go, and of how many requests there are any.

use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Spans are made of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tracing {
    /// Who takes them.
    pub collector: Collector,
    /// How many requests that come without a trace begin one. Those that come with one are traced as it says.
    pub sampling: Sampling,
}

/// An OpenTelemetry collector that speaks OTLP over gRPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collector {
    /// A name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// How it proves who it is; without it, nothing is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<CollectorTls>,
}

/// What a collector's certificate is checked against; it must be for the collector's host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CollectorTls {
    /// The certificates of the authorities that are trusted, as a PEM file.
    pub authorities: PathBuf,
}

/// A share of requests in hundredths of a percent, which is as finely as Envoy draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sampling(u16);

// === impl Collector ===

impl Collector {
    /// `HOST:PORT`, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

// === impl Sampling ===

impl Sampling {
    /// Every request.
    pub const ALL: Self = Self(10_000);

    /// From 0 to 10,000.
    pub(crate) fn of_ten_thousand(self) -> u32 {
        self.0.into()
    }

    /// From 0 to 100.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl FromStr for Sampling {
    type Err = String;

    /// Takes a percentage from 0 to 100 with up to two decimals.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a percentage from 0 to 100 with up to two decimals, such as 5 or 0.25".to_owned();
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 = text.parse().ok().filter(|_| plain && decimals <= 2).ok_or_else(expected)?;
        match (0.0..=100.0).contains(&percent) {
            true => Ok(Self((percent * 100.0).round() as u16)),
            false => Err(expected()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_with_up_to_two_decimals() {
        for (text, share) in
            [("100", Sampling::ALL), ("0", Sampling(0)), ("0.25", Sampling(25)), ("99.9", Sampling(9990))]
        {
            assert_eq!(text.parse(), Ok(share), "{text}");
        }
        for text in ["", "-1", "101", "0.001", "NaN", "inf", "1e1", "5%", "."] {
            let error = text.parse::<Sampling>().unwrap_err();
            assert!(error.contains("from 0 to 100"), "{text}: {error}");
        }
    }

    #[test]
    fn a_collector_is_shown_as_its_url() {
        let plain = Collector { host: "::1".to_owned(), port: 4317, tls: None };
        assert_eq!(plain.to_string(), "http://[::1]:4317");
        let tls = Some(CollectorTls { authorities: "/ca.pem".into() });
        assert_eq!(Collector { host: "otel".to_owned(), tls, ..plain }.to_string(), "https://otel:4317");
    }
}
