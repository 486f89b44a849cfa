//! Spans: Envoy makes one of each request and one of each try, and the filter says what they tell.
//!
//! Seen on Envoy 1.40: custom tags and the operation are read when a span ends, those that are empty are left out, and all
//! values are text. The picker gets the context in its gRPC metadata; the headers that it is handed have the client's.

use super::{OTLP, uint32};
use crate::tracing::{Sampling, Tracing};
use envoy_types::pb::envoy::config::core::v3::{GrpcService, TypedExtensionConfig, grpc_service};
use envoy_types::pb::envoy::config::trace::v3::{OpenTelemetryConfig, tracing::Http, tracing::http};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    RequestIdExtension, http_connection_manager::Tracing as OfManager,
};
use envoy_types::pb::envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig;
use envoy_types::pb::envoy::extensions::tracers::opentelemetry::samplers::v3::{
    ParentBasedSamplerConfig, TraceIdRatioBasedSamplerConfig,
};
use envoy_types::pb::envoy::r#type::tracing::v3::{CustomTag, custom_tag};
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};
use envoy_types::pb::google::protobuf::{Any, BoolValue};
use envoy_types::util::pack_any;
use kthena_core::gen_ai::span;
use kthena_core::wire;

/// Whose spans these are, to people who look at them.
const SERVICE: &str = "kthena";

/// How Envoy makes spans of requests.
pub(super) fn of_requests(tracing: &Tracing) -> OfManager {
    let exporter = grpc_service::EnvoyGrpc { cluster_name: OTLP.to_owned(), ..Default::default() };
    let provider = OpenTelemetryConfig {
        grpc_service: Some(GrpcService {
            target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(exporter)),
            ..Default::default()
        }),
        service_name: SERVICE.to_owned(),
        sampler: Some(sampler(tracing.sampling)),
        ..Default::default()
    };
    let notes = span::ATTRIBUTES.into_iter().filter(|name| *name != span::NAME).map(|name| tag(name, noted(name)));
    let own = [
        ("http.request.method", "%REQ(:METHOD)%"),
        ("http.response.status_code", "%RESPONSE_CODE%"),
        // Without what follows `?`: clients put credentials there.
        ("url.path", "%PATH(NQ):256%"),
        ("server.address", "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%"),
        ("server.port", "%DOWNSTREAM_LOCAL_PORT%"),
        ("kthena.endpoint", "%UPSTREAM_REMOTE_ADDRESS%"),
    ];
    OfManager {
        // Envoy's own tag of the URL has the query.
        max_path_tag_length: uint32(0),
        custom_tags: notes.chain(own.map(|(name, value)| tag(name, value.to_owned()))).collect(),
        provider: Some(Http {
            name: "envoy.tracers.opentelemetry".to_owned(),
            config_type: Some(http::ConfigType::TypedConfig(pack_any(provider))),
        }),
        spawn_upstream_span: Some(BoolValue { value: true }),
        operation: noted(span::NAME),
        upstream_operation: "%REQ(:METHOD)%".to_owned(),
        ..Default::default()
    }
}

/// Request ids have no part in traces: by default Envoy writes into those of clients whether they are traced, and draws by
/// them, so that requests whose id is no UUID are never traced.
pub(super) fn request_ids() -> RequestIdExtension {
    let no = || Some(BoolValue { value: false });
    let config = UuidRequestIdConfig { pack_trace_reason: no(), use_request_id_for_trace_sampling: no() };
    RequestIdExtension { typed_config: Some(pack_any(config)) }
}

/// As the client's `traceparent` says; without one, that share.
fn sampler(sampling: Sampling) -> TypedExtensionConfig {
    let share =
        FractionalPercent { numerator: sampling.of_ten_thousand(), denominator: DenominatorType::TenThousand.into() };
    let drawn = TraceIdRatioBasedSamplerConfig { sampling_percentage: Some(share) };
    let drawn = extension("trace_id_ratio_based", pack_any(drawn));
    extension("parent_based", pack_any(ParentBasedSamplerConfig { wrapped_sampler: Some(drawn) }))
}

fn extension(name: &str, typed_config: Any) -> TypedExtensionConfig {
    TypedExtensionConfig {
        name: format!("envoy.tracers.opentelemetry.samplers.{name}"),
        typed_config: Some(typed_config),
    }
}

/// A tag whose value is made by Envoy's format.
pub(super) fn tag(name: &str, format: String) -> CustomTag {
    CustomTag { tag: name.to_owned(), r#type: Some(custom_tag::Type::Value(format)) }
}

/// What the filter left under that name.
fn noted(name: &str) -> String {
    format!("%FILTER_STATE({}{name}:PLAIN)%", wire::IN_ENVOY)
}
