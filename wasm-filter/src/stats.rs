//! What the filter tells Envoy's own statistics: `kthena_filter_...` on `/stats/prometheus`, also while the router is away.
//!
//! Only what is rare is counted here: a served request costs no call of the host. Gauges are Envoy's, one for all workers.

use kthena_core::routing::Table;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType::{self, Counter, Gauge};

/// Numbers by which the host knows them; `None` for one that it did not take.
#[derive(Debug)]
struct Stats {
    table_version: Option<u32>,
    table_routes: Option<u32>,
    table_servers: Option<u32>,
    tables_refused: Option<u32>,
    refused: Option<u32>,
    given_up: Option<u32>,
    retries_withheld: Option<u32>,
    answers_encoded: Option<u32>,
}

thread_local! {
    static STATS: Stats = Stats {
        table_version: define(Gauge, "kthena_filter_table_version"),
        table_routes: define(Gauge, "kthena_filter_table_routes"),
        table_servers: define(Gauge, "kthena_filter_table_servers"),
        tables_refused: define(Counter, "kthena_filter_tables_refused_total"),
        refused: define(Counter, "kthena_filter_requests_refused_total"),
        given_up: define(Counter, "kthena_filter_requests_given_up_total"),
        retries_withheld: define(Counter, "kthena_filter_retries_withheld_total"),
        answers_encoded: define(Counter, "kthena_filter_answers_encoded_total"),
    };
}

/// A table is in force.
pub(crate) fn table(table: &Table) {
    let count = |count: usize| count as u64;
    STATS.with(|stats| {
        record(stats.table_version, table.version);
        record(stats.table_routes, count(table.routes.len()));
        record(stats.table_servers, count(table.servers.len()));
    });
}

/// A table could not be read.
pub(crate) fn table_refused() {
    STATS.with(|stats| increment(stats.tables_refused));
}

/// A request got an error of the filter's own.
pub(crate) fn refused() {
    STATS.with(|stats| increment(stats.refused));
}

/// A request's answer took too long to begin.
pub(crate) fn given_up() {
    STATS.with(|stats| increment(stats.given_up));
}

/// A request is not retried, as its ModelServer's budget is spent.
pub(crate) fn retries_withheld() {
    STATS.with(|stats| increment(stats.retries_withheld));
}

/// An engine encoded its answer, which passes unread: its tokens are not counted.
pub(crate) fn answer_encoded() {
    STATS.with(|stats| increment(stats.answers_encoded));
}

fn define(kind: MetricType, name: &str) -> Option<u32> {
    hostcalls::define_metric(kind, name).ok()
}

// Nothing can be done about a figure that the host does not take.
fn record(metric: Option<u32>, value: u64) {
    let _ = metric.map(|metric| hostcalls::record_metric(metric, value));
}

fn increment(metric: Option<u32>) {
    let _ = metric.map(|metric| hostcalls::increment_metric(metric, 1));
}
