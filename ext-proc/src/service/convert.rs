//! Between ext_proc's messages and the picker's words.

use crate::decisions::Record;
use crate::telemetry::Whereto;
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse, ProcessingRequest,
    ProcessingResponse, TrailersResponse, processing_request, processing_response,
};
use envoy_types::pb::envoy::r#type::v3::{HttpStatus, StatusCode};
use kthena_core::prefix;
use kthena_core::reply::{Refusal, Shape};
use kthena_core::scheduling::{Decision, Request, Saturated};
use kthena_core::wire;
use percent_encoding::percent_decode_str;
use std::time::SystemTime;

/// The client's, or Envoy's where the client sent none.
const REQUEST_ID: &str = "x-request-id";

/// What the filter said of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Asked {
    target: String,
    model: String,
    client_model: String,
    route: String,
    request_id: String,
    shape: Option<Shape>,
    prefix: Vec<u64>,
    tokens: u32,
    key: Option<u64>,
    rationed: bool,
}

impl Asked {
    /// The shape that this client's errors have.
    pub fn shape(&self) -> Shape {
        self.shape.unwrap_or(Shape::OpenAi)
    }

    /// The request's key, which the log's entry of its end has too.
    pub fn key(&self) -> Option<u64> {
        self.key
    }

    /// What is remembered of the question and its answer; `None` for a target that nobody published.
    pub(crate) fn into_record(self, decision: Option<Decision>) -> Record {
        Record {
            number: 0,
            time: SystemTime::now(),
            request_id: self.request_id,
            target: self.target,
            model: self.model,
            tokens: self.tokens,
            rationed: self.rationed,
            decision,
        }
    }

    /// As the scheduler takes it.
    pub fn request(&self) -> Request<'_> {
        Request { target: &self.target, model: &self.model, tokens: self.tokens, prefix: &self.prefix }
    }

    /// What the gauges tell apart.
    pub(super) fn whereto(&self) -> Whereto<'_> {
        let Self { target, model, client_model, route, .. } = self;
        Whereto { model: client_model, route, server: target, upstream_model: model }
    }
}

/// The question in a message; `None` for a message that asks none.
pub fn asked(message: &ProcessingRequest) -> Option<Asked> {
    let Some(processing_request::Request::RequestHeaders(headers)) = &message.request else { return None };
    let mut asked = Asked::default();
    for header in headers.headers.iter().flat_map(|map| &map.headers) {
        match header.key.as_str() {
            wire::TARGET => asked.target = value(header),
            wire::UPSTREAM_MODEL => asked.model = name(header),
            wire::MODEL => asked.client_model = name(header),
            wire::ROUTE => asked.route = value(header),
            wire::SHAPE => asked.shape = (value(header) == wire::ANTHROPIC).then_some(Shape::Anthropic),
            wire::PREFIX_CHAIN => asked.prefix = prefix::decode(&value(header)).unwrap_or_default(),
            wire::TOKENS => asked.tokens = tokens(&value(header)),
            wire::KEY => asked.key = u64::from_str_radix(&value(header), 16).ok(),
            wire::RETRIES => asked.rationed = value(header) == wire::RATIONED,
            REQUEST_ID => asked.request_id = value(header),
            _ => {}
        }
    }
    Some(asked)
}

/// A model's name, which the filter percent-encodes.
fn name(header: &HeaderValue) -> String {
    percent_decode_str(&value(header)).decode_utf8_lossy().into_owned()
}

/// As many as fit: a body that long is refused.
fn tokens(text: &str) -> u32 {
    text.parse::<u64>().map_or(0, |tokens| u32::try_from(tokens).unwrap_or(u32::MAX))
}

/// Envoy fills one of the two, by its version and settings.
fn value(header: &HeaderValue) -> String {
    if header.raw_value.is_empty() {
        header.value.clone()
    } else {
        String::from_utf8_lossy(&header.raw_value).into_owned()
    }
}

fn header(key: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: key.to_owned(), raw_value: value.into_bytes(), ..Default::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..Default::default()
    }
}

/// The answer to the question: where to go, or nothing, which leaves it to Envoy.
pub fn destination(list: Option<String>) -> ProcessingResponse {
    let mutation = list
        .map(|list| header(wire::DESTINATION, list))
        .map(|option| HeaderMutation { set_headers: vec![option], ..Default::default() });
    let response = CommonResponse { header_mutation: mutation, ..Default::default() };
    response_of(processing_response::Response::RequestHeaders(HeadersResponse { response: Some(response) }))
}

/// The answer to a request that nobody may serve now: 429, with the time to ask again in whole seconds.
pub fn refusal(saturated: &Saturated, shape: Shape) -> ProcessingResponse {
    let refusal = Refusal::Saturated(saturated.by.to_owned()).reply(shape);
    let set_headers = vec![header("retry-after", saturated.retry_after.as_secs().to_string())];
    response_of(processing_response::Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code: StatusCode::TooManyRequests.into() }),
        headers: Some(HeaderMutation { set_headers, ..Default::default() }),
        body: refusal.body,
        details: format!("{}{}", wire::SATURATED, saturated.by),
        ..Default::default()
    }))
}

/// The answer to a message that asks nothing: go on. `None` where none is due.
pub fn pass(message: &ProcessingRequest) -> Option<ProcessingResponse> {
    use processing_request::Request as Asked;
    use processing_response::Response as Answer;
    let answer = match message.request.as_ref()? {
        Asked::RequestHeaders(_) => Answer::RequestHeaders(HeadersResponse::default()),
        Asked::ResponseHeaders(_) => Answer::ResponseHeaders(HeadersResponse::default()),
        Asked::RequestBody(_) => Answer::RequestBody(BodyResponse::default()),
        Asked::ResponseBody(_) => Answer::ResponseBody(BodyResponse::default()),
        Asked::RequestTrailers(_) => Answer::RequestTrailers(TrailersResponse::default()),
        Asked::ResponseTrailers(_) => Answer::ResponseTrailers(TrailersResponse::default()),
    };
    Some(response_of(answer))
}

fn response_of(response: processing_response::Response) -> ProcessingResponse {
    ProcessingResponse { response: Some(response), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::config::core::v3::HeaderMap;
    use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, HttpTrailers};

    fn header(key: &str, raw: &str, value: &str) -> HeaderValue {
        HeaderValue { key: key.to_owned(), raw_value: raw.as_bytes().to_vec(), value: value.to_owned() }
    }

    fn message(request: processing_request::Request) -> ProcessingRequest {
        ProcessingRequest { request: Some(request), ..Default::default() }
    }

    fn ask(headers: Vec<HeaderValue>) -> Asked {
        let headers = HttpHeaders { headers: Some(HeaderMap { headers }), ..Default::default() };
        asked(&message(processing_request::Request::RequestHeaders(headers))).unwrap()
    }

    #[test]
    fn the_question_is_read_from_raw_or_plain_values() {
        let headers = vec![
            header(wire::TARGET, "default/a", ""),
            header(wire::UPSTREAM_MODEL, "", "m"),
            header(wire::MODEL, "%E9%80%9A%25", ""),
            header(wire::ROUTE, "default/r", ""),
            header("user-agent", "x", ""),
            header(REQUEST_ID, "id-1", ""),
            header(wire::PREFIX_CHAIN, &prefix::encode(&[7, u64::MAX]), ""),
            header(wire::TOKENS, "12", ""),
            header(wire::KEY, "", "00000000000000ff"),
            header(wire::RETRIES, wire::RATIONED, ""),
        ];
        let expected = Asked {
            target: "default/a".into(),
            model: "m".into(),
            client_model: "通%".into(),
            route: "default/r".into(),
            request_id: "id-1".into(),
            shape: None,
            prefix: vec![7, 0xffff_ffff_ffff],
            tokens: 12,
            key: Some(255),
            rationed: true,
        };
        assert_eq!(ask(headers), expected);
    }

    #[test]
    fn headers_that_the_filter_did_not_write_say_nothing() {
        assert_eq!(ask(vec![]), Asked::default());
        let headers =
            [wire::PREFIX_CHAIN, wire::TOKENS, wire::KEY, wire::RETRIES].map(|name| header(name, "no such thing", ""));
        assert_eq!(ask(headers.to_vec()), Asked::default());
        assert_eq!(ask(vec![header(wire::TOKENS, "99999999999", "")]).request().tokens, u32::MAX);
    }

    #[test]
    fn the_answer_sets_the_destination_or_nothing() {
        let Some(processing_response::Response::RequestHeaders(headers)) = destination(Some("a:1,b:1".into())).response
        else {
            panic!("an answer to headers")
        };
        let mutation = headers.response.unwrap().header_mutation.unwrap();
        let set = mutation.set_headers[0].header.as_ref().unwrap();
        assert_eq!((set.key.as_str(), set.raw_value.as_slice()), (wire::DESTINATION, &b"a:1,b:1"[..]));

        let Some(processing_response::Response::RequestHeaders(headers)) = destination(None).response else {
            panic!("an answer to headers")
        };
        assert_eq!(headers.response.unwrap().header_mutation, None);
    }

    #[test]
    fn what_asks_nothing_passes() {
        let trailers = message(processing_request::Request::ResponseTrailers(HttpTrailers::default()));
        assert_eq!(asked(&trailers), None);
        let answer = pass(&trailers).unwrap().response.unwrap();
        assert!(matches!(answer, processing_response::Response::ResponseTrailers(_)));
        assert_eq!(pass(&ProcessingRequest::default()), None);
    }
}
