//! Edits of the manifests take effect while requests run, and a bad edit changes nothing.

use kthena_e2e::{Kthena, Setup, manifests, streamed, until};
use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

/// Two ModelServers; every test adds routes of its own, in files of its own.
static LIVE: LazyLock<Kthena> = LazyLock::new(|| {
    let servers = manifests::server("old", "m", "") + &manifests::server("new", "m", "");
    Setup::simulated(&[("servers.yaml", &servers)]).up()
});

const OLD: &str = "default/old-sim-";
const NEW: &str = "default/new-sim-";

/// Waits until a chat with `model` is answered by a pod of that name.
async fn served(model: &str, pod: &str) {
    let client = LIVE.client();
    until(&format!("{model} to be served by {pod}*"), async || {
        client.chat(model).await.pod().starts_with(pod).then_some(())
    })
    .await;
}

/// Waits until a chat with `model` fails like that.
async fn refused(model: &str, status: u16, message: &str) {
    let client = LIVE.client();
    until(&format!("{model} to be refused with {status} {message}"), async || {
        let answer = client.chat(model).await;
        (answer.status == status && answer.error() == message).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_weight_edited_under_load_takes_effect_without_a_failed_request() {
    LIVE.write("split.yaml", &manifests::route("split", "split", &[("old", 70), ("new", 30)]));
    served("split", OLD).await;
    let (pods, over) = (RefCell::new(Vec::new()), Cell::new(false));
    let worker = async |_: usize| {
        let client = LIVE.client();
        while !over.get() {
            let answer = client.try_chat("split").await;
            pods.borrow_mut().push(answer.map(|answer| answer.ok().pod().to_owned()).expect("no request fails"));
        }
    };
    let last = |count: usize, pod: &str| {
        let pods = pods.borrow();
        pods.len() >= count && pods[pods.len() - count..].iter().all(|found| found.starts_with(pod))
    };
    let edit = async {
        until("a hundred requests", async || (pods.borrow().len() >= 100).then_some(())).await;
        assert!(!last(100, OLD) && !last(100, NEW), "both serve");
        LIVE.replace("split.yaml", &manifests::route("split", "split", &[("old", 0), ("new", 100)]));
        until("the new weights", async || last(100, NEW).then_some(())).await;
        over.set(true);
    };
    futures::join!(edit, futures::future::join_all((0..4).map(worker)));
}

#[tokio::test]
async fn a_file_written_in_place_counts_as_one_renamed_into_place() {
    LIVE.write("place.yaml", &manifests::route("place", "place", &[("old", 100)]));
    served("place", OLD).await;
    LIVE.write("place.yaml", &manifests::route("place", "place", &[("new", 100)]));
    served("place", NEW).await;
    LIVE.replace("place.yaml", &manifests::route("place", "place", &[("old", 100)]));
    served("place", OLD).await;
    LIVE.remove("place.yaml");
    refused("place", 404, "route not found").await;
}

#[tokio::test]
async fn a_stream_outlives_the_edit_that_takes_its_route_away() {
    LIVE.write("going.yaml", &manifests::route("going", "going", &[("old", 100)]));
    served("going", OLD).await;
    let stream = LIVE.client().stream("/v1/chat/completions", &streamed("going", 2000)).await.expect("a stream opens");
    LIVE.remove("going.yaml");
    refused("going", 404, "route not found").await;
    assert_eq!(stream.words().await.expect("the stream ends whole"), 2000);
}

/// A made-up Pod is replaced by one at another address; the old one lives until its streams have ended, longer
/// than the 2 s that it is given for what is still on its way.
#[tokio::test]
async fn an_adapter_added_under_a_stream_is_served_and_the_stream_ends_whole() {
    let route = manifests::route("chat", "chat", &[("m", 100)]);
    let setup = Setup::simulated(&[("route.yaml", &route), ("server.yaml", &manifests::server("m", "m", ""))]);
    let kthena = setup.pace("20ms", "10ms").up();
    let client = kthena.client();
    let stream = client.stream("/v1/chat/completions", &streamed("chat", 500)).await.expect("a stream opens");
    kthena.replace("route.yaml", &route.replace("  rules:", "  loraAdapters: [fresh]\n  rules:"));
    until("the adapter to be served", async || (client.chat("fresh").await.status == 200).then_some(())).await;
    assert_eq!(client.chat("fresh").await.ok().json()["model"], "fresh");
    assert_eq!(stream.words().await.expect("the stream ends whole"), 500);
}

#[tokio::test]
async fn a_half_written_or_emptied_file_keeps_what_it_last_held() {
    let text = manifests::route("half", "half", &[("old", 100)]);
    LIVE.write("half.yaml", &text);
    served("half", OLD).await;
    for cut in ["targetModels:\n    - modelServ", "  rules:\n  - na", "apiVersi"] {
        let half = &text[..text.find(cut).unwrap() + cut.len()];
        let mark = LIVE.output.mark();
        LIVE.write("half.yaml", half);
        let what = |line: &str| line.contains("half.yaml") && line.contains("what the file last held stays in service");
        LIVE.line(mark, "a problem about half.yaml", what).await;
        assert!(LIVE.client().chat("half").await.ok().pod().starts_with(OLD), "after {cut:?}");
    }
    let mark = LIVE.output.mark();
    LIVE.write("half.yaml", "");
    LIVE.line(mark, "a problem about an empty file", |line| {
        line.contains("half.yaml") && line.contains("empty; delete the file to remove its objects")
    })
    .await;
    assert!(LIVE.client().chat("half").await.ok().pod().starts_with(OLD));
    let mark = LIVE.output.mark();
    LIVE.write("half.yaml", &manifests::route("half", "half", &[("new", 100)]));
    served("half", NEW).await;
    LIVE.line(mark, "the problem's end", |line| line.contains("no longer: ") && line.contains("half.yaml")).await;
}

#[tokio::test]
async fn a_bad_value_is_named_by_object_field_and_file() {
    let good = manifests::route("bad", "bad", &[("old", 100)]);
    LIVE.write("bad.yaml", &good);
    served("bad", OLD).await;
    for (value, said) in [("heavy", "heavy"), ("101", "101")] {
        let mark = LIVE.output.mark();
        LIVE.write("bad.yaml", &good.replace("weight: 100", &format!("weight: {value}")));
        let line = LIVE.line(mark, "a problem about bad.yaml", |line| line.contains("bad.yaml")).await;
        for part in ["ModelRoute default/bad", "spec.rules[0].targetModels[0].weight", said] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(LIVE.client().chat("bad").await.ok().pod().starts_with(OLD), "what was good stays");
    }
}

#[tokio::test]
async fn a_new_model_server_gets_its_simulated_engines_and_its_deletion_is_told_to_clients() {
    LIVE.write("fresh.yaml", &manifests::route("fresh", "fresh", &[("fresh", 100)]));
    refused("fresh", 404, "can't find model server: default/fresh").await;
    LIVE.write("fresh-server.yaml", &manifests::server("fresh", "fresh-model", ""));
    served("fresh", "default/fresh-sim-").await;
    LIVE.remove("fresh-server.yaml");
    refused("fresh", 404, "can't find model server: default/fresh").await;
    for (name, pid) in LIVE.children().into_iter().filter(|(name, _)| name.contains("default/fresh-sim-")) {
        until(&format!("the end of {name}"), async || (!kthena_e2e::is_alive(pid)).then_some(())).await;
    }
}

#[tokio::test]
async fn of_two_routes_for_one_model_the_first_by_name_serves_until_another_one_is_older() {
    let second = manifests::route("twin-b", "twin", &[("new", 100)]);
    LIVE.write("a-comes-first-in-the-directory.yaml", &second);
    served("twin", NEW).await;
    LIVE.write("twin-a.yaml", &manifests::route("twin-a", "twin", &[("old", 100)]));
    served("twin", OLD).await;
    let older = second.replace("  name: twin-b\n", "  name: twin-b\n  creationTimestamp: \"2020-01-01T00:00:00Z\"\n");
    LIVE.write("a-comes-first-in-the-directory.yaml", &older);
    served("twin", NEW).await;
}
