//! SDS: the certificate that clients are shown, by the names of its files.
//!
//! Delivered so, and not within the listener, Envoy follows the files: a certificate that was renewed is shown to the next
//! client, without a restart and without a word from us. And `/config_dump` shows no key: it names the file.

use super::ads;
use crate::data_plane::Tls;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, TransportSocket, WatchedDirectory, data_source, transport_socket,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, Secret, TlsCertificate, secret,
};
use envoy_types::util::pack_any;
use std::path::Path;

/// The certificate's name in Envoy.
const NAME: &str = "listener";

/// What clients may speak behind TLS, best first.
const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

pub(super) fn render(tls: &Tls) -> Resource {
    let certificate = TlsCertificate {
        certificate_chain: Some(file(&tls.certificate)),
        private_key: Some(file(&tls.key)),
        watched_directory: watched(tls),
        ..Default::default()
    };
    (NAME, Secret { name: NAME.to_owned(), r#type: Some(secret::Type::TlsCertificate(certificate)) }).into()
}

/// What makes a listener one of TLS. It opens once the certificate is there.
pub(super) fn transport_socket() -> TransportSocket {
    let common = CommonTlsContext {
        alpn_protocols: PROTOCOLS.map(str::to_owned).to_vec(),
        tls_certificate_sds_secret_configs: vec![SdsSecretConfig { name: NAME.to_owned(), sds_config: Some(ads()) }],
        ..Default::default()
    };
    let context = DownstreamTlsContext { common_tls_context: Some(common), ..Default::default() };
    TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(pack_any(context))),
    }
}

/// The directory of both files, where also what is written in place counts. Of two directories Envoy follows both by
/// itself, but only what is renamed into them.
fn watched(tls: &Tls) -> Option<WatchedDirectory> {
    let directory = tls.certificate.parent()?;
    (tls.key.parent() == Some(directory))
        .then(|| WatchedDirectory { path: directory.display().to_string(), watch_modify: true })
}

fn file(path: &Path) -> DataSource {
    DataSource { specifier: Some(data_source::Specifier::Filename(path.display().to_string())), ..Default::default() }
}
