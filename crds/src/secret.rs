//! What the data plane reads of a Secret: certificates, which are no secret.

use crate::Secret;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The key that holds certificates of authorities, as PEM; the one that cert-manager and `kubernetes.io/tls` Secrets use.
pub const CA: &str = "ca.crt";

/// The text under [`CA`]; `None` where there is none or it is no text.
#[must_use]
pub fn ca(secret: &Secret) -> Option<&str> {
    let bytes = secret.data.as_ref()?.get(CA)?;
    std::str::from_utf8(&bytes.0).ok()
}

/// The Secret without anything but its name and its [`CA`], which `stringData` may hold as well, and goes first then.
#[must_use]
pub fn without_secrets(secret: Secret) -> Secret {
    let written = secret.string_data.and_then(|mut data| data.remove(CA));
    let written = written.map(|text| ByteString(text.into_bytes()));
    let ca = written.or_else(|| secret.data.and_then(|mut data| data.remove(CA)));
    let metadata =
        ObjectMeta { name: secret.metadata.name, namespace: secret.metadata.namespace, ..Default::default() };
    Secret { metadata, data: ca.map(|ca| [(CA.to_owned(), ca)].into()), ..Secret::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(yaml: &str) -> Secret {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn only_the_authorities_are_kept() {
        let kept = without_secrets(secret(
            "{metadata: {name: s, namespace: n, annotations: {last: \"the key\"}}, type: kubernetes.io/tls, \
             data: {ca.crt: Q0E=, tls.key: a2V5}, stringData: {password: p}}",
        ));
        let expected = secret("{metadata: {name: s, namespace: n}, data: {ca.crt: Q0E=}}");
        assert_eq!(kept, expected);
        assert_eq!(ca(&kept), Some("CA"));
    }

    #[test]
    fn text_goes_before_bytes_and_what_is_no_text_is_none() {
        for (data, expected) in [
            ("stringData: {ca.crt: B}, data: {ca.crt: Q0E=}", Some("B")),
            ("stringData: {other: B}, data: {ca.crt: Q0E=}", Some("CA")),
            ("data: {ca.crt: /w==}", None),
            ("data: {tls.crt: Q0E=}", None),
            ("type: Opaque", None),
        ] {
            assert_eq!(ca(&without_secrets(secret(&format!("{{{data}}}")))), expected, "{data}");
        }
    }
}
