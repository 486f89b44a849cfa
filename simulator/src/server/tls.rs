//! The TLS side of the socket.

use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::options::Tls;

/// How TLS is spoken; `None` where it is not.
///
/// # Errors
///
/// A file that cannot be read or holds something else, or a key of another certificate; the message names the flag.
pub fn config(tls: &Tls) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let (chain, key) = match (&tls.tls_cert, &tls.tls_key) {
        (Some(cert), Some(key)) => {
            let chain = CertificateDer::pem_file_iter(cert)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| format!("--tls-cert {}: certificates as PEM are needed", cert.display()))?;
            let key = PrivateKeyDer::from_pem_file(key)
                .with_context(|| format!("--tls-key {}: a private key as PEM is needed", key.display()))?;
            (chain, key)
        }
        _ if tls.tls_self_signed => {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
                .context("--tls-self-signed: no certificate could be made")?;
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
                .map_err(|error| anyhow::anyhow!("--tls-self-signed: {error}"))?;
            (vec![made.cert.into()], key)
        }
        _ => return Ok(None),
    };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("--tls-cert, --tls-key: not a pair")?;
    Ok(Some(Arc::new(config)))
}
