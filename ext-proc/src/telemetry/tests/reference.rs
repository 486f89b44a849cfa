//! `docs/guide/metrics.md` lists what is registered: `UPDATE_GOLDEN=1` rewrites its table.

use super::*;
use kthena_core::fleet::{Ended, PrefixUse};
use std::path::Path;
use std::{env, fs};

const BEGIN: &str = "<!-- from the code: make bless -->\n";
const END: &str = "<!-- to here -->\n";

/// A row for each family, all of which have a sample.
fn table() -> String {
    let (picker, telemetry) = telemetry();
    // Of two, as one alone is never ejected.
    let endpoints = [1, 2].map(|n| (format!("10.0.0.{n}:8000").parse().unwrap(), format!("default/p-{n}")));
    picker.publish(crate::Pools::new([("default/s".to_owned(), endpoints.to_vec())]));
    let failed = Ended { target: Some("default/s"), address: Some("10.0.0.1:8000"), status: 503, ..Ended::default() };
    (0..5).for_each(|_| picker.completed(&failed));
    let request = kthena_core::scheduling::Request { target: "default/s", model: "org/m", ..Default::default() };
    let now = Instant::now();
    let mut watch = Stopwatch::new(now);
    let _ticket = picker.pick_by_laps(&request, None, || 0, |lap| watch.lap(lap, now));
    picker.live().decided("chat", &watch);
    picker.live().matched("chat", PrefixUse { best: 0.5, evicted: 1 }, now);
    let whereto = Whereto { model: "chat", route: "default/r", server: "default/s", upstream_model: "org/m" };
    let _underway = picker.live().begin(whereto, now);
    telemetry.observe(&served("chat", "default/r", "default/s"));
    telemetry.scrape.failed("metrics", "timeout");
    telemetry.scrape.took(std::time::Duration::from_millis(1));
    let mut table = "| Name | Type | Labels | |\n|---|---|---|---|\n".to_owned();
    for family in telemetry.gather(now) {
        let sample = &family.get_metric()[0];
        let labels: Vec<_> = sample.get_label().iter().map(|label| format!("`{}`", label.name())).collect();
        let kind = format!("{:?}", family.get_field_type()).to_lowercase();
        let bounds: Vec<_> =
            sample.get_histogram().get_bucket().iter().map(|bucket| bucket.upper_bound().to_string()).collect();
        let bounds = if bounds.is_empty() { String::new() } else { format!("; buckets {}", bounds.join(" ")) };
        table += &format!("| `{}` | {kind} | {} | {}{bounds} |\n", family.name(), labels.join(", "), family.help());
    }
    table
}

#[test]
fn the_guide_lists_what_is_registered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/metrics.md");
    let guide = fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let table = table();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(written, table, "the guide is stale: make bless, and review the difference");
    }
}
