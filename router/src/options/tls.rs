//! The certificate that clients are shown: upstream's two flags.

use anyhow::{Context, bail};
use clap::Args;
use kthena_envoy::Tls;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};

/// Flags of TLS; an empty value is none, as in upstream's chart.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsOptions {
    /// Certificate (PEM, the ones that vouch for it behind it) that clients are shown; with --tls-key, clients speak
    /// HTTPS. Renewed files are followed.
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,

    /// The certificate's private key (PEM, not encrypted).
    #[arg(long = "tls-key", value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
}

// === impl TlsOptions ===

impl TlsOptions {
    /// The files, absolute since Envoy reads them; links are left as they are, which is how they are renewed.
    ///
    /// # Errors
    /// Names the file that is missing, or that Envoy could not take.
    pub fn files(&self) -> anyhow::Result<Option<Tls>> {
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let (certificate, key) = match (given(&self.certificate), given(&self.key)) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => bail!("--tls-key: empty, expected the key of --tls-cert"),
            (None, Some(_)) => bail!("--tls-cert: empty, expected the certificate of --tls-key"),
        };
        check(&certificate, &key)?;
        Ok(Some(Tls { certificate: std::path::absolute(certificate)?, key: std::path::absolute(key)? }))
    }
}

fn check(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let at_certificate = || format!("--tls-cert {}", certificate.display());
    let at_key = || format!("--tls-key {}", key.display());
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| said(error, "certificate")).with_context(at_certificate)?;
    if chain.is_empty() {
        return Err(said(pem::Error::NoItemsFound, "certificate")).with_context(at_certificate);
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| said(error, "private key without a passphrase"));
    match CertifiedKey::from_der(chain, private.with_context(at_key)?, &ring::default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            bail!("{}: not the key of the certificate in {}", at_key(), certificate.display())
        }
        Err(rustls::Error::InvalidCertificate(error)) => bail!("{}: {error}", at_certificate()),
        Err(error) => bail!("{}: {error}", at_key()),
    }
}

/// What is wrong with a file, which should hold `expected`. Never what is in it.
fn said(error: pem::Error, expected: &str) -> anyhow::Error {
    match error {
        pem::Error::Io(error) => error.into(),
        _ => anyhow::anyhow!("no {expected} in PEM"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A directory with two certificates and their keys, and files that are neither.
    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
        for name in ["a", "b"] {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            write(&format!("{name}.crt"), made.cert.pem());
            write(&format!("{name}.key"), made.signing_key.serialize_pem());
        }
        write("empty", String::new());
        write("text", "no PEM at all".to_owned());
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        write("locked.key", locked.to_owned());
        write("broken.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned());
        write("broken.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned());
        directory
    }

    fn files(directory: &Path, certificate: &str, key: &str) -> Result<Option<Tls>, String> {
        let at = |name: &str| Some(if name.is_empty() { PathBuf::new() } else { directory.join(name) });
        let files = TlsOptions { certificate: at(certificate), key: at(key) }.files();
        files.map_err(|error| format!("{error:#}").replace(&directory.display().to_string(), "DIR"))
    }

    #[test]
    fn a_certificate_and_its_key_are_taken_and_nothing_is_none() {
        let directory = directory();
        let tls = files(directory.path(), "a.crt", "a.key").unwrap().unwrap();
        assert_eq!((tls.certificate, tls.key), (directory.path().join("a.crt"), directory.path().join("a.key")));
        assert_eq!(TlsOptions::default().files().unwrap(), None);
        assert_eq!(files(directory.path(), "", "").unwrap(), None);
    }

    #[test]
    fn what_envoy_could_not_take_is_named_with_its_flag_and_file() {
        let directory = directory();
        for (certificate, key, error) in [
            ("none.crt", "a.key", "--tls-cert DIR/none.crt: No such file or directory (os error 2)"),
            ("a.crt", "none.key", "--tls-key DIR/none.key: No such file or directory (os error 2)"),
            ("empty", "a.key", "--tls-cert DIR/empty: no certificate in PEM"),
            ("text", "a.key", "--tls-cert DIR/text: no certificate in PEM"),
            ("a.key", "a.crt", "--tls-cert DIR/a.key: no certificate in PEM"),
            ("a.crt", "a.crt", "--tls-key DIR/a.crt: no private key without a passphrase in PEM"),
            ("a.crt", "locked.key", "--tls-key DIR/locked.key: no private key without a passphrase in PEM"),
            ("a.crt", "b.key", "--tls-key DIR/b.key: not the key of the certificate in DIR/a.crt"),
            ("a.crt", "", "--tls-key: empty, expected the key of --tls-cert"),
            ("", "a.key", "--tls-cert: empty, expected the certificate of --tls-key"),
        ] {
            assert_eq!(files(directory.path(), certificate, key).unwrap_err(), error);
        }
        for (certificate, key, start) in [
            ("broken.crt", "a.key", "--tls-cert DIR/broken.crt: "),
            ("a.crt", "broken.key", "--tls-key DIR/broken.key: "),
        ] {
            let error = files(directory.path(), certificate, key).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
