//! The HTTP filters: what is asked, which pod, whose endpoints, off it goes.

use super::endpoints::{KEY, NAMESPACE};
use super::{NAME, PICKER, ads, duration};
use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutationRules;
use envoy_types::pb::envoy::config::core::v3::{ExtensionConfigSource, GrpcService, grpc_service};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::{
    ExternalProcessor, HeaderForwardingRules, ProcessingMode,
    processing_mode::{BodySendMode, HeaderSendMode},
};
use envoy_types::pb::envoy::extensions::filters::http::header_to_metadata::v3::{Config as HeaderToMetadata, config};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{HttpFilter, http_filter};
use envoy_types::pb::envoy::r#type::matcher::v3::{
    ListStringMatcher, RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};
use envoy_types::pb::google::protobuf::{Any, BoolValue};
use envoy_types::util::pack_any;
use kthena_core::wire;
use prost::Name;
use std::time::Duration;

pub(super) const EXT_PROC: &str = "envoy.filters.http.ext_proc";

/// A picker that hangs costs each request this much, once.
const PICK_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) fn chain() -> Vec<HttpFilter> {
    vec![
        HttpFilter {
            name: NAME.to_owned(),
            config_type: Some(http_filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
                config_source: Some(ads()),
                type_urls: vec![Wasm::type_url()],
                ..Default::default()
            })),
            ..Default::default()
        },
        typed(EXT_PROC, pack_any(ext_proc())),
        typed("envoy.filters.http.header_to_metadata", pack_any(target_to_metadata())),
        typed(
            "envoy.filters.http.router",
            pack_any(Router {
                // Engines have no use for Envoy's own headers, nor have clients.
                suppress_envoy_headers: true,
                ..Default::default()
            }),
        ),
    ]
}

fn ext_proc() -> ExternalProcessor {
    let service = grpc_service::EnvoyGrpc { cluster_name: PICKER.to_owned(), ..Default::default() };
    ExternalProcessor {
        grpc_service: Some(GrpcService {
            target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(service)),
            ..Default::default()
        }),
        // False would cut live streams when the picker dies; fail-close is a target that nobody carries.
        failure_mode_allow: true,
        // One message at the start. Asking for the response's trailers, which engines do not send, keeps
        // the gRPC stream open until the request ends, whatever ends it: that is how in-flight is known.
        processing_mode: Some(ProcessingMode {
            request_header_mode: HeaderSendMode::Send.into(),
            response_header_mode: HeaderSendMode::Skip.into(),
            request_body_mode: BodySendMode::None.into(),
            response_body_mode: BodySendMode::None.into(),
            request_trailer_mode: HeaderSendMode::Skip.into(),
            response_trailer_mode: HeaderSendMode::Send.into(),
        }),
        message_timeout: duration(PICK_TIMEOUT),
        // The picker reads nothing but what the filter found out.
        forward_rules: Some(HeaderForwardingRules {
            allowed_headers: Some(ListStringMatcher {
                patterns: [MatchPattern::Prefix(wire::PREFIX.to_owned()), MatchPattern::Exact("x-request-id".into())]
                    .map(|pattern| StringMatcher { match_pattern: Some(pattern), ..Default::default() })
                    .to_vec(),
            }),
            ..Default::default()
        }),
        // The picker sets nothing but its list, and on a refusal when to ask again, whatever it says.
        mutation_rules: Some(HeaderMutationRules {
            disallow_all: Some(BoolValue { value: true }),
            allow_expression: Some(RegexMatcher {
                regex: format!("{}|retry-after", wire::DESTINATION),
                ..Default::default()
            }),
            ..Default::default()
        }),
        // The route is chosen by headers that the picker does not touch.
        disable_clear_route_cache: true,
        stat_prefix: NAME.to_owned(),
        ..Default::default()
    }
}

/// Lets the subset policy find the target's own endpoints when there is no pick; where only a pick may serve,
/// it finds none.
fn target_to_metadata() -> HeaderToMetadata {
    HeaderToMetadata {
        request_rules: vec![config::Rule {
            header: wire::SUBSET.to_owned(),
            on_header_present: Some(config::KeyValuePair {
                metadata_namespace: NAMESPACE.to_owned(),
                key: KEY.to_owned(),
                r#type: config::ValueType::String.into(),
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn typed(name: &str, config: Any) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..Default::default()
    }
}
