//! Rust types of the custom resources, the plain facts about them and the rules that admit them.
//!
//! Everything here is a value or a pure function: no cluster client, no I/O, no clock. The same
//! types are read from Kubernetes and from a directory of manifests, and the same admission rules
//! serve the webhook and the directory.

pub mod admission;
pub mod duration;
pub mod model_route;
pub mod model_server;
pub mod pod;
pub mod problem;
pub mod resources;
pub mod secret;

pub use duration::Duration;
pub use k8s_openapi::api::core::v1::{Pod, Secret};
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
pub use kube::{Resource, ResourceExt};
pub use model_route::{ModelRoute, ModelRouteSpec};
pub use model_server::{ModelServer, ModelServerSpec};
pub use problem::{ObjectRef, Problem, Subject};
pub use resources::Resources;

/// API group of the kinds that say how requests flow.
pub const NETWORKING_GROUP: &str = "networking.serving.volcano.sh";

/// API group of the kinds that say what runs.
pub const WORKLOAD_GROUP: &str = "workload.serving.volcano.sh";
