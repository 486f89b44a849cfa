//! The lines of `make chaos`, each with a small load: what breaks loses no request.
//!
//! `picker.rs` shows what Envoy does with each lie by itself, `endurance.rs` the router killed under streams that are
//! open, `engines.rs` each way of an engine to fail, `live.rs` each kind of edit. Here all of one kind come together,
//! one after the other, under clients that count tokens. `make chaos` does the same for longer, compares times, and
//! looks at memory, which a process test could not without measuring the machine.

use kthena_e2e::chaos::{Line, Row, Spec, run};
use std::time::Duration;

/// The line with so many clients, for as long as it takes to see everything once.
async fn under(name: &str, clients: u64, seconds: u64) -> Row {
    let line = Line::named(name);
    let spec = Spec { clients, requests: 2 * clients, at_least: Duration::from_secs(seconds), ..line.spec };
    run(line, spec, |_| {}).await
}

#[track_caller]
fn assert_none_lost(row: &Row) {
    assert_eq!(row.tally.lost(), 0, "{:?} of {}", row.tally.examples, row.tally.requests());
    assert!(row.tally.served > 0, "none was served");
}

/// As [`assert_none_lost`], and nobody's stream broke off.
#[track_caller]
fn assert_all_served(row: &Row) {
    assert_none_lost(row);
    assert_eq!(row.tally.served, row.tally.requests(), "some ended with an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_that_is_killed_again_and_again_loses_no_request() {
    assert_all_served(&under("picker killed", 8, 3).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_that_is_stopped_for_good_loses_no_request() {
    assert_all_served(&under("picker stopped", 8, 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_that_runs_a_third_of_the_time_loses_no_request() {
    assert_all_served(&under("picker slow", 8, 2).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_that_tells_lie_after_lie_loses_no_request() {
    assert_all_served(&under("picker lying", 8, 4).await);
}

/// What it costs to trust the picker with the choice, so that a change of it is seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_picker_that_names_a_foreign_engine_is_believed_and_the_client_is_told_that_engine_s_answer() {
    let row = under("picker naming foreign engines", 4, 0).await;
    let refused = row.tally.refused.iter().map(|(status, count)| (*status, *count)).collect::<Vec<_>>();
    assert_eq!(refused, [(404, row.tally.requests())]);
}

/// Envoy lets no header grow so far, and asks nobody whether that is an error. Our picker names five at the most.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_endpoints_beyond_envoy_s_bound_of_headers_is_told_as_an_error() {
    let row = under("picker naming 10,000 endpoints", 4, 0).await;
    let refused = row.tally.refused.iter().map(|(status, count)| (*status, *count)).collect::<Vec<_>>();
    // On a busy machine a list that long may come too late: Envoy then serves without it.
    assert_eq!(refused, [(500, row.tally.requests() - row.tally.served)], "{:?}", row.tally.examples);
    assert!(row.tally.served < row.tally.requests(), "no list was in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_cuts_its_own_streams_with_an_error_and_loses_none() {
    assert_none_lost(&under("engine killed", 8, 6).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_stall_while_others_do_not_lose_no_request() {
    let row = under("engine stalled", 8, 7).await;
    assert_all_served(&row);
    assert!(row.retried > 0, "who waited in vain was served elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_answer_a_few_bytes_at_a_time_lose_no_request() {
    assert_all_served(&under("engine dripping", 8, 3).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_reset_before_their_first_byte_lose_no_request() {
    let row = under("engine resetting first", 8, 7).await;
    assert_all_served(&row);
    assert!(row.retried > 0, "who was reset was served elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_an_engine_resets_ends_with_an_error_that_the_client_sees() {
    let row = under("engine resetting mid-stream", 8, 7).await;
    assert_none_lost(&row);
    assert!(row.tally.ended > 0, "some were cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_answer_5xx_while_others_do_not_lose_no_request() {
    let row = under("engine answering 5xx", 8, 5).await;
    assert_all_served(&row);
    assert!(row.retried > 0, "who was refused was served elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_edits_a_second_and_broken_ones_among_them_lose_no_request() {
    assert_all_served(&under("manifests edited", 8, 5).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_killed_ends_its_connections_and_serves_whoever_connects_again() {
    let row = under("Envoy restarted", 8, 6).await;
    assert_none_lost(&row);
    assert!(row.tally.ended > 0, "it had connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_while_engines_fail_in_every_way_lose_none() {
    let row = under("2,000 streams, engines failing", 100, 13).await;
    assert_none_lost(&row);
    assert!(row.retried > 0, "some were served elsewhere");
}
