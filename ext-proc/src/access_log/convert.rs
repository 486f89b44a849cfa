//! Envoy's entry and the filter's facts made one: pure.
//!
//! Envoy fills what applies; everything may be missing.

use super::failure::{failure, upstream_status};
use envoy_types::pb::envoy::config::core::v3::{Address, RequestMethod, address, socket_address};
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, http_access_log_entry::HttpVersion,
};
use envoy_types::pb::google::protobuf::{self, BytesValue};
use kthena_core::access_log::{Entry, Facts, Failure, Phases};
use kthena_core::wire;
use prost::Message;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longer paths and request ids of clients are cut, in characters.
const LONGEST: usize = 512;

/// The entry, and whether the filter's facts could be read where there are any. `pod` names the Pod
/// (`namespace/name`) at an address.
pub(super) fn entry(from: HttpAccessLogEntry, pod: impl FnOnce(SocketAddr) -> Option<Arc<str>>) -> (Entry, bool) {
    let common = from.common_properties.as_ref();
    let facts = common.and_then(facts);
    let readable = !matches!(facts, Some(Err(())));
    let facts = facts.and_then(Result::ok).unwrap_or_default();
    let status = from.response.as_ref().and_then(|response| response.response_code.as_ref());
    let status = status.and_then(|code| u16::try_from(code.value).ok()).unwrap_or_default();
    let upstream = common.and_then(|common| address(common.upstream_remote_address.as_ref()?));
    let attempts = common.map(|common| common.upstream_request_attempt_count).unwrap_or_default();
    let refusal = facts.refusal.as_ref().map(|(kind, message)| Failure { kind: kind.name(), message: message.clone() });
    let entry = Entry {
        key: facts.key,
        start: common.and_then(|common| common.start_time.as_ref()).map(nanoseconds).unwrap_or_default(),
        method: from.request.as_ref().map(|request| method(request.request_method)).unwrap_or_default().to_owned(),
        path: from.request.as_ref().map(|request| cut(before_query(&request.path))).unwrap_or_default(),
        protocol: protocol(from.protocol_version),
        status,
        failure: refusal.or_else(|| failure(&from, status, facts.told.as_ref())),
        bound: facts.bound(),
        address: upstream,
        pod: upstream.and_then(pod).map(|pod| pod.to_string()),
        request_id: from.request.as_ref().map(|request| cut(&request.request_id)).unwrap_or_default(),
        trace_id: common.and_then(trace_id).unwrap_or_default(),
        upstream_status: upstream_status(&from),
        // Without a host there was no attempt, though Envoy had begun to count.
        upstream_attempts: if upstream.is_some() { attempts } else { 0 },
        rationed: facts.rationed,
        usage: facts.usage,
        phases: common.map(|common| phases(common, &facts)).unwrap_or_default(),
        chunks: facts.chunks,
        model: facts.model,
        model_known: facts.model_known,
        model_route: facts.model_route,
    };
    (entry, readable)
}

/// What the filter left; `None` where it left nothing.
fn facts(common: &AccessLogCommon) -> Option<Result<Facts, ()>> {
    let any = common.filter_state_objects.get(wire::FACTS_IN_ENVOY)?;
    let bytes = BytesValue::decode(any.value.as_slice()).map_err(drop);
    Some(bytes.and_then(|bytes| Facts::decode(&bytes.value).map_err(drop)))
}

/// The trace that the request was part of; `None` without one.
fn trace_id(common: &AccessLogCommon) -> Option<String> {
    let id = common.custom_tags.get(wire::TRACE_ID)?;
    id.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| cut(id))
}

/// Envoy's points in time as durations that add up.
///
/// Envoy keeps the last attempt's times only: where there were several, the time at which the filter let the
/// request go stands for that at which the first engine was asked.
fn phases(common: &AccessLogCommon, facts: &Facts) -> Phases {
    let sent = common.time_to_last_downstream_tx_byte.as_ref().or(common.duration.as_ref());
    let total = sent.map(duration).unwrap_or_default();
    let last_asked = common.time_to_first_upstream_tx_byte.as_ref().map(duration);
    let asked = if common.upstream_request_attempt_count > 1 { facts.forwarded } else { last_asked };
    let asked = asked.or(facts.forwarded).unwrap_or(total).min(total);
    let answered = common.time_to_first_upstream_rx_byte.as_ref().map_or(total, duration).clamp(asked, total);
    Phases { total, request: asked, upstream: answered - asked, response: total - answered }
}

fn duration(from: &protobuf::Duration) -> Duration {
    let (seconds, nanoseconds) = (u64::try_from(from.seconds), u32::try_from(from.nanos));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default().min(999_999_999))
}

fn nanoseconds(from: &protobuf::Timestamp) -> u64 {
    let (seconds, nanoseconds) = (u64::try_from(from.seconds), u64::try_from(from.nanos));
    seconds.unwrap_or_default().saturating_mul(1_000_000_000).saturating_add(nanoseconds.unwrap_or_default())
}

fn address(from: &Address) -> Option<SocketAddr> {
    let Some(address::Address::SocketAddress(socket)) = &from.address else { return None };
    let Some(socket_address::PortSpecifier::PortValue(port)) = socket.port_specifier else { return None };
    Some(SocketAddr::new(socket.address.parse().ok()?, u16::try_from(port).ok()?))
}

/// `-` for a method that Envoy does not name.
fn method(from: i32) -> &'static str {
    match RequestMethod::try_from(from) {
        Ok(RequestMethod::MethodUnspecified) | Err(_) => "-",
        Ok(method) => method.as_str_name(),
    }
}

/// As Go's `Request.Proto`.
fn protocol(from: i32) -> &'static str {
    match HttpVersion::try_from(from) {
        Ok(HttpVersion::Http10) => "HTTP/1.0",
        Ok(HttpVersion::Http2) => "HTTP/2.0",
        Ok(HttpVersion::Http3) => "HTTP/3.0",
        Ok(HttpVersion::Http11 | HttpVersion::ProtocolUnspecified) | Err(_) => "HTTP/1.1",
    }
}

fn before_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
