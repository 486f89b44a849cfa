//! Which metrics there are, and which labels each may carry.

use std::collections::{BTreeMap, BTreeSet};

/// What Prometheus itself gives to every series of a target, on this machine or on a cluster.
pub const TARGET: [&str; 4] = ["instance", "job", "namespace", "pod"];

/// Names of series, with their labels.
#[derive(Debug, Clone, Default)]
pub struct Catalog(BTreeMap<String, BTreeSet<String>>);

// === impl Catalog ===

impl Catalog {
    /// With `up`, which is Prometheus's own.
    pub fn new() -> Self {
        let mut catalog = Self::default();
        catalog.add("up", []);
        catalog
    }

    /// The labels of a series of that name, the target's included.
    pub fn labels(&self, name: &str) -> Option<BTreeSet<String>> {
        let own = self.0.get(name)?;
        Some(own.iter().cloned().chain(TARGET.map(str::to_owned)).collect())
    }

    /// More labels of a name.
    pub fn add<'a>(&mut self, name: &str, labels: impl IntoIterator<Item = &'a str>) {
        self.0.entry(name.to_owned()).or_default().extend(labels.into_iter().map(str::to_owned));
    }

    /// A page in Prometheus's text format.
    ///
    /// # Panics
    /// Where a line is none.
    pub fn add_page(&mut self, page: &str) {
        for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
            let (name, rest) = line.split_at(end);
            self.add(name, labels(rest));
        }
    }

    /// The table of docs/guide/metrics.md, which a test keeps as the registry is.
    ///
    /// # Panics
    /// Where it has no such table.
    pub fn add_reference(&mut self, text: &str) {
        let rows = text.lines().filter_map(|line| {
            let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
            Some((cells.next()?, cells.next()?, cells.next()?))
        });
        let before = self.0.len();
        for (name, kind, labels) in rows.filter(|(name, ..)| name.starts_with('`')) {
            let name = name.trim_matches('`');
            let labels: Vec<&str> =
                labels.split(", ").map(|label| label.trim_matches('`')).filter(|label| !label.is_empty()).collect();
            match kind {
                "histogram" => {
                    self.add(&format!("{name}_bucket"), labels.iter().copied().chain(["le"]));
                    self.add(&format!("{name}_sum"), labels.iter().copied());
                    self.add(&format!("{name}_count"), labels);
                }
                "counter" | "gauge" => self.add(name, labels),
                _ => {}
            }
        }
        assert!(self.0.len() > before + 20, "docs/guide/metrics.md has no table of metrics");
    }
}

/// The names of the labels in `{a="1",b="2"} 3`.
fn labels(sample: &str) -> Vec<&str> {
    let Some((inside, _)) = sample.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')) else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = inside;
    while let Some((name, value)) = rest.split_once("=\"") {
        found.push(name.trim_start_matches([',', ' ']));
        let mut escaped = false;
        let end = value.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = end.map_or("", |end| &value[end + 1..]);
    }
    found
}

#[test]
fn labels_are_read_whatever_their_values_hold() {
    assert_eq!(labels(r#"{a="1,b=\"2\"}",c="x\\"} 3"#), ["a", "c"]);
    assert_eq!(labels("{} 0"), [""; 0]);
    assert_eq!(labels(" 3"), [""; 0]);
}
