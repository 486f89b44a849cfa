//! The certificates of a Secret's `ca.crt`, written anew: whatever else stands in it goes nowhere.

use pem::{EncodeConfig, LineEnding, Pem};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error, PemObject};

/// Longer bundles of certificates are refused, in bytes: a Secret holds no more.
const LONGEST: usize = 1 << 20;

/// What a `ca.crt` comes to.
pub(super) struct Authorities {
    /// Its certificates, as PEM.
    pub(super) pem: String,
    /// What to tell whoever wrote it.
    pub(super) remark: Option<&'static str>,
}

/// Reads a `ca.crt`. Envoy would refuse all clusters for one certificate that it cannot read.
///
/// # Errors
/// Why it cannot be used, without anything of it: a private key may stand there by mistake.
pub(super) fn read(ca: &str) -> Result<Authorities, String> {
    if ca.len() > LONGEST {
        return Err(format!("longer than {LONGEST} bytes"));
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(ca.as_bytes()).collect();
    let certificates = certificates.map_err(|error| format!("no PEM: {}", why(&error)))?;
    if certificates.is_empty() {
        return Err("no certificate in PEM".to_owned());
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| error.to_string())?;
    }
    let sections: Vec<_> = certificates.iter().map(|der| Pem::new("CERTIFICATE", der.as_ref())).collect();
    let pem = pem::encode_many_config(&sections, EncodeConfig::new().set_line_ending(LineEnding::LF));
    Ok(Authorities { pem, remark: remark(ca) })
}

fn remark(ca: &str) -> Option<&'static str> {
    let begins =
        |line: &str| line.trim_start().strip_prefix("-----BEGIN ").is_some_and(|l| !l.starts_with("CERTIFICATE-----"));
    if ca.contains("PRIVATE KEY-----") {
        return Some("holds a private key, which does not belong there and goes nowhere");
    }
    ca.lines().any(begins).then_some("holds sections that are no certificates, which have no effect")
}

fn why(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "a section without an end",
        Error::IllegalSectionStart { .. } => "a section that does not begin as one should",
        Error::Base64Decode(_) => "a section that is no base64",
        _ => "cannot be read",
    }
}
