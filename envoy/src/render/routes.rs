//! RDS: health, and one route to the engines for each back-off class.

use super::filters::EXT_PROC;
use super::{ENGINES, NAME, PICKER, duration, uint32};
use crate::data_plane::DataPlane;
use crate::xds::Resource;
use envoy_types::pb::envoy::config::core::v3::{DataSource, HeaderValue, HeaderValueOption, data_source};
use envoy_types::pb::envoy::config::route::v3::{
    DirectResponseAction, HeaderMatcher, RetryPolicy, Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost,
    header_matcher::HeaderMatchSpecifier, retry_policy, retry_policy::RetryBackOff, route, route_action, route_match,
};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::{ExtProcPerRoute, ext_proc_per_route::Override};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::envoy::r#type::v3::Int64Range;
use envoy_types::pb::google::protobuf::UInt64Value;
use envoy_types::util::pack_any;
use kthena_core::routing::BackoffClass;
use kthena_core::wire;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// Envoy's own limit lies above the filter's, so that the client gets the filter's answer.
const ROOM_ABOVE_LIMIT: u64 = 1 << 20;

/// How often a retry draws another endpoint before it takes one that was tried.
const SELECTIONS: i64 = 10;

/// Answers that are tried elsewhere: every 5xx but 501, which the next engine would give as well.
const FAILURES: [Range<i64>; 2] = [500..501, 502..600];

/// How long a request may be silent stands here and not with the listener, whose every change would drain its
/// connections.
pub(super) fn render(data_plane: &DataPlane) -> Resource {
    let DataPlane { routes: classes, stream_idle_timeout: idle, endpoint_header, .. } = data_plane;
    let max_request_body_bytes = data_plane.table.max_request_body_bytes;
    let mut routes = vec![healthz(), readyz()];
    // What the filter has not seen through yet has no class: its body is buffered under the last route.
    let classes = classes.iter().copied().map(Some).chain([None]);
    let says_endpoint: Vec<_> = endpoint_header.then(endpoint).into_iter().collect();
    routes
        .extend(classes.map(|class| Route { response_headers_to_add: says_endpoint.clone(), ..engines(class, *idle) }));
    (
        NAME,
        RouteConfiguration {
            name: NAME.to_owned(),
            virtual_hosts: vec![VirtualHost {
                name: NAME.to_owned(),
                domains: vec!["*".to_owned()],
                routes,
                // A paused body beyond the buffer (1 MiB by default) would get Envoy's plain 413, and one
                // beyond it is never retried.
                request_body_buffer_limit: Some(UInt64Value { value: max_request_body_bytes + ROOM_ABOVE_LIMIT }),
                ..Default::default()
            }],
            ..Default::default()
        },
    )
        .into()
}

/// Answered by Envoy alone: it says that this process serves, not that the picker does.
fn healthz() -> Route {
    let body = DataSource {
        specifier: Some(data_source::Specifier::InlineString(r#"{"message":"ok"}"#.to_owned())),
        ..Default::default()
    };
    Route {
        response_headers_to_add: vec![HeaderValueOption {
            header: Some(HeaderValue {
                key: "content-type".to_owned(),
                value: "application/json".to_owned(),
                ..Default::default()
            }),
            append_action: 2, // OVERWRITE_IF_EXISTS_OR_ADD
            ..Default::default()
        }],
        ..without_pick(
            "/healthz",
            route::Action::DirectResponse(DirectResponseAction { status: 200, body: Some(body), ..Default::default() }),
        )
    }
}

/// Answered by the picker; when it is away, by [`super::replies`].
fn readyz() -> Route {
    let to_picker = RouteAction {
        cluster_specifier: Some(route_action::ClusterSpecifier::Cluster(PICKER.to_owned())),
        timeout: duration(Duration::from_secs(2)),
        ..Default::default()
    };
    without_pick("/readyz", route::Action::Route(to_picker))
}

fn without_pick(path: &str, action: route::Action) -> Route {
    let disabled = ExtProcPerRoute { r#override: Some(Override::Disabled(true)) };
    Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(route_match::PathSpecifier::Path(path.to_owned())),
            ..Default::default()
        }),
        action: Some(action),
        typed_per_filter_config: HashMap::from([(EXT_PROC.to_owned(), pack_any(disabled))]),
        ..Default::default()
    }
}

fn engines(class: Option<BackoffClass>, idle: Duration) -> Route {
    let headers = class.map(|class| HeaderMatcher {
        name: wire::BACKOFF.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
            match_pattern: Some(MatchPattern::Exact(class.name().to_owned())),
            ..Default::default()
        })),
        ..Default::default()
    });
    // Envoy draws each pause between nothing and the interval: twice the pause has the pause for its mean.
    let interval = duration(2 * class.unwrap_or(BackoffClass::Ms25).interval());
    Route {
        name: format!("engines-{}", class.map_or("unseen", BackoffClass::name)),
        r#match: Some(RouteMatch {
            path_specifier: Some(route_match::PathSpecifier::Prefix("/".to_owned())),
            headers: headers.into_iter().collect(),
            ..Default::default()
        }),
        action: Some(route::Action::Route(RouteAction {
            cluster_specifier: Some(route_action::ClusterSpecifier::Cluster(ENGINES.to_owned())),
            // Streams last as long as they last; the ModelServer's timeout bounds each try's headers.
            timeout: duration(Duration::ZERO),
            // A stream that hangs ends.
            idle_timeout: duration(idle),
            // When, and how often, comes in the request's headers; neither the pause nor a range of statuses can.
            retry_policy: Some(RetryPolicy {
                num_retries: uint32(0),
                retriable_headers: FAILURES.map(status).into(),
                retry_back_off: Some(RetryBackOff { base_interval: interval, max_interval: interval }),
                // Without the picker's list, least request would try a dead endpoint again and again: it is idle.
                retry_host_predicate: vec![not_again()],
                host_selection_retry_max_attempts: SELECTIONS,
                ..Default::default()
            }),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn status(Range { start, end }: Range<i64>) -> HeaderMatcher {
    HeaderMatcher {
        name: ":status".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::RangeMatch(Int64Range { start, end })),
        ..Default::default()
    }
}

/// Which endpoint answered, after every retry; nothing where none did.
fn endpoint() -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: wire::ENDPOINT.to_owned(),
            value: "%UPSTREAM_REMOTE_ADDRESS%".to_owned(),
            ..Default::default()
        }),
        append_action: 2, // OVERWRITE_IF_EXISTS_OR_ADD
        ..Default::default()
    }
}

/// Passes over the endpoints that were tried.
fn not_again() -> retry_policy::RetryHostPredicate {
    let config = pack_any(PreviousHostsPredicate {});
    retry_policy::RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(retry_policy::retry_host_predicate::ConfigType::TypedConfig(config)),
    }
}
