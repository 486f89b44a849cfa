//! A certificate authority of a test's own.

use crate::scratch;
use kthena_simulator::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use tempfile::TempDir;

/// The authority, and the files of the certificates that it signed.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

// === impl Authority ===

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When no certificate can be made, as [`Authority::vouch`].
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "a test's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { issuer, directory: scratch::directory() }
    }

    /// What an engine of that DNS name answers with.
    pub fn vouch(&self, name: &str) -> Tls {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let [cert, private] = ["crt", "key"].map(|kind| self.directory.path().join(format!("{name}.{kind}")));
        fs::write(&cert, certificate.pem()).expect("a file");
        fs::write(&private, key.serialize_pem()).expect("a file");
        Tls { tls_cert: Some(cert), tls_key: Some(private), ..Tls::default() }
    }

    /// A file of its certificate.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn file(&self) -> std::path::PathBuf {
        let path = self.directory.path().join("authority.crt");
        fs::write(&path, self.issuer.pem()).expect("a file");
        path
    }

    /// A Secret `name` that holds its certificate, and a key that nobody needs.
    pub fn secret(&self, name: &str) -> String {
        let ca: String = self.issuer.pem().lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n  tls.key: nobody-is-shown-this\n  \
             ca.crt: |\n{ca}"
        )
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
