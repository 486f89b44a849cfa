//! What keeps `kthena up` from starting is said in one line that ends with what to do.

use kthena_e2e::{Setup, manifests};
use std::net::TcpListener;
use std::path::Path;

/// Starts it and expects an exit with code 1 and one line that has all these parts.
#[track_caller]
fn refused(setup: Setup, parts: &[&str]) {
    let manifests = setup.manifests();
    refused_at(setup, &manifests, parts);
}

#[track_caller]
fn refused_at(setup: Setup, manifests: &Path, parts: &[&str]) {
    let failure = setup.fail(manifests);
    assert_eq!((failure.code, failure.stderr.len()), (Some(1), 1), "{failure:#?}");
    for part in parts {
        assert!(failure.stderr[0].contains(part), "{part:?} in {:?}", failure.stderr[0]);
    }
}

fn good() -> Setup {
    let all = manifests::route("m", "m", &[("m", 100)]) + &manifests::server("m", "m", "");
    Setup::simulated(&[("all.yaml", &all)])
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_moves_it() {
    for (port, flag) in [(8080, "--listen"), (9090, "--metrics"), (15000, "--debug"), (9901, "--admin")] {
        let setup = good();
        let address = setup.address().at(port);
        let _taken = TcpListener::bind(address).expect("a free port");
        refused(setup, &[&address.to_string(), flag]);
    }
}

#[tokio::test]
async fn a_second_run_on_the_same_address_is_refused_and_the_first_serves_on() {
    let first = good().up();
    let address = first.address().to_string();
    refused(good().flags(&["--listen", &address]), &[&address, "--listen"]);
    let client = first.client();
    for answer in futures::future::join_all((0..20).map(|_| client.chat("m"))).await {
        answer.ok();
    }
}

#[test]
fn a_bad_manifest_is_named_by_file_object_and_field() {
    let bad = manifests::route("m", "m", &[("m", 100)]).replace("weight: 100", "weight: -1");
    let parts = ["bad.yaml", "ModelRoute default/m", "spec.rules[0].targetModels[0].weight"];
    refused(Setup::simulated(&[("bad.yaml", &bad)]), &parts);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    refused_at(good(), Path::new("no/such/directory"), &["no/such/directory", "name an existing directory"]);
}

#[test]
fn a_missing_envoy_is_named_with_the_way_to_get_one() {
    refused(good().flags(&["--envoy", "/nonexistent/envoy"]), &["/nonexistent/envoy", "--envoy must name"]);
    let nowhere = good().env("KTHENA_ENVOY", "").env("KTHENA_CACHE", "/nonexistent").env("PATH", "/nonexistent");
    refused(nowhere, &["Envoy: none at /nonexistent/", "make envoy", "--envoy"]);
}

#[test]
fn a_missing_filter_is_named_with_the_way_to_build_it() {
    refused(good().flags(&["--wasm", "/nonexistent/filter.wasm"]), &["/nonexistent/filter.wasm", "make wasm"]);
}

#[test]
fn an_unknown_key_of_the_configuration_is_named() {
    refused(good().config("dataPlane:\n  maxBody: 1\n"), &["router.yaml", "maxBody"]);
}

#[test]
fn authentication_that_would_not_be_in_force_is_refused() {
    refused(good().config("auth:\n  jwksUri: https://example.com/keys\n"), &["router.yaml", "auth.jwksUri"]);
}
