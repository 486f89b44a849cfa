//! A large configuration: thousands of routes, a hundred pods.

use super::Engines;
use crate::manifests;
use std::fmt::Write;

/// How many there are of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Many {
    /// ModelRoutes.
    pub routes: usize,
    /// Pods, ten to a ModelServer.
    pub pods: usize,
    /// Files that the routes lie in.
    pub files: usize,
}

/// As large as the targets speak of, in files as people have them.
pub const LARGE: Many = Many { routes: 2000, pods: 100, files: 20 };
/// The same, each route in a file of its own.
pub const SPLIT: Many = Many { files: 2000, ..LARGE };
/// As on a laptop.
pub const FEW: Many = Many { routes: 2, pods: 4, files: 1 };

/// Pods of a ModelServer.
const PODS: usize = 10;

/// The first route's model.
pub const FIRST: &str = "model-0";

// === impl Many ===

impl Many {
    /// The manifests by their files' names. The engines are the pods.
    pub fn manifests(self, engines: &Engines) -> Vec<(String, String)> {
        let servers = self.pods.div_ceil(PODS);
        let mut pods = String::new();
        for server in 0..servers {
            pods += &manifests::server(&format!("server-{server}"), &format!("served-{server}"), "");
        }
        for (pod, ip) in engines.addresses().iter().take(self.pods).enumerate() {
            pods += &manifests::pod(&format!("pod-{pod}"), &format!("server-{}", pod / PODS), ip);
        }
        let mut files = vec![("pods.yaml".to_owned(), pods)];
        for file in 0..self.files {
            let mut text = String::new();
            for route in (file..self.routes).step_by(self.files) {
                let server = format!("server-{}", route % servers.max(1));
                // Writing into a String does not fail.
                let route = manifests::route(&format!("route-{route}"), &format!("model-{route}"), &[(&server, 100)]);
                let _ = write!(text, "{route}");
            }
            files.push((format!("routes-{file}.yaml"), text));
        }
        files
    }
}
