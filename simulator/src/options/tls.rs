//! With which certificate it answers, if it speaks TLS.

use std::path::PathBuf;

/// The flags of TLS: none of them is HTTP in the clear.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub struct Tls {
    /// Certificate chain as PEM, its own first; HTTPS instead of HTTP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key as PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// HTTPS with a certificate that is made at the start and that nobody vouches for.
    #[arg(long, conflicts_with = "tls_cert")]
    pub tls_self_signed: bool,
}
