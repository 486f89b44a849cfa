//! What the data plane reads of a Secret: certificates, which are no secret.

use crate::Secret;
use crate::admission::Violation;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

/// The key that holds certificates of authorities, as PEM; the one that cert-manager and `kubernetes.io/tls` Secrets use.
pub const CA: &str = "ca.crt";

/// The text under [`CA`]; `None` where there is none or it is no text.
#[must_use]
pub fn ca(secret: &Secret) -> Option<&str> {
    let bytes = secret.data.as_ref()?.get(CA)?;
    std::str::from_utf8(&bytes.0).ok()
}

/// The Secret of a manifest's document: its name, its namespace and its [`CA`], which `stringData` may hold as well, and
/// goes first then.
///
/// Nothing else is looked at: other keys are secrets, and whatever is wrong with them, nobody here needs them. A
/// [`CA`] that is no text, or no base64 where it must be, is none.
///
/// # Errors
/// When the namespace is no text: the Secret would pass for another one. No value is ever shown.
pub fn from_document(document: &Value) -> Result<Secret, Violation> {
    let at = |pointer: &str| document.pointer(pointer).filter(|value| !value.is_null());
    let text = |field: &str| at(field).and_then(Value::as_str).map(str::to_owned);
    if at("/metadata/namespace").is_some_and(|namespace| !namespace.is_string()) {
        return Err(Violation::new("metadata.namespace", "expected a text"));
    }
    let metadata =
        ObjectMeta { name: text("/metadata/name"), namespace: text("/metadata/namespace"), ..ObjectMeta::default() };
    let ca = match at(&format!("/stringData/{CA}")) {
        Some(written) => written.as_str().map(|text| ByteString(text.as_bytes().to_vec())),
        None => at(&format!("/data/{CA}")).and_then(Value::as_str).and_then(decoded),
    };
    Ok(Secret { metadata, data: ca.map(|ca| [(CA.to_owned(), ca)].into()), ..Secret::default() })
}

/// Base64 as API servers take it: Go's decoder passes over the ends of lines.
fn decoded(base64: &str) -> Option<ByteString> {
    let unwrapped = base64.replace(['\r', '\n'], "");
    ByteString::deserialize(Value::String(unwrapped)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(yaml: &str) -> Secret {
        from_document(&serde_saphyr::from_str(yaml).unwrap()).unwrap()
    }

    #[test]
    fn only_the_authorities_are_kept() {
        let kept = secret(
            "{metadata: {name: s, namespace: ns, annotations: {last: \"the key\"}}, type: kubernetes.io/tls, \
             data: {ca.crt: Q0E=, tls.key: a2V5}, stringData: {password: p}}",
        );
        let expected: Secret =
            serde_saphyr::from_str("{metadata: {name: s, namespace: ns}, data: {ca.crt: Q0E=}}").unwrap();
        assert_eq!(kept, expected);
        assert_eq!(ca(&kept), Some("CA"));
    }

    #[test]
    fn text_goes_before_bytes_and_what_is_no_text_is_none() {
        for (data, expected) in [
            ("stringData: {ca.crt: B}, data: {ca.crt: Q0E=}", Some("B")),
            ("stringData: {other: B}, data: {ca.crt: Q0E=}", Some("CA")),
            ("stringData: {ca.crt: null}, data: {ca.crt: Q0E=}", Some("CA")),
            ("stringData: {ca.crt: 5}, data: {ca.crt: Q0E=}", None),
            ("stringData: B, data: {ca.crt: Q0E=}", Some("CA")),
            ("data: {ca.crt: /w==}", None),
            ("data: {ca.crt: Q0E}", None),
            ("data: {ca.crt: \" Q0E=\"}", None),
            ("data: {ca.crt: \"Q0\\r\\nE=\\n\"}", Some("CA")),
            ("data: {tls.crt: Q0E=}", None),
            ("type: Opaque", None),
        ] {
            assert_eq!(ca(&secret(&format!("{{{data}}}"))), expected, "{data}");
        }
    }
}
