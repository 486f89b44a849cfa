//! A page of metrics in Prometheus' text format, as Python's client writes it.

use std::fmt::Write;

use crate::engine::Histogram;

/// The page so far.
#[derive(Debug)]
pub struct Page {
    text: String,
    /// Labels of every sample.
    labels: Vec<(&'static str, String)>,
    /// When the counters began, in Unix seconds; none where they are not to say (several processes'
    /// pages put together do not).
    created: Option<f64>,
}

/// One sample's own labels.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

// === impl Page ===

impl Page {
    pub fn new(created: Option<f64>) -> Self {
        Self { text: String::new(), labels: Vec::new(), created }
    }

    /// From here on, every sample has these labels.
    pub fn labelled(&mut self, labels: &[(&'static str, &str)]) {
        self.labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    }

    pub fn gauge(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, f64)]) {
        self.family(name, help, "gauge");
        for (labels, value) in samples {
            self.sample(name, labels, None, *value);
        }
    }

    /// A counter; `name` is without `_total`.
    pub fn counter(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, u64)]) {
        let total = format!("{name}_total");
        self.family(&total, help, "counter");
        for (labels, value) in samples {
            self.sample(&total, labels, None, *value as f64);
        }
        let labels: Vec<Labels<'_>> = samples.iter().map(|(labels, _)| *labels).collect();
        self.created(name, help, &labels);
    }

    pub fn histogram(&mut self, name: &str, help: &str, labels: Labels<'_>, histogram: &Histogram) {
        self.family(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulative() {
            self.sample(&bucket, labels, Some(&float(bound)), count as f64);
        }
        self.sample(&format!("{name}_count"), labels, None, histogram.count() as f64);
        self.sample(&format!("{name}_sum"), labels, None, histogram.sum());
        self.created(name, help, &[labels]);
    }

    pub fn finish(self) -> String {
        self.text
    }

    /// The twin that says since when: a gauge of its own in this format.
    fn created(&mut self, name: &str, help: &str, labels: &[Labels<'_>]) {
        let Some(created) = self.created else { return };
        let name = format!("{name}_created");
        self.family(&name, help, "gauge");
        for labels in labels {
            self.sample(&name, labels, None, created);
        }
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) {
        self.text.extend(["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"]);
    }

    /// Labels stand in the order of their names.
    fn sample(&mut self, name: &str, labels: Labels<'_>, bound: Option<&str>, value: f64) {
        let common = self.labels.iter().map(|(name, value)| (*name, value.as_str()));
        let mut labels: Vec<(&str, &str)> =
            common.chain(labels.iter().copied()).chain(bound.map(|le| ("le", le))).collect();
        labels.sort_unstable_by_key(|(name, _)| *name);
        let mut line = String::from(name);
        for (index, (name, value)) in labels.iter().enumerate() {
            line.push(if index == 0 { '{' } else { ',' });
            let value = value.replace('\\', r"\\").replace('\n', r"\n").replace('"', "\\\"");
            // Writing to a String cannot fail.
            let _ = write!(line, "{name}=\"{value}\"");
        }
        line.push_str(if labels.is_empty() { " " } else { "} " });
        self.text.extend([&line, &float(value), "\n"]);
    }
}

/// As Python's client writes a number, which is Python's way, but with an exponent from a million on.
fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{value:?}");
    if let Some((mantissa, exponent)) = text.split_once("e-") {
        return format!("{mantissa}e-{exponent:0>2}");
    }
    match text.split_once('.') {
        Some((whole, fraction)) if value > 0.0 && whole.len() > 6 => {
            let (first, rest) = whole.split_at(1);
            let digits = format!("{first}.{rest}{fraction}");
            format!("{}e+{:02}", digits.trim_end_matches(['0', '.']), whole.len() - 1)
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_python_writes_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (327.0, "327.0"),
            (0.001, "0.001"),
            (1e-5, "1e-05"),
            (999_999.0, "999999.0"),
            (1_000_000.0, "1e+06"),
            (1_795_272_885.154_334_5, "1.7952728851543345e+09"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(float(value), expected);
        }
    }

    #[test]
    fn labels_are_sorted_and_escaped_and_counters_have_their_twin() {
        let mut page = Page::new(Some(1.5));
        page.labelled(&[("model_name", "a\"b\\")]);
        page.counter("x", "Why.", &[(&[("engine", "0")], 3)]);
        assert_eq!(
            page.finish(),
            "# HELP x_total Why.\n# TYPE x_total counter\nx_total{engine=\"0\",model_name=\"a\\\"b\\\\\"} 3.0\n\
             # HELP x_created Why.\n# TYPE x_created gauge\nx_created{engine=\"0\",model_name=\"a\\\"b\\\\\"} 1.5\n"
        );
    }
}
