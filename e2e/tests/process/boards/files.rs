//! The boards and rules as they are committed.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A board of charts/dashboards.
#[derive(Debug)]
pub struct Board {
    pub file: String,
    pub json: Value,
}

/// A query of a panel.
#[derive(Debug)]
pub struct Query {
    /// The board's file and the panel's title.
    pub place: String,
    /// As Prometheus would be asked.
    pub expression: String,
    pub legend: String,
}

/// charts/alerts/kthena.rules.yaml
#[derive(Debug, Deserialize)]
pub struct Rules {
    pub groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
pub struct Group {
    pub rules: Vec<Rule>,
}

/// One that records or one that alerts.
#[derive(Debug, Deserialize)]
pub struct Rule {
    pub record: Option<String>,
    pub alert: Option<String>,
    pub expr: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// A file of the repository.
pub fn text(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn boards() -> Vec<Board> {
    let files = fs::read_dir(repository().join("charts/dashboards"))
        .expect("a directory")
        .map(|file| file.expect("a file").path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    assert_eq!(files.len(), 4, "{files:?}");
    let read = |file: PathBuf| {
        let json = serde_json::from_str(&fs::read_to_string(&file).expect("text")).expect("JSON");
        Board { file: file.file_name().expect("a name").to_string_lossy().into_owned(), json }
    };
    files.into_iter().map(read).collect()
}

pub fn rules() -> Rules {
    serde_saphyr::from_str(&text("charts/alerts/kthena.rules.yaml")).expect("rules")
}

// === impl Board ===

impl Board {
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        self.json["panels"].as_array().expect("panels").iter()
    }

    /// What its panels and variables ask for, with Grafana's variables filled in.
    pub fn queries(&self) -> Vec<Query> {
        let fill = |text: &str| {
            let text = text.replace("$__rate_interval", "5m");
            self.variables().iter().fold(text, |text, (name, _)| text.replace(&format!("${name}"), ".*"))
        };
        let of_panel = |panel: &Value| {
            let place = format!("{}: {}", self.file, panel["title"].as_str().expect("a title"));
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            targets
                .into_iter()
                .map(move |target| Query {
                    place: place.clone(),
                    expression: fill(target["expr"].as_str().expect("an expression")),
                    legend: target["legendFormat"].as_str().unwrap_or_default().to_owned(),
                })
                .collect::<Vec<_>>()
        };
        let panels = self.panels().flat_map(of_panel);
        let variables = self.variables().into_iter().filter_map(|(name, query)| {
            let (metric, label) = query.strip_prefix("label_values(")?.strip_suffix(')')?.split_once(", ")?;
            Some(Query {
                place: format!("{}: ${name}", self.file),
                expression: format!("count by ({label}) ({metric})"),
                legend: String::new(),
            })
        });
        panels.chain(variables).collect()
    }

    fn variables(&self) -> Vec<(String, String)> {
        let list = self.json["templating"]["list"].as_array().expect("variables");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        list.iter().map(|variable| (text(&variable["name"]), text(&variable["query"]))).collect()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}
