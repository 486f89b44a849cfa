use super::super::{Resource, Snapshot};
use super::*;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc::Status as RpcStatus;

fn offer(cache: &Cache, clusters: &[&str]) {
    cache.publish(&Snapshot::new(clusters.iter().map(|name| Resource {
        name: (*name).to_owned(),
        body: Any { type_url: Cluster::type_url(), value: name.as_bytes().to_vec() },
    })));
}

fn session(cache: &Cache) -> Session {
    Session { cache: cache.clone(), subscriptions: Default::default(), nonce: 0 }
}

fn ask(nonce: &str, names: &[&str]) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: Cluster::type_url(),
        response_nonce: nonce.to_owned(),
        resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    }
}

fn accept(response: &DiscoveryResponse) -> DiscoveryRequest {
    DiscoveryRequest { version_info: response.version_info.clone(), ..ask(&response.nonce, &[]) }
}

fn names(responses: &[DiscoveryResponse]) -> Vec<String> {
    let bodies = responses.iter().flat_map(|response| &response.resources);
    bodies.map(|body| String::from_utf8(body.value.clone()).unwrap()).collect()
}

#[test]
fn a_subscription_is_answered_and_its_acknowledgement_is_not() {
    let cache = Cache::new();
    offer(&cache, &["a", "b"]);
    let mut session = session(&cache);
    let first = session.hear(&ask("", &[]));
    assert_eq!((names(&first), first[0].version_info.as_str()), (vec!["a".into(), "b".into()], "1"));
    assert!(session.hear(&accept(&first[0])).is_empty());
    assert_eq!(cache.status()[&Cluster::type_url()].accepted, Some(1));
}

#[test]
fn changes_are_pushed_to_those_who_asked() {
    let cache = Cache::new();
    offer(&cache, &["a"]);
    let (mut asked, mut silent) = (session(&cache), session(&cache));
    asked.hear(&ask("", &[]));
    offer(&cache, &["a", "c"]);
    assert_eq!(names(&asked.news()), ["a", "c"]);
    assert!(asked.news().is_empty(), "once");
    assert!(silent.news().is_empty());
}

#[test]
fn only_what_is_named_is_sent_and_new_names_are_served_at_once() {
    let cache = Cache::new();
    offer(&cache, &["a", "b"]);
    let mut session = session(&cache);
    let first = session.hear(&ask("", &["b"]));
    assert_eq!(names(&first), ["b"]);
    assert_eq!(names(&session.hear(&ask(&first[0].nonce, &["a", "b"]))), ["a", "b"]);
}

#[test]
fn a_subscription_before_the_first_snapshot_is_answered_when_it_comes() {
    let cache = Cache::new();
    let mut session = session(&cache);
    assert!(session.hear(&ask("", &[])).is_empty());
    offer(&cache, &["a"]);
    assert_eq!(names(&session.news()), ["a"]);
}

#[test]
fn a_refused_version_is_reported_and_a_new_envoy_gets_the_last_good_one() {
    let cache = Cache::new();
    offer(&cache, &["good"]);
    let mut first = session(&cache);
    let sent = first.hear(&ask("", &[]));
    first.hear(&accept(&sent[0]));
    offer(&cache, &["bad"]);
    let sent = first.news();
    let refusal = DiscoveryRequest {
        version_info: "1".to_owned(),
        error_detail: Some(RpcStatus { message: "bad cluster".into(), ..Default::default() }),
        ..ask(&sent[0].nonce, &[])
    };
    assert!(first.hear(&refusal).is_empty(), "it has the good one");
    let more_names = DiscoveryRequest { version_info: "1".to_owned(), ..ask(&sent[0].nonce, &["good", "more"]) };
    first.hear(&more_names);
    assert_eq!(cache.status()[&Cluster::type_url()].accepted, Some(1), "asking for more accepts nothing");
    assert_eq!(cache.status()[&Cluster::type_url()].refused.as_deref(), Some("bad cluster"));
    assert_eq!(names(&session(&cache).hear(&ask("", &[]))), ["good"]);
    offer(&cache, &["more"]);
    assert_eq!(names(&first.news()), ["more"]);
}

#[test]
fn an_overtaken_acknowledgement_changes_nothing() {
    let cache = Cache::new();
    offer(&cache, &["a"]);
    let mut session = session(&cache);
    let first = session.hear(&ask("", &[]));
    offer(&cache, &["b"]);
    session.news();
    assert!(session.hear(&accept(&first[0])).is_empty());
    assert_eq!(cache.status()[&Cluster::type_url()].accepted, None);
}

#[test]
fn a_changed_cluster_is_told_its_endpoints_again() {
    let cache = Cache::new();
    let offer = |cluster: &str| {
        let resource = |type_url: String, value: &str| Resource {
            name: "engines".to_owned(),
            body: Any { type_url, value: value.as_bytes().to_vec() },
        };
        let endpoints = resource(ClusterLoadAssignment::type_url(), "endpoints");
        cache.publish(&Snapshot::new([resource(Cluster::type_url(), cluster), endpoints]));
    };
    offer("one");
    let mut session = session(&cache);
    session.hear(&ask("", &[]));
    session.hear(&DiscoveryRequest { type_url: ClusterLoadAssignment::type_url(), ..ask("", &["engines"]) });
    offer("two");
    assert_eq!(names(&session.news()), ["two", "endpoints"]);
}
