//! Resources by type.

use envoy_types::pb::google::protobuf::Any;
use std::collections::BTreeMap;

/// Everything that is offered, by type URL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    types: BTreeMap<String, Vec<Resource>>,
}

/// A named resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The name that Envoy asks for it by.
    pub name: String,
    /// The packed message; its type URL is the resource's type.
    pub body: Any,
}

impl Snapshot {
    /// Groups resources by their type.
    pub fn new(resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut types: BTreeMap<String, Vec<Resource>> = BTreeMap::new();
        for resource in resources {
            types.entry(resource.body.type_url.clone()).or_default().push(resource);
        }
        Self { types }
    }

    /// The types it has, with their resources.
    pub fn types(&self) -> impl Iterator<Item = (&str, &[Resource])> {
        self.types.iter().map(|(url, resources)| (url.as_str(), resources.as_slice()))
    }
}
