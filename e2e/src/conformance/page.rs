//! A page of metrics, read by a reader that shares nothing with the one under test.

use std::collections::{BTreeMap, BTreeSet};

/// The series of one look.
#[derive(Debug)]
pub(super) struct Page {
    series: Vec<Series>,
    /// `# TYPE` lines.
    types: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

const PREFIX: &str = "vllm:";

// === impl Page ===

impl Page {
    pub(super) fn parse(text: &str) -> Self {
        let lines = || text.lines().filter(|line| !line.is_empty());
        let types = lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        Self {
            series: lines().filter(|line| !line.starts_with('#')).map(Series::parse).collect(),
            types: types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(),
        }
    }

    /// The sum of the series with that name, without vLLM's prefix.
    pub(super) fn gauge(&self, name: &str) -> f64 {
        self.labelled(name, &[])
    }

    /// The sum of the series with that name and these labels among theirs.
    pub(super) fn labelled(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<f64> = self.find(name, labels).map(|series| series.value).collect();
        assert!(!found.is_empty(), "no {PREFIX}{name} with {labels:?}");
        found.iter().sum()
    }

    /// The value of `label` in the youngest of the series with that name: their values are times.
    pub(super) fn youngest(&self, name: &str, label: &str) -> Option<&str> {
        let youngest = self.find(name, &[]).max_by(|a, b| a.value.total_cmp(&b.value));
        youngest.and_then(|series| series.labels.get(label)).map(String::as_str)
    }

    /// The type of the metric.
    pub(super) fn kind(&self, name: &str) -> Option<&str> {
        self.types.get(&format!("{PREFIX}{name}")).map(String::as_str)
    }

    /// The labels that series of that name carry, without `le`.
    pub(super) fn labels(&self, name: &str) -> BTreeSet<&str> {
        self.find(name, &[])
            .flat_map(|series| series.labels.keys())
            .map(String::as_str)
            .filter(|l| *l != "le")
            .collect()
    }

    /// The values of a label in the series of that name.
    pub(super) fn values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        self.find(name, &[]).filter_map(|series| series.labels.get(label)).map(String::as_str).collect()
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Series> {
        let carries = |series: &Series| {
            labels.iter().all(|(label, value)| series.labels.get(*label).is_some_and(|known| known == value))
        };
        self.series.iter().filter(move |series| series.name.strip_prefix(PREFIX) == Some(name) && carries(series))
    }
}

// === impl Series ===

impl Series {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("a value in {line:?}"));
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels in {line:?}"));
        Self { name: name.to_owned(), labels: parse_labels(labels), value: value.parse().expect("a number") }
    }
}

/// `name="value",...`; values have no quote in them, but may have commas.
fn parse_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("no end of a value in {text:?}"));
        labels.insert(name.to_owned(), value.to_owned());
        rest = after.trim_start_matches(',');
    }
    labels
}
