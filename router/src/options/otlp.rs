//! Whether spans and metrics leave for an OpenTelemetry collector.

use anyhow::{Context, bail};
use clap::Args;
use http::Uri;
use kthena_envoy::{CollectorTls, Sampling, Tracing};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Flags of OpenTelemetry.
#[derive(Debug, Clone, Args)]
pub struct OtlpOptions {
    /// OpenTelemetry collector (OTLP over gRPC) that gets a trace of each request, and metrics: http://HOST:4317, or
    /// https://HOST:4317 with a certificate that is verified. Without it, nothing is traced.
    #[arg(long = "otlp-endpoint", value_name = "URL")]
    pub endpoint: Option<CollectorUrl>,

    /// The authorities (PEM) that vouch for an https collector [default: the system's].
    #[arg(long = "otlp-ca", env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    pub authorities: Option<PathBuf>,

    /// Percentage of the requests without a `traceparent` that begin a trace; those with one are traced as it says.
    #[arg(long = "trace-sampling", value_name = "PERCENT", default_value = "100", requires = "endpoint")]
    pub sampling: Sampling,
}

/// Where a collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorUrl {
    host: String,
    port: u16,
    tls: bool,
}

/// OTLP's own.
const PORT: u16 = 4317;

/// What every refusal ends with.
const EXPECTED: &str = "expected http://HOST:PORT or https://HOST:PORT of a collector that speaks OTLP over gRPC, such as \
    http://127.0.0.1:4317";

/// Where systems keep the authorities that they trust, all of them in one file.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

// === impl OtlpOptions ===

impl OtlpOptions {
    /// What Envoy is to make of it; `None` where nothing is traced.
    ///
    /// # Errors
    /// The authorities of an https collector cannot be read, or are nowhere.
    pub fn tracing(&self) -> anyhow::Result<Option<Tracing>> {
        let Some(CollectorUrl { host, port, tls }) = self.endpoint.clone() else { return Ok(None) };
        let tls = if tls { Some(CollectorTls { authorities: self.authorities()? }) } else { None };
        let collector = kthena_envoy::Collector { host, port, tls };
        Ok(Some(Tracing { collector, sampling: self.sampling }))
    }

    /// Absolute, since Envoy reads it.
    fn authorities(&self) -> anyhow::Result<PathBuf> {
        let given = self.authorities.as_ref().filter(|path| !path.as_os_str().is_empty());
        let system = || SYSTEM.iter().map(Path::new).find(|path| path.is_file());
        let Some(path) = given.map(PathBuf::as_path).or_else(system) else {
            bail!("--otlp-endpoint: this system's authorities are nowhere; name a file of them with --otlp-ca");
        };
        let at = || format!("--otlp-ca {}", path.display());
        let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(std::path::absolute(path)?),
            Ok(_) => bail!("{}: no certificate in PEM", at()),
            Err(rustls::pki_types::pem::Error::Io(error)) => Err(error).with_context(at),
            Err(_) => bail!("{}: no certificate in PEM", at()),
        }
    }
}

impl Default for OtlpOptions {
    fn default() -> Self {
        Self { endpoint: None, authorities: None, sampling: Sampling::ALL }
    }
}

// === impl CollectorUrl ===

impl FromStr for CollectorUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("no scheme: {EXPECTED}"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(format!("{scheme} is not accepted: {EXPECTED}")),
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|error| format!("{error}: {EXPECTED}"))?;
        let authority = uri.authority().ok_or_else(|| format!("no host: {EXPECTED}"))?;
        if authority.as_str().contains('@') {
            return Err(format!("a user is not accepted: {EXPECTED}"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(format!("a path is of OTLP over HTTP, which is not spoken: {EXPECTED}"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => PORT,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or_else(|| format!("no such port: {EXPECTED}"))?,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match host.is_empty() {
            true => Err(format!("no host: {EXPECTED}")),
            false => Ok(Self { host, port, tls }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tracing(url: &str, authorities: Option<PathBuf>) -> Result<Option<Tracing>, String> {
        let endpoint = Some(url.parse()?);
        let options = OtlpOptions { endpoint, authorities, ..OtlpOptions::default() };
        options.tracing().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_collector_is_named_by_its_url_and_4317_is_its_port() {
        for (url, shown) in [
            ("http://127.0.0.1:4317", "http://127.0.0.1:4317"),
            ("HTTP://Otel.example/", "http://otel.example:4317"),
            ("http://[::1]:5", "http://[::1]:5"),
        ] {
            let tracing = tracing(url, None).unwrap().unwrap();
            assert_eq!((tracing.collector.to_string().as_str(), tracing.sampling), (shown, Sampling::ALL), "{url}");
        }
        assert_eq!(OtlpOptions::default().tracing().unwrap(), None);
    }

    #[test]
    fn what_is_no_collector_is_refused_with_what_is_expected() {
        for (url, why) in [
            ("127.0.0.1:4317", "no scheme"),
            ("grpc://h:1", "grpc is not accepted"),
            ("http://h:4318/v1/traces", "OTLP over HTTP"),
            ("http://u:p@h:1", "a user"),
            ("http://h:0", "no such port"),
            ("http://h:99999", "port"),
            ("http://:1", "no host"),
            ("http://", ""),
        ] {
            let error = tracing(url, None).unwrap_err();
            assert!(error.contains(why) && error.ends_with("such as http://127.0.0.1:4317"), "{url}: {error}");
            assert!(!error.contains("u:p"), "{error}");
        }
    }

    #[test]
    fn the_authorities_of_an_https_collector_are_a_file_that_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let good = file("ca.pem", &made.cert.pem());
        let collector = tracing("https://localhost", Some(good.clone())).unwrap().unwrap().collector;
        assert_eq!(collector.tls, Some(CollectorTls { authorities: good }));
        for (path, why) in
            [(file("empty", ""), "no certificate in PEM"), (directory.path().join("none"), "No such file")]
        {
            let error = tracing("https://localhost", Some(path.clone())).unwrap_err();
            assert!(error.starts_with(&format!("--otlp-ca {}: ", path.display())) && error.contains(why), "{error}");
            assert!(tracing("http://localhost", Some(path)).is_ok(), "nobody needs it");
        }
    }
}
