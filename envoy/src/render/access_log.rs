//! The access log: Envoy hands its entries to the picker's process, which writes the lines and counts.
//!
//! Entries wait in Envoy in batches of each worker. While nobody takes them, a worker keeps one batch and drops
//! the rest, which it counts (`access_logs.grpc_access_log.logs_dropped`): no request ever waits for its log.
//! The cluster is one of its own on the picker's socket: it is the same process, and clusters do not share
//! connections, so that a slow reader of logs holds up no pick.

use super::{LOG, duration, tracing, uint32};
use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLog, AccessLogFilter, AndFilter, HeaderFilter, access_log, access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::config::core::v3::{ApiVersion, GrpcService, grpc_service};
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, header_matcher::HeaderMatchSpecifier};
use envoy_types::pb::envoy::extensions::access_loggers::grpc::v3::{
    CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::util::pack_any;
use kthena_core::wire;
use std::time::Duration;

/// How long an entry may wait for others; people watch the log. What waits when Envoy ends is lost.
pub const FLUSH: Duration = Duration::from_millis(200);

/// How much of a worker's entries waits, in bytes: some 60 entries of under 1 KiB.
const BATCH: u32 = 64 << 10;

pub(super) fn logger(traced: bool) -> AccessLog {
    let service = grpc_service::EnvoyGrpc { cluster_name: LOG.to_owned(), ..Default::default() };
    let common = CommonGrpcAccessLogConfig {
        log_name: LOG.to_owned(),
        grpc_service: Some(GrpcService {
            target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(service)),
            ..Default::default()
        }),
        transport_api_version: ApiVersion::V3.into(),
        buffer_flush_interval: duration(FLUSH),
        buffer_size_bytes: uint32(BATCH),
        filter_state_objects_to_log: vec![wire::FACTS_IN_ENVOY.to_owned()],
        custom_tags: traced.then(|| tracing::tag(wire::TRACE_ID, "%TRACE_ID%".to_owned())).into_iter().collect(),
        ..Default::default()
    };
    let config = HttpGrpcAccessLogConfig { common_config: Some(common), ..Default::default() };
    AccessLog {
        name: "envoy.access_loggers.http_grpc".to_owned(),
        filter: Some(AccessLogFilter {
            filter_specifier: Some(FilterSpecifier::AndFilter(AndFilter {
                filters: ["/healthz", "/readyz"].map(not).to_vec(),
            })),
        }),
        config_type: Some(access_log::ConfigType::TypedConfig(pack_any(config))),
    }
}

/// Probes come every few seconds, for ever. Which of the rest is logged is decided by whoever reads it.
fn not(path: &str) -> AccessLogFilter {
    AccessLogFilter {
        filter_specifier: Some(FilterSpecifier::HeaderFilter(HeaderFilter {
            header: Some(HeaderMatcher {
                name: ":path".to_owned(),
                header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
                    match_pattern: Some(MatchPattern::Exact(path.to_owned())),
                    ..Default::default()
                })),
                invert_match: true,
                // What Envoy refused while it read the headers has none, and is counted.
                treat_missing_header_as_empty: true,
            }),
        })),
    }
}
