//! What Envoy is told of a Secret's `ca.crt`: its certificates, and nothing that stood beside them.

use kthena_crds::{ModelServer, Pod, Resources, secret};
use kthena_envoy::{DataPlane, Settings, compile};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUUuyYUAHoQeVvHfo1uQzKD095f4IwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKZW5naW5lcyBDQTAgFw0yNjExMjEyMTM5NTVaGA8yMTI2MTAy
ODIxMzk1NVowFTETMBEGA1UEAwwKZW5naW5lcyBDQTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABIQvCgLYhsQidpjitxeGJfxUnhNVVr+BLy94bC+zuZFyDW3zpIS5
Y2yS4NYQ91dNJH3r+EclVgYfJecRFxj+8e+jUzBRMB0GA1UdDgQWBBS8cnf5A3Hw
AaMarAyR55rQtXdgGzAfBgNVHSMEGDAWgBS8cnf5A3HwAaMarAyR55rQtXdgGzAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIEy/D3NDtS80+Z3KzW/F
AztvzCvMxiHJT6mNj7z8r62qAiAr9o/89NnmqTkJqM0IfDdrHG/aExLY3X4XAa76
SyrqLQ==
-----END CERTIFICATE-----
";
/// What nobody may see, in sections as in comments.
const KEY: &str = "bm90Zm9yYW55b25l";
const FIELD: &str =
    "metadata.annotations[networking.serving.volcano.sh/backend-ca-secret]: Secret default/engines: ca.crt: ";

fn typed<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// A verified engine, by the Secret that holds this.
fn compiled(secret: Value) -> DataPlane {
    let prefix = "networking.serving.volcano.sh/backend";
    let server: ModelServer = typed(json!({
        "metadata": {"name": "m", "namespace": "default", "annotations": {
            format!("{prefix}-ca-secret"): "engines", format!("{prefix}-server-name"): "engines.example",
        }},
        "spec": {
            "workloadSelector": {"matchLabels": {"app": "m"}},
            "workloadPort": {"port": 8443, "protocol": "https"},
            "inferenceEngine": "vLLM",
        },
    }));
    let pod: Pod = typed(json!({
        "metadata": {"name": "m-0", "namespace": "default", "labels": {"app": "m"}}, "status": {"podIP": "10.0.0.1"},
    }));
    let mut document = secret;
    document["metadata"] = json!({"name": "engines", "namespace": "default"});
    let secrets = vec![secret::from_document(&document).unwrap()];
    let resources = Resources { model_servers: vec![server], pods: vec![pod], secrets, ..Resources::default() };
    compile(&resources, &Settings::default())
}

fn of_text(ca: &str) -> DataPlane {
    compiled(json!({"stringData": {"ca.crt": ca}}))
}

fn section(label: &str) -> String {
    format!("-----BEGIN {label}-----\n{KEY}\n-----END {label}-----\n")
}

fn problems(data_plane: &DataPlane) -> Vec<String> {
    let problems = data_plane.problems.iter().map(ToString::to_string);
    problems.map(|problem| problem.trim_start_matches("ModelServer default/m: ").to_owned()).collect()
}

#[test]
fn only_certificates_reach_the_data_plane_and_a_key_beside_them_is_a_problem() {
    let clean = of_text(CERTIFICATE);
    assert!(problems(&clean).is_empty() && !clean.endpoints.is_empty());
    let key = "holds a private key, which does not belong there and goes nowhere";
    let other = "holds sections that are no certificates, which have no effect";
    for (label, said) in [
        ("PRIVATE KEY", key),
        ("RSA PRIVATE KEY", key),
        ("EC PRIVATE KEY", key),
        ("ENCRYPTED PRIVATE KEY", key),
        ("OPENSSH PRIVATE KEY", key),
        ("X509 CRL", other),
        ("bm90Zm9yYW55b25l", other),
    ] {
        for ca in [section(label) + CERTIFICATE, CERTIFICATE.to_owned() + &section(label)] {
            let data_plane = of_text(&ca);
            assert_eq!(data_plane.endpoints, clean.endpoints, "{label}");
            assert_eq!(data_plane.picker, clean.picker, "{label}");
            assert_eq!(problems(&data_plane), [format!("{FIELD}{said}")], "{label}");
            assert!(!format!("{data_plane:?}").contains(KEY), "{label}");
        }
    }
    let commented = format!("subject=engines CA {KEY}\n\n{CERTIFICATE}\n# {KEY}\n");
    assert_eq!(of_text(&commented), clean);
    let indented = format!("{CERTIFICATE}  {}", section("PRIVATE KEY"));
    assert_eq!(of_text(&indented).endpoints, clean.endpoints);
    assert_eq!(problems(&of_text(&indented)), [format!("{FIELD}{key}")]);
}

#[test]
fn what_cannot_be_read_is_a_problem_of_who_names_it_and_is_not_shown() {
    for ca in [
        format!("-----BEGIN {KEY}\n"),
        format!("-----BEGIN {KEY}-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n{CERTIFICATE}"),
        section("CERTIFICATE"),
        section("PRIVATE KEY"),
        format!("-----BEGIN CERTIFICATE-----\n%{KEY}\n-----END CERTIFICATE-----\n"),
        KEY.to_owned(),
    ] {
        let data_plane = of_text(&ca);
        assert!(data_plane.endpoints.is_empty(), "{ca}");
        let problems = problems(&data_plane);
        assert!(problems.len() == 1 && problems[0].starts_with(FIELD), "{ca}: {problems:?}");
        assert!(problems[0].ends_with("; its Pods are not served"), "{ca}: {problems:?}");
        let bytes = format!("{:?}", KEY.as_bytes());
        let shown = format!("{data_plane:?}");
        assert!(!shown.contains(KEY) && !shown.contains(bytes.trim_matches(['[', ']'])), "{ca}: {shown}");
    }
    for secret in [json!({"data": {"ca.crt": "%"}}), json!({"stringData": {"ca.crt": 5}}), json!({"data": "x"})] {
        let said = "metadata.annotations[networking.serving.volcano.sh/backend-ca-secret]: Secret default/engines has no text \
                    under `ca.crt`; its Pods are not served";
        assert_eq!(problems(&compiled(secret.clone())), [said], "{secret}");
    }
}
