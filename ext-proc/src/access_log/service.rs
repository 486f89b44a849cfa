//! The gRPC service, with messages of our own.
//!
//! Envoy copies a client's request id (and whatever else comes before its own checks) into protobuf strings as it
//! is. One that is no UTF-8 makes the message one that the generated types refuse, and with it all entries of the
//! batch: a client could delete other clients' lines. So strings of clients are read as bytes here, and every
//! entry by itself.

use super::AccessLog;
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsResponse;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::SERVICE_NAME;
use prost::Message;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{ClientStreamingService, Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// `envoy.service.accesslog.v3.StreamAccessLogsMessage`: what is read of it.
#[derive(Clone, PartialEq, Message)]
struct Batch {
    #[prost(message, optional, tag = "2")]
    http_logs: Option<Entries>,
}

#[derive(Clone, PartialEq, Message)]
struct Entries {
    #[prost(bytes = "vec", repeated, tag = "1")]
    log_entry: Vec<Vec<u8>>,
}

/// `envoy.data.accesslog.v3.HTTPAccessLogEntry`
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    common_properties: Option<AccessLogCommon>,
    #[prost(int32, tag = "2")]
    protocol_version: i32,
    #[prost(message, optional, tag = "3")]
    request: Option<RequestProperties>,
    #[prost(message, optional, tag = "4")]
    response: Option<HttpResponseProperties>,
}

/// `envoy.data.accesslog.v3.HTTPRequestProperties`: what is read of it.
#[derive(Clone, PartialEq, Message)]
struct RequestProperties {
    #[prost(int32, tag = "1")]
    request_method: i32,
    #[prost(bytes = "vec", tag = "5")]
    path: Vec<u8>,
    #[prost(bytes = "vec", tag = "9")]
    request_id: Vec<u8>,
}

/// `StreamAccessLogs`, to be added to a server's routes.
#[derive(Debug, Clone)]
pub(crate) struct AccessLogServer(pub(super) Arc<AccessLog>);

// === impl AccessLogServer ===

impl NamedService for AccessLogServer {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<http::Request<Body>> for AccessLogServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            if request.uri().path().rsplit('/').next() != Some("StreamAccessLogs") {
                return Ok(Status::unimplemented("StreamAccessLogs is all there is").into_http());
            }
            let codec = ProstCodec::<StreamAccessLogsResponse, Batch>::default();
            Ok(Grpc::new(codec).client_streaming(method, request).await)
        })
    }
}

impl ClientStreamingService<Batch> for AccessLogServer {
    type Response = StreamAccessLogsResponse;
    type Future = BoxFuture<Response<StreamAccessLogsResponse>, Status>;

    fn call(&mut self, request: Request<Streaming<Batch>>) -> Self::Future {
        let log = Arc::clone(&self.0);
        Box::pin(async move {
            let mut batches = request.into_inner();
            // A stream lives as long as the worker of Envoy that opened it; an error is its end.
            while let Ok(Some(batch)) = batches.message().await {
                let entries = batch.http_logs.unwrap_or_default().log_entry;
                let read: Vec<_> = entries.iter().filter_map(|bytes| read(bytes)).collect();
                (read.len()..entries.len()).for_each(|_| log.counts.unreadable());
                log.take(read);
            }
            Ok(Response::new(StreamAccessLogsResponse {}))
        })
    }
}

/// One entry, clients' strings made UTF-8.
fn read(bytes: &[u8]) -> Option<HttpAccessLogEntry> {
    let Entry { common_properties, protocol_version, request, response } = Entry::decode(bytes).ok()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let request = request.map(|request| HttpRequestProperties {
        request_method: request.request_method,
        path: text(request.path),
        request_id: text(request.request_id),
        ..Default::default()
    });
    Some(HttpAccessLogEntry { common_properties, protocol_version, request, response })
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::data::accesslog::v3::http_access_log_entry::HttpVersion;
    use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
    use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
        HttpAccessLogEntries, LogEntries,
    };

    fn entry(request_id: &str) -> HttpAccessLogEntry {
        HttpAccessLogEntry {
            common_properties: Some(AccessLogCommon { upstream_request_attempt_count: 3, ..Default::default() }),
            protocol_version: HttpVersion::Http2.into(),
            request: Some(HttpRequestProperties {
                request_method: 3,
                path: "/v1/x".into(),
                request_id: request_id.into(),
                ..Default::default()
            }),
            response: Some(HttpResponseProperties { response_code_details: "d".into(), ..Default::default() }),
        }
    }

    #[test]
    fn our_messages_are_envoy_s() {
        let sent = vec![entry("a"), entry("b")];
        let logs = LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: sent.clone() });
        let message = StreamAccessLogsMessage { log_entries: Some(logs), ..Default::default() };
        let batch = Batch::decode(message.encode_to_vec().as_slice()).unwrap();
        let got: Vec<_> = batch.http_logs.unwrap().log_entry.iter().map(|bytes| read(bytes).unwrap()).collect();
        assert_eq!(got, sent);
    }

    #[test]
    fn a_client_s_bytes_that_are_no_text_cost_no_line() {
        let mut bytes = entry("MARK").encode_to_vec();
        let at = bytes.windows(4).position(|window| window == b"MARK").unwrap();
        bytes[at] = 0xff;
        assert!(HttpAccessLogEntry::decode(bytes.as_slice()).is_err(), "else this service is not needed");
        assert_eq!(read(&bytes).unwrap().request.unwrap().request_id, "\u{fffd}ARK");
        assert_eq!(read(b"\xff\xff"), None);
    }
}
