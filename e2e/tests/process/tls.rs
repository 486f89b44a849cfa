//! Clients behind TLS: both protocols, a certificate that is renewed without a restart, and a key that nothing shows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Version;
use kthena_e2e::{Client, Kthena, Setup, Speaks, manifests, streamed, until};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn setup() -> Setup {
    let all = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "m", "");
    Setup::simulated(&[("all.yaml", &all)])
}

/// A new certificate for that instance's address, and its key, as PEM.
fn certificate(setup: &Setup) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([setup.address().ip().to_string()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Puts a certificate where Envoy reads it, as whoever renews it does.
fn write(directory: &Path, (certificate, key): &(String, String)) {
    for (name, text) in [("tls.crt", certificate), ("tls.key", key)] {
        let next = directory.join(format!("{name}.next"));
        fs::write(&next, text).unwrap();
        fs::rename(next, directory.join(name)).unwrap();
    }
}

fn with(setup: Setup, directory: &Path) -> Setup {
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| directory.join(name).display().to_string());
    setup.flags(&["--tls-cert", &certificate, "--tls-key", &key])
}

/// Waits until a client that trusts nothing else is served.
async fn until_shown(kthena: &Kthena, certificate: &str) {
    until("the certificate to be shown", async || {
        Client::that_speaks(Speaks::Tls(certificate), kthena.address()).try_chat("m").await.ok()
    })
    .await
    .ok();
}

#[tokio::test]
async fn clients_choose_the_protocol_and_the_key_is_shown_nowhere() {
    let setup = setup();
    let directory = kthena_e2e::directory();
    let pair = certificate(&setup);
    write(directory.path(), &pair);
    let kthena = with(setup, directory.path()).up();
    for (speaks, version) in [(Speaks::Tls(&pair.0), Version::HTTP_11), (Speaks::TlsAny(&pair.0), Version::HTTP_2)] {
        let client = Client::that_speaks(speaks, kthena.address());
        assert_eq!(client.chat("m").await.ok().version, version);
        let answer = client.post("/v1/chat/completions", &[], streamed("m", 5).to_string()).await.ok();
        assert_eq!((answer.version, answer.events().len()), (version, 6));
    }
    assert!(kthena.client().try_chat("m").await.is_err(), "nothing is served in the clear");
    let other = rcgen::generate_simple_self_signed([kthena.address().ip().to_string()]).unwrap().cert.pem();
    assert!(Client::that_speaks(Speaks::Tls(&other), kthena.address()).try_chat("m").await.is_err());
    kthena.line(0, "where to ask", |line| line == format!("ready: https://{}", kthena.address())).await;

    // A line of the key; in JSON bytes are base64 of the whole.
    let line = pair.1.lines().nth(1).expect("a key has lines").to_owned();
    let encoded = STANDARD.encode(&pair.1.as_bytes()[..60]);
    let shows = |text: &str| text.contains(&line) || text.contains(&encoded) || text.contains("PRIVATE KEY");
    for path in ["/config_dump", "/config_dump?include_eds", "/certs", "/stats"] {
        assert!(!shows(kthena.admin().get(path).await.ok().text()), "{path}");
    }
    let secrets = kthena.admin().get("/config_dump?resource=dynamic_active_secrets").await.ok().json();
    let certificate = &secrets["configs"][0]["secret"]["tls_certificate"];
    assert_eq!(certificate["private_key"]["inline_bytes"], STANDARD.encode("[redacted]"), "{secrets}");
    for path in ["/debug/config_dump/modelroutes", "/debug/config_dump/pods", "/debug/xds", "/debug/problems"] {
        assert!(!shows(kthena.debug().get(path).await.text()), "{path}");
    }
    assert!(!shows(&kthena.output.text()));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let setup = setup();
    let directory = kthena_e2e::directory();
    let pairs = [(); 4].map(|()| certificate(&setup));
    write(directory.path(), &pairs[0]);
    let kthena = with(setup, directory.path()).up();
    let envoy = kthena.child("envoy");
    until_shown(&kthena, &pairs[0].0).await;
    // Renamed into place.
    write(directory.path(), &pairs[1]);
    until_shown(&kthena, &pairs[1].0).await;
    // Written in place, one after the other.
    fs::write(directory.path().join("tls.crt"), &pairs[2].0).unwrap();
    fs::write(directory.path().join("tls.key"), &pairs[2].1).unwrap();
    until_shown(&kthena, &pairs[2].0).await;
    // Not a pair: the last good one stays.
    write(directory.path(), &(pairs[3].0.clone(), pairs[2].1.clone()));
    until("the broken pair to be seen", async || {
        let stats = kthena.envoy_stats("sds.listener.key_rotation_failed").await;
        stats.values().any(|count| *count > 0).then_some(())
    })
    .await;
    until_shown(&kthena, &pairs[2].0).await;
    write(directory.path(), &pairs[3]);
    until_shown(&kthena, &pairs[3].0).await;
    assert_eq!(kthena.child("envoy"), envoy, "it is the same process");
}

#[tokio::test]
async fn a_mounted_secret_that_is_swapped_is_followed_through_its_links() {
    let setup = setup();
    let directory = kthena_e2e::directory();
    let pairs = [(); 2].map(|()| certificate(&setup));
    let at = |name: &str| directory.path().join(name);
    for (version, pair) in ["..1", "..2"].iter().zip(&pairs) {
        fs::create_dir(at(version)).unwrap();
        write(&at(version), pair);
    }
    symlink("..1", at("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), at(name)).unwrap();
    }
    let kthena = with(setup, directory.path()).up();
    until_shown(&kthena, &pairs[0].0).await;
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    until_shown(&kthena, &pairs[1].0).await;
}

#[test]
fn files_that_cannot_be_taken_are_named_before_anything_is_started() {
    let directory = kthena_e2e::directory();
    let first = setup();
    write(directory.path(), &certificate(&first));
    let refused = |setup: Setup, certificate: &str, key: &str, expected: &str| {
        let [certificate, key] = [certificate, key].map(|name| directory.path().join(name).display().to_string());
        let manifests = setup.manifests();
        let failure = setup.flags(&["--tls-cert", &certificate, "--tls-key", &key]).fail(&manifests);
        assert_eq!((failure.code, failure.stderr.len()), (Some(1), 1), "{failure:#?}");
        assert!(failure.stderr[0].contains(expected), "{expected:?} in {:?}", failure.stderr[0]);
    };
    refused(first, "no.crt", "tls.key", "no.crt: No such file or directory");
    refused(setup(), "tls.key", "tls.crt", "no certificate in PEM");
    let other = certificate(&setup());
    fs::write(directory.path().join("other.key"), other.1).unwrap();
    refused(setup(), "tls.crt", "other.key", "other.key: not the key of the certificate in");
}
