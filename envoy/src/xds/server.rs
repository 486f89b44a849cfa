//! One Envoy's stream: who asked for what, what was sent, what came of it.
//!
//! Protocol: <https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol>, state-of-the-world
//! variant over ADS. A request that names an older nonce is overtaken and ignored.

use super::cache::{Cache, Version};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use futures::Stream;
use prost::Name;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::LazyLock;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The types we serve, in the order in which changes are sent: what is referred to goes first.
pub static TYPE_URLS: LazyLock<[String; 6]> = LazyLock::new(|| {
    [
        Cluster::type_url(),
        ClusterLoadAssignment::type_url(),
        Listener::type_url(),
        RouteConfiguration::type_url(),
        TypedExtensionConfig::type_url(),
        Secret::type_url(),
    ]
});

/// Positions in [`TYPE_URLS`].
const CLUSTERS: usize = 0;
const ENDPOINTS: usize = 1;
const LISTENERS: usize = 2;

/// Answers Envoys from a [`Cache`].
#[derive(Debug, Clone)]
pub struct Server {
    cache: Cache,
}

type Responses = Pin<Box<dyn Stream<Item = Result<DiscoveryResponse, Status>> + Send>>;

/// What one Envoy has of one type.
#[derive(Debug, Default)]
struct Subscription {
    /// None given means all, for the types that are listed whole (clusters and listeners).
    names: BTreeSet<String>,
    asked: bool,
    sent: Version,
    nonce: u64,
}

struct Session {
    cache: Cache,
    subscriptions: [Subscription; 6],
    nonce: u64,
}

// === impl Server ===

impl Server {
    /// A server over a cache.
    pub fn new(cache: Cache) -> Self {
        Self { cache }
    }

    /// The gRPC service.
    pub fn into_service(self) -> AggregatedDiscoveryServiceServer<Self> {
        // Envoy's first request carries its node with every extension it has.
        AggregatedDiscoveryServiceServer::new(self).max_decoding_message_size(16 << 20)
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Server {
    type StreamAggregatedResourcesStream = Responses;
    type DeltaAggregatedResourcesStream = Pin<Box<dyn Stream<Item = Result<DeltaDiscoveryResponse, Status>> + Send>>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let mut requests = request.into_inner();
        let mut changed = self.cache.subscribe();
        let mut session = Session { cache: self.cache.clone(), subscriptions: Default::default(), nonce: 0 };
        let (responses, stream) = mpsc::channel(8);
        tokio::spawn(async move {
            loop {
                let replies = tokio::select! {
                    request = requests.message() => match request {
                        Ok(Some(request)) => session.hear(&request),
                        Ok(None) | Err(_) => break,
                    },
                    alive = changed.changed() => match alive {
                        Ok(()) => session.news(),
                        Err(_) => break,
                    },
                };
                for reply in replies {
                    if responses.send(Ok(reply)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn delta_aggregated_resources(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("configure api_type GRPC: this server speaks state-of-the-world xDS"))
    }
}

// === impl Session ===

impl Session {
    /// Takes a request: a subscription, an acknowledgement or a refusal.
    fn hear(&mut self, request: &DiscoveryRequest) -> Vec<DiscoveryResponse> {
        let Some(index) = TYPE_URLS.iter().position(|url| *url == request.type_url) else {
            tracing::debug!(type_url = request.type_url, "Envoy asks for a type that is not served");
            return Vec::new();
        };
        let names: BTreeSet<String> = request.resource_names.iter().cloned().collect();
        let subscription = &mut self.subscriptions[index];
        if !request.response_nonce.is_empty() && request.response_nonce != subscription.nonce.to_string() {
            return Vec::new();
        }
        if let Some(error) = &request.error_detail {
            tracing::error!(
                type_url = request.type_url,
                version = subscription.sent.number,
                "Envoy refuses: {}",
                error.message
            );
            self.cache.refuse(&request.type_url, &subscription.sent, &error.message);
        } else if request.version_info == subscription.sent.number.to_string() {
            // After a refusal Envoy goes on naming the version that it has.
            self.cache.accept(&request.type_url, &subscription.sent);
        }
        let asks_more = !subscription.asked || subscription.names != names;
        subscription.asked = true;
        subscription.names = names;
        self.send(index, asks_more).into_iter().collect()
    }

    /// The offer changed.
    fn news(&mut self) -> Vec<DiscoveryResponse> {
        (0..self.subscriptions.len()).filter_map(|index| self.send(index, false)).collect()
    }

    fn send(&mut self, index: usize, even_if_sent: bool) -> Option<DiscoveryResponse> {
        let type_url = &TYPE_URLS[index];
        let subscription = &mut self.subscriptions[index];
        let version = self.cache.offer(type_url).filter(|_| subscription.asked)?;
        // An Envoy that refused a version keeps what it has; the older one it accepted is no news to it.
        if !even_if_sent && version.number <= subscription.sent.number {
            return None;
        }
        self.nonce += 1;
        subscription.nonce = self.nonce;
        subscription.sent = version.clone();
        let all = index == CLUSTERS || index == LISTENERS;
        let wanted = |name: &String| (all && subscription.names.is_empty()) || subscription.names.contains(name);
        let response = DiscoveryResponse {
            version_info: version.number.to_string(),
            resources: version.resources.iter().filter(|r| wanted(&r.name)).map(|r| r.body.clone()).collect(),
            type_url: type_url.clone(),
            nonce: self.nonce.to_string(),
            ..Default::default()
        };
        if index == CLUSTERS {
            // A cluster that changed warms until it is told its endpoints again.
            self.subscriptions[ENDPOINTS].sent = Version::default();
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests;
