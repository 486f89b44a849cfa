//! Grafana's boards and Prometheus's rules, held against what the running processes tell: a misspelt metric fails here.

mod catalog;
mod files;
mod promql;

use catalog::Catalog;
use files::{boards, rules, text};
use kthena_e2e::{Engine, Setup, manifests, streamed, until};
use kthena_simulator::{Face, Manners, Options};
use std::collections::{BTreeMap, BTreeSet};

const CHAT: &str = "/v1/chat/completions";

/// The pages of everything that Prometheus may scrape, after a request.
///
/// Of the router's own metrics some are there only once something failed: these are as docs/guide/metrics.md lists them,
/// of which a unit test sees to it that it is what is registered.
async fn everything() -> Catalog {
    let engine = |name: &str, face| {
        let manners = Manners { face, ..Manners::default() };
        Engine::simulated(name, Options { models: vec!["m".into()], speed: 100.0, manners, ..Options::default() })
    };
    let engines = [engine("vllm", Face::Vllm), engine("sglang", Face::Sglang)];
    let all = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "")
        + &manifests::pod("vllm", "m", &engines[0].ip())
        + &manifests::pod("sglang", "m", &engines[1].ip());
    let kthena = Setup::new(&[("all.yaml", &all)]).by_load().up();
    let mut catalog = Catalog::new();
    catalog.add_reference(&text("docs/guide/metrics.md"));
    // vLLM has some of its series from an engine's first request on, and both engines are to have had one.
    for engine in &engines {
        engine.client().post(CHAT, &[], streamed("m", 4).to_string()).await.ok();
        catalog.add_page(engine.client().get("/metrics").await.ok().text());
    }
    kthena.client().post(CHAT, &[], streamed("m", 4).to_string()).await.ok();
    let counted = |page: &str| page.contains("\nkthena_router_requests_total{").then_some(());
    let page = until("the request to be counted", async || {
        let page = kthena.metrics().get("/metrics").await.ok().text().to_owned();
        counted(&page).map(|()| page)
    });
    catalog.add_page(&page.await);
    catalog.add_page(kthena.admin().get("/stats/prometheus").await.ok().text());
    catalog
}

/// Rules' own series are there for other rules and for boards.
fn recorded(catalog: &mut Catalog) -> BTreeMap<String, promql::Labels> {
    let mut found = BTreeMap::new();
    for rule in rules().groups.iter().flat_map(|group| &group.rules) {
        let labels = promql::check(&rule.expr, catalog).unwrap_or_else(|error| panic!("{error}"));
        if let Some(name) = &rule.record {
            catalog.add(name, labels.iter().map(String::as_str));
        }
        found.insert(rule.record.clone().or(rule.alert.clone()).expect("a name"), labels);
    }
    found
}

/// `{{label}}` and `$labels.label` in a text.
fn named(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let legends =
        text.split("{{").skip(1).map(str::trim_start).filter(|rest| rest.starts_with(char::is_alphabetic)).map(word);
    let annotations = text.split("$labels.").skip(1).map(word);
    let keywords = ["with", "end", "if", "else"];
    legends.chain(annotations).filter(|name| !keywords.contains(&name.as_str())).collect()
}

#[tokio::test]
async fn every_metric_and_label_of_boards_and_rules_exists() {
    let mut catalog = everything().await;
    let mut wrong = Vec::new();
    let rules = rules();
    let results = recorded(&mut catalog);
    for rule in rules.groups.iter().flat_map(|group| &group.rules) {
        let Some(alert) = &rule.alert else { continue };
        for label in rule.annotations.values().flat_map(|text| named(text)) {
            if !results[alert].contains(&label) {
                wrong.push(format!(
                    "{alert}: its annotations name the label {label}, and there is only {:?}",
                    results[alert]
                ));
            }
        }
    }
    for query in boards().iter().flat_map(files::Board::queries) {
        match promql::check(&query.expression, &catalog) {
            Err(error) => wrong.push(format!("{}: {error}", query.place)),
            Ok(labels) => {
                let unknown = named(&query.legend).into_iter().filter(|label| !labels.contains(label));
                wrong.extend(unknown.map(|label| format!("{}: no label {label}: {}", query.place, query.expression)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_alert_says_what_it_is_about_and_what_to_do() {
    let runbook = text("docs/observability.md");
    let tests = text("charts/alerts/kthena.rules.test.yaml");
    let rules = rules();
    let mut alerts = BTreeSet::new();
    for rule in rules.groups.iter().flat_map(|group| &group.rules) {
        let Some(name) = &rule.alert else {
            let name = rule.record.as_deref().expect("it records or alerts");
            assert!(name.starts_with("kthena:"), "{name}");
            continue;
        };
        assert!(alerts.insert(name), "{name} is there twice");
        assert!(["critical", "warning"].contains(&rule.labels["severity"].as_str()), "{name}: {:?}", rule.labels);
        let annotations: Vec<&str> = rule.annotations.keys().map(String::as_str).collect();
        assert_eq!(annotations, ["description", "runbook_url", "summary"], "{name}");
        let section =
            rule.annotations["runbook_url"].strip_prefix("docs/observability.md#").expect("a place in the docs");
        assert_eq!(section, name.to_lowercase(), "{name}");
        assert!(runbook.contains(&format!("\n### {name}\n")), "docs/observability.md has no section {name}");
        assert!(
            tests.contains(&format!("alertname: {name}\n    exp_alerts:\n    - exp_labels")),
            "{name} has no test in which it fires"
        );
    }
    for section in runbook.lines().filter_map(|line| line.strip_prefix("### Kthena")) {
        assert!(
            alerts.contains(&format!("Kthena{section}")),
            "docs/observability.md has a section of no alert: Kthena{section}"
        );
    }
}

#[test]
fn boards_are_whole() {
    let mut uids = BTreeSet::new();
    for board in boards() {
        let uid = board.json["uid"].as_str().expect("a uid");
        assert_eq!(format!("{uid}.json"), board.file);
        assert!(uids.insert(uid.to_owned()));
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in board.panels() {
            let title = panel["title"].as_str().expect("a title");
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{uid}: {title}");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect("a place"));
            assert!(x + w <= 24, "{uid}: {title}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{uid}: {title} lies on another panel");
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{uid}: {title}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{uid}: {title}");
            for target in panel["targets"].as_array().expect("queries") {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{uid}: {title}");
            }
        }
    }
}
