//! Why a request failed that the filter had let pass: Envoy's response flags in our vocabulary.

use envoy_types::pb::envoy::data::accesslog::v3::{HttpAccessLogEntry, ResponseFlags};
use kthena_core::access_log::{Failure, Kind};
use kthena_core::reply::Refusal;
use kthena_core::wire;

/// What is said of an answer in which nothing moved any more.
pub(super) const STOPPED: &str = "pod stopped answering";

/// The status that the engine answered with on the last attempt.
///
/// It is the client's too: Envoy hands on headers that it does not retry. Where it had answered for the engine, it
/// knows no time at which headers came; but for a retry that finds no host, which leaves the times as they were.
pub(super) fn upstream_status(entry: &HttpAccessLogEntry) -> Option<u16> {
    let common = entry.common_properties.as_ref()?;
    common.time_to_first_upstream_rx_byte.as_ref()?;
    if common.response_flags.as_ref().is_some_and(|flags| flags.no_healthy_upstream) {
        return None;
    }
    u16::try_from(entry.response.as_ref()?.response_code.as_ref()?.value).ok()
}

/// The failure that flags and status tell of; the texts are those that clients read, where they were told.
///
/// `told` is the error that the engine told in its stream ([`kthena_core::access_log::Facts::told`]).
pub(super) fn failure(entry: &HttpAccessLogEntry, status: u16, told: Option<&(u16, String)>) -> Option<Failure> {
    let common = entry.common_properties.as_ref();
    let flags = common.and_then(|common| common.response_flags.as_ref()).cloned().unwrap_or_default();
    let details = entry.response.as_ref().map(|response| response.response_code_details.as_str()).unwrap_or_default();
    let engine = upstream_status(entry);
    let reason = common.map(|common| common.upstream_transport_failure_reason.as_str()).unwrap_or_default();
    let failed = |kind: Kind, message: &str| Some(Failure { kind: kind.name(), message: message.to_owned() });
    // Clients leave once they have read an error, and engines end as if all were well.
    if let Some((status, words)) = told {
        let kind = if *status < 500 { Kind::RequestFailed } else { Kind::Proxy };
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        return failed(kind, &format!("pod told an error in its answer ({status}{words})"));
    }
    // The client is gone whatever else was then torn down.
    if flags.downstream_connection_termination || flags.downstream_remote_reset {
        return failed(Kind::ResponseForwarding, "the client went away");
    }
    if let Some((_, by)) = details.split_once(wire::SATURATED) {
        let refusal = Refusal::Saturated(by.trim_end_matches('}').to_owned());
        return failed(refusal.kind(), &refusal.to_string());
    }
    if flags.no_healthy_upstream || flags.no_cluster_found {
        return failed(Kind::Scheduling, "no available pods");
    }
    if flags.no_route_found {
        return failed(Kind::RouteNotFound, "route not found");
    }
    // The client fell silent before its request was whole.
    if flags.stream_idle_timeout && status == 408 && engine.is_none() {
        return failed(Kind::RequestParsing, details);
    }
    if timed_out(&flags) {
        let message = if engine.is_some() { STOPPED } else { "request to pod timed out" };
        return failed(Kind::Proxy, message);
    }
    match engine {
        Some(_) if broken_off(&flags) => failed(Kind::Proxy, "pod broke off its answer"),
        // Tried on every pod that it may be tried on; it passes through.
        Some(status) if status >= 500 => failed(Kind::Proxy, &format!("pod answered {status}")),
        // The engine refused what the client sent: no failure of ours.
        Some(_) => None,
        None if unreachable(&flags) => {
            let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            failed(Kind::Proxy, &format!("request to all pods failed{reason}"))
        }
        None if status >= 500 => failed(Kind::Proxy, details),
        None if status >= 400 => failed(Kind::RequestParsing, details),
        None => None,
    }
}

fn timed_out(flags: &ResponseFlags) -> bool {
    flags.upstream_request_timeout
        || flags.stream_idle_timeout
        || flags.duration_timeout
        || flags.upstream_max_stream_duration_reached
}

fn broken_off(flags: &ResponseFlags) -> bool {
    flags.upstream_connection_termination
        || flags.upstream_remote_reset
        || flags.upstream_protocol_error
        || flags.local_reset
}

fn unreachable(flags: &ResponseFlags) -> bool {
    broken_off(flags)
        || flags.upstream_connection_failure
        || flags.upstream_retry_limit_exceeded
        || flags.upstream_overflow
}
