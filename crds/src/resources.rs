//! All objects that a data plane is compiled from.
//!
//! Every source, Kubernetes or a directory, gives this one value; nothing behind it knows where an
//! object came from.

use std::cmp::Ordering;

use kube::Resource;

use crate::{ModelRoute, ModelServer, Pod, Secret};

/// The objects of every kind served, each list ordered by namespace and name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// How model names map to targets.
    pub model_routes: Vec<ModelRoute>,
    /// Groups of engine pods.
    pub model_servers: Vec<ModelServer>,
    /// Pods that may be engines.
    pub pods: Vec<Pod>,
    /// Certificates of authorities that vouch for engines. Sources keep no other key than [`crate::secret::CA`] of a
    /// Secret: nobody behind them can show what it never had.
    pub secrets: Vec<Secret>,
}

impl Resources {
    /// Orders each list by namespace, then name, so that equal inputs give equal outputs whatever
    /// order they arrived in.
    pub fn sort(&mut self) {
        self.model_routes.sort_by(by_name);
        self.model_servers.sort_by(by_name);
        self.pods.sort_by(by_name);
        self.secrets.sort_by(by_name);
    }
}

fn by_name<K: Resource>(a: &K, b: &K) -> Ordering {
    let (a, b) = (a.meta(), b.meta());
    (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(namespace: &str, name: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.namespace = Some(namespace.to_owned());
        pod.metadata.name = Some(name.to_owned());
        pod
    }

    #[test]
    fn objects_are_ordered_by_namespace_then_name() {
        let mut resources =
            Resources { pods: vec![pod("b", "a"), pod("a", "z"), pod("a", "b")], ..Resources::default() };
        resources.sort();
        let expected = vec![pod("a", "b"), pod("a", "z"), pod("b", "a")];
        assert_eq!(resources.pods, expected);
    }
}
