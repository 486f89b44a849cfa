//! How a client speaks: HTTP/1.1 or HTTP/2, plain or behind TLS.

use http_body_util::combinators::UnsyncBoxBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::convert::Infallible;
use std::sync::Arc;

/// A body on its way out.
pub(crate) type Body = UnsyncBoxBody<bytes::Bytes, Infallible>;
pub(crate) type Http = Client<HttpsConnector<HttpConnector>, Body>;

/// How a client speaks.
#[derive(Debug, Clone, Copy)]
pub enum Speaks<'a> {
    /// HTTP/1.1, as most do.
    Http1,
    /// HTTP/2 without asking first.
    H2c,
    /// HTTP/1.1 behind TLS, trusting this certificate (PEM) alone.
    Tls(&'a str),
    /// Either behind TLS, as the server prefers.
    TlsAny(&'a str),
}

// === impl Speaks ===

impl Speaks<'_> {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Http1 | Self::H2c => "http",
            Self::Tls(_) | Self::TlsAny(_) => "https",
        }
    }

    pub(crate) fn client(self) -> Http {
        let connector = HttpsConnectorBuilder::new().with_tls_config(self.trusted()).https_or_http();
        let connector = match self {
            Self::TlsAny(_) => connector.enable_http1().enable_http2().build(),
            Self::Http1 | Self::H2c | Self::Tls(_) => connector.enable_http1().build(),
        };
        Client::builder(TokioExecutor::new()).http2_only(matches!(self, Self::H2c)).build(connector)
    }

    fn trusted(self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        if let Self::Tls(pem) | Self::TlsAny(pem) = self {
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
            roots.add(certificate).expect("a certificate to trust");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("ring has them");
        config.with_root_certificates(roots).with_no_client_auth()
    }
}
