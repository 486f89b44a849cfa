//! Which bound ended a request, by what Envoy says of it.

use super::failure::upstream_status;
use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;

/// A bound that requests can exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The body's size.
    Body,
    /// The headers' size or number.
    Headers,
    /// The time that the headers may take.
    SlowHeaders,
    /// The time that a whole request may take to arrive.
    SlowRequest,
    /// The time in which nothing moves.
    Idle,
    /// Envoy's memory.
    Overload,
}

// === impl Bound ===

impl Bound {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Body, Self::Headers, Self::SlowHeaders, Self::SlowRequest, Self::Idle, Self::Overload];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Headers => "headers",
            Self::SlowHeaders => "slow_headers",
            Self::SlowRequest => "slow_request",
            Self::Idle => "idle",
            Self::Overload => "overload",
        }
    }

    /// The bound that ended this request, if one did.
    pub(super) fn of(entry: &HttpAccessLogEntry) -> Option<Self> {
        let response = entry.response.as_ref()?;
        match response.response_code_details.as_str() {
            "overload" => Some(Self::Overload),
            "request_header_timeout" => Some(Self::SlowHeaders),
            "request_overall_timeout" => Some(Self::SlowRequest),
            "stream_idle_timeout" => Some(Self::Idle),
            "http1.headers_too_large"
            | "http1.too_many_headers"
            | "http2.header_list_size_too_large"
            | "http2.too_many_headers" => Some(Self::Headers),
            // An engine's own is not ours.
            _ if upstream_status(entry).is_some() => None,
            _ => match response.response_code?.value {
                413 => Some(Self::Body),
                431 => Some(Self::Headers),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpResponseProperties};
    use envoy_types::pb::google::protobuf::{Duration, UInt32Value};

    fn entry(status: u32, details: &str, engine: bool) -> HttpAccessLogEntry {
        let response = HttpResponseProperties {
            response_code: Some(UInt32Value { value: status }),
            response_code_details: details.to_owned(),
            ..Default::default()
        };
        let common =
            AccessLogCommon { time_to_first_upstream_rx_byte: engine.then(Duration::default), ..Default::default() };
        HttpAccessLogEntry { common_properties: Some(common), response: Some(response), ..Default::default() }
    }

    #[test]
    fn what_envoy_says_names_the_bound() {
        for (status, details, bound) in [
            (503, "overload", Some(Bound::Overload)),
            (431, "http1.headers_too_large", Some(Bound::Headers)),
            (431, "http1.too_many_headers", Some(Bound::Headers)),
            (0, "http2.header_list_size_too_large", Some(Bound::Headers)),
            (0, "http2.too_many_headers", Some(Bound::Headers)),
            (408, "request_header_timeout", Some(Bound::SlowHeaders)),
            (408, "request_overall_timeout", Some(Bound::SlowRequest)),
            (200, "stream_idle_timeout", Some(Bound::Idle)),
            (413, "request_payload_too_large", Some(Bound::Body)),
            (413, "", Some(Bound::Body)),
            (431, "", Some(Bound::Headers)),
            (200, "via_upstream", None),
            (503, "no_healthy_upstream", None),
        ] {
            assert_eq!(Bound::of(&entry(status, details, false)), bound, "{status} {details}");
        }
    }

    #[test]
    fn an_engine_s_own_refusal_is_no_bound_of_ours() {
        for status in [413, 431] {
            assert_eq!(Bound::of(&entry(status, "via_upstream", true)), None);
        }
    }
}
