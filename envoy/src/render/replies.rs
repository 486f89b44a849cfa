//! Envoy's own answers in the clients' shape, with upstream's texts.
//!
//! The filter's answers are marked and left alone, the picker's known by their status; what remains is Envoy speaking: no endpoint could be
//! reached, none was there, a timeout, a body over the last limit, a dead filter.

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, AndFilter, ComparisonFilter, ExtensionFilter, HeaderFilter, ResponseFlagFilter, StatusCodeFilter,
    access_log_filter::FilterSpecifier, comparison_filter::Op, extension_filter,
};
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, HeaderValue, HeaderValueOption, RuntimeUInt32, SubstitutionFormatString, data_source::Specifier,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::route::v3::{HeaderMatcher, header_matcher::HeaderMatchSpecifier};
use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::{Struct, UInt32Value, Value, value::Kind};
use envoy_types::util::pack_any;
use kthena_core::reply::{Shape, error_type};
use kthena_core::wire;

/// When Envoy answers, and what the client reads then.
struct Case {
    /// Envoy's response flags; empty for any.
    flags: &'static [&'static str],
    /// Only where nothing but a pick may serve.
    picks_only: bool,
    /// Which of Envoy's statuses it answers.
    when: (Op, u32),
    /// The status that the client gets; `None` keeps Envoy's.
    status: Option<u32>,
    /// `error.code`
    code: &'static str,
    /// `error.message`; Envoy puts its own reason in where it is named.
    message: &'static str,
}

const CASES: [Case; 11] = [
    // The client fell silent in the middle of its request: no pod has seen it.
    Case {
        flags: &["SI"],
        picks_only: false,
        when: (Op::Eq, 408),
        status: None,
        code: "request_timeout",
        message: "request took too long to arrive (%RESPONSE_CODE_DETAILS%)",
    },
    Case {
        flags: &["UT", "SI", "DT", "UMSDR"],
        picks_only: false,
        when: (Op::Ge, 0),
        status: Some(504),
        code: "timeout",
        message: "request to pod timed out",
    },
    Case {
        flags: &["UF", "UC", "UR", "URX", "LR", "UPE", "UO"],
        picks_only: false,
        when: (Op::Ge, 0),
        status: Some(503),
        code: "upstream_failed",
        message: "request to all pods failed",
    },
    Case {
        flags: &["UH", "NC"],
        picks_only: true,
        when: (Op::Ge, 0),
        status: Some(503),
        code: "no_pod_picked",
        message: "no pod was picked: the endpoint picker is away or found none",
    },
    Case {
        flags: &["UH", "NC"],
        picks_only: false,
        when: (Op::Ge, 0),
        status: Some(503),
        code: "no_available_pods",
        message: "no available pods",
    },
    // The filter has given up on a request: it sets no flag, and nobody else answers so.
    Case {
        flags: &[],
        picks_only: false,
        when: (Op::Eq, 504),
        status: None,
        code: "timeout",
        message: "request to pod timed out",
    },
    Case {
        flags: &[],
        picks_only: false,
        when: (Op::Ge, 500),
        status: None,
        code: "internal_error",
        message: "internal error (%RESPONSE_CODE_DETAILS%)",
    },
    Case {
        flags: &[],
        picks_only: false,
        when: (Op::Eq, 413),
        status: None,
        code: "request_too_large",
        message: "request body is too large",
    },
    Case {
        flags: &[],
        picks_only: false,
        when: (Op::Eq, 431),
        status: None,
        code: "request_headers_too_large",
        message: "request headers are too large or too many (%RESPONSE_CODE_DETAILS%)",
    },
    Case {
        flags: &[],
        picks_only: false,
        when: (Op::Eq, 408),
        status: None,
        code: "request_timeout",
        message: "request took too long to arrive (%RESPONSE_CODE_DETAILS%)",
    },
    Case {
        flags: &[],
        picks_only: false,
        when: (Op::Ge, 400),
        status: None,
        code: "bad_request",
        message: "bad request (%RESPONSE_CODE_DETAILS%)",
    },
];

/// Envoy has no memory left for new requests.
const OVERLOADED: Case = Case {
    flags: &[],
    picks_only: false,
    when: (Op::Ge, 503),
    status: Some(503),
    code: "overloaded",
    message: "the router is overloaded, try again later",
};

/// When to try again, in seconds: memory comes free as requests end.
const OVERLOADED_FOR: &str = "5";

pub(super) fn config() -> LocalReplyConfig {
    let mut mappers = vec![not_ready(), refused()];
    for shape in [Shape::Anthropic, Shape::OpenAi] {
        mappers.push(overloaded(shape));
        mappers.extend(CASES.iter().map(|case| mapper(case, shape)));
    }
    LocalReplyConfig { mappers, body_format: None }
}

/// `/readyz` while the picker is away.
fn not_ready() -> ResponseMapper {
    ResponseMapper {
        filter: Some(all(vec![unmarked(), path(MatchPattern::Exact("/readyz".to_owned()))])),
        body_format_override: Some(json(object([("message", string("router is not ready"))]))),
        ..Default::default()
    }
}

/// The picker's refusals: they are in the client's shape already, and nobody else answers so.
fn refused() -> ResponseMapper {
    let as_it_is = SubstitutionFormatString {
        format: Some(Format::TextFormatSource(DataSource {
            specifier: Some(Specifier::InlineString("%LOCAL_REPLY_BODY%".to_owned())),
            ..Default::default()
        })),
        content_type: "application/json".to_owned(),
        ..Default::default()
    };
    let filter = all(vec![unmarked(), status_is(Op::Eq, 429)]);
    ResponseMapper { filter: Some(filter), body_format_override: Some(as_it_is), ..Default::default() }
}

/// Told by its details only: it has no flag, and comes before any filter.
fn overloaded(shape: Shape) -> ResponseMapper {
    let expression = "response.code_details == 'overload'".to_owned();
    let told = filter(FilterSpecifier::ExtensionFilter(ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(extension_filter::ConfigType::TypedConfig(pack_any(ExpressionFilter {
            expression,
            ..Default::default()
        }))),
    }));
    let mapper = mapper(&OVERLOADED, shape);
    let header = HeaderValue { key: "retry-after".to_owned(), value: OVERLOADED_FOR.to_owned(), ..Default::default() };
    ResponseMapper {
        filter: Some(all(mapper.filter.into_iter().chain([told]).collect())),
        headers_to_add: vec![HeaderValueOption { header: Some(header), ..Default::default() }],
        ..mapper
    }
}

fn mapper(case: &Case, shape: Shape) -> ResponseMapper {
    let mut filters = vec![unmarked()];
    if shape == Shape::Anthropic {
        filters.push(path(MatchPattern::Prefix("/v1/messages".to_owned())));
    }
    if !case.flags.is_empty() {
        let flags = case.flags.iter().map(|flag| (*flag).to_owned()).collect();
        filters.push(filter(FilterSpecifier::ResponseFlagFilter(ResponseFlagFilter { flags })));
    }
    if case.picks_only {
        filters.extend([header(wire::TARGET, true), header(wire::SUBSET, false)]);
    }
    let (op, threshold) = case.when;
    filters.push(status_is(op, threshold));
    let status = case.status.unwrap_or(threshold);
    let r#type = string(error_type(shape, u16::try_from(status.max(400)).unwrap_or(500)));
    let message = string(case.message);
    let body = match shape {
        Shape::OpenAi => object([(
            "error",
            structure(object([
                ("message", message),
                ("type", r#type),
                ("param", Value { kind: Some(Kind::NullValue(0)) }),
                ("code", string(case.code)),
            ])),
        )]),
        Shape::Anthropic => {
            let error = structure(object([("type", r#type), ("message", message)]));
            object([("type", string("error")), ("error", error)])
        }
    };
    ResponseMapper {
        filter: Some(all(filters)),
        status_code: case.status.map(|value| UInt32Value { value }),
        body_format_override: Some(json(body)),
        ..Default::default()
    }
}

fn all(filters: Vec<AccessLogFilter>) -> AccessLogFilter {
    filter(FilterSpecifier::AndFilter(AndFilter { filters }))
}

fn filter(specifier: FilterSpecifier) -> AccessLogFilter {
    AccessLogFilter { filter_specifier: Some(specifier) }
}

/// Not one of the filter's own answers.
fn unmarked() -> AccessLogFilter {
    header(wire::LOCAL_REPLY, false)
}

fn header(name: &str, present: bool) -> AccessLogFilter {
    filter(FilterSpecifier::HeaderFilter(HeaderFilter {
        header: Some(HeaderMatcher {
            name: name.to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
            invert_match: !present,
            ..Default::default()
        }),
    }))
}

fn path(pattern: MatchPattern) -> AccessLogFilter {
    filter(FilterSpecifier::HeaderFilter(HeaderFilter {
        header: Some(HeaderMatcher {
            name: ":path".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
                match_pattern: Some(pattern),
                ..Default::default()
            })),
            ..Default::default()
        }),
    }))
}

fn status_is(op: Op, threshold: u32) -> AccessLogFilter {
    filter(FilterSpecifier::StatusCodeFilter(StatusCodeFilter {
        comparison: Some(ComparisonFilter {
            op: op.into(),
            // Envoy wants a runtime key even where none is set.
            value: Some(RuntimeUInt32 { default_value: threshold, runtime_key: "kthena.replies".to_owned() }),
        }),
    }))
}

fn json(body: Struct) -> SubstitutionFormatString {
    SubstitutionFormatString { format: Some(Format::JsonFormat(body)), ..Default::default() }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Struct {
    Struct { fields: fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect() }
}

fn structure(fields: Struct) -> Value {
    Value { kind: Some(Kind::StructValue(fields)) }
}

fn string(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.to_owned())) }
}
