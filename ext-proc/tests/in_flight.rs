//! In-flight is counted from the pick to the end of the gRPC stream, whatever ends it.

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpHeaders, ProcessingRequest, ProcessingResponse, processing_request, processing_response,
};
use kthena_core::scheduling::Profile;
use kthena_core::wire;
use kthena_ext_proc::access_log::AccessLog;
use kthena_ext_proc::telemetry::Telemetry;
use kthena_ext_proc::{Picker, Pools, routes};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::Streaming;
use tonic::transport::{Channel, Server};

type Client = ExternalProcessorClient<Channel>;

async fn serve() -> (Arc<Picker>, Client) {
    let picker = Picker::new(Profile::default());
    let endpoint = (SocketAddr::from(([10, 0, 0, 1], 8000)), "default/p".to_owned());
    picker.publish(Pools::new([("default/a".to_owned(), vec![endpoint])]));
    let telemetry = Arc::new(Telemetry::new(&picker, &Arc::default()));
    let log = AccessLog::new(Arc::clone(&picker), telemetry, Arc::default(), None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = Server::builder().add_routes(routes(Arc::clone(&picker), log, None));
    tokio::spawn(served.serve_with_incoming(TcpListenerStream::new(listener)));
    (picker, Client::connect(format!("http://{address}")).await.unwrap())
}

fn question(target: &str) -> ProcessingRequest {
    let header = HeaderValue { key: wire::TARGET.to_owned(), raw_value: target.into(), ..Default::default() };
    let headers = HttpHeaders { headers: Some(HeaderMap { headers: vec![header] }), ..Default::default() };
    ProcessingRequest { request: Some(processing_request::Request::RequestHeaders(headers)), ..Default::default() }
}

async fn ask(
    client: &mut Client,
    target: &str,
) -> (mpsc::Sender<ProcessingRequest>, Streaming<ProcessingResponse>, String) {
    let (sender, requests) = mpsc::channel(1);
    sender.send(question(target)).await.unwrap();
    let mut answers = client.process(ReceiverStream::new(requests)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(processing_response::Response::RequestHeaders(headers)) = answer.response else { panic!("{answer:?}") };
    let set = headers.response.unwrap().header_mutation.map(|mutation| mutation.set_headers).unwrap_or_default();
    let destination = set.into_iter().next().and_then(|option| option.header).map(|header| header.raw_value);
    (sender, answers, String::from_utf8(destination.unwrap_or_default()).unwrap())
}

async fn until_in_flight(picker: &Picker, expected: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while picker.in_flight().1 != expected {
        assert!(Instant::now() < deadline, "{} in flight, expected {expected}", picker.in_flight().1);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_releases_its_request_once() {
    let (picker, mut client) = serve().await;
    let (first, mut answers, destination) = ask(&mut client, "default/a").await;
    assert_eq!(destination, "10.0.0.1:8000");
    let (second, _second_answers, _) = ask(&mut client, "default/a").await;
    assert_eq!(picker.in_flight().1, 2);
    drop(first);
    assert!(answers.message().await.unwrap().is_none(), "the picker ends its half too");
    until_in_flight(&picker, 1).await;
    drop(second);
    until_in_flight(&picker, 0).await;
}

#[tokio::test]
async fn a_connection_that_dies_releases_all_its_requests() {
    let (picker, mut client) = serve().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(ask(&mut client, "default/a").await);
    }
    assert_eq!(picker.in_flight().1, 5);
    drop(streams);
    drop(client);
    until_in_flight(&picker, 0).await;
}

#[tokio::test]
async fn an_unknown_target_is_left_to_envoy_and_counts_nothing() {
    let (picker, mut client) = serve().await;
    let (_sender, _answers, destination) = ask(&mut client, "default/unknown").await;
    assert_eq!((destination.as_str(), picker.in_flight().1), ("", 0));
}
