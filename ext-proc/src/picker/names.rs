//! Which Pod is at an address, for requests that end after their Pod has left.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// So many addresses of Pods that left are remembered, or those of the last configuration if they are more.
const FORMER: usize = 1024;

/// Pods by address.
#[derive(Debug, Default)]
pub(super) struct Names {
    current: HashMap<SocketAddr, Arc<str>>,
    former: HashMap<SocketAddr, Arc<str>>,
}

// === impl Names ===

impl Names {
    pub(super) fn new(current: HashMap<SocketAddr, Arc<str>>) -> Self {
        Self { current, former: HashMap::new() }
    }

    /// The Pod (`namespace/name`) that is at this address, or was the last one there.
    pub(super) fn at(&self, address: SocketAddr) -> Option<Arc<str>> {
        self.current.get(&address).or_else(|| self.former.get(&address)).map(Arc::clone)
    }

    /// Takes over what earlier names knew.
    pub(super) fn remember(&mut self, earlier: &Self) {
        let copy = |names: &HashMap<SocketAddr, Arc<str>>| -> Vec<(SocketAddr, Arc<str>)> {
            let gone = names.iter().filter(|(address, _)| !self.current.contains_key(address));
            gone.map(|(address, pod)| (*address, Arc::clone(pod))).collect()
        };
        let (left, former) = (copy(&earlier.current), copy(&earlier.former));
        if left.len() + former.len() <= FORMER {
            self.former.extend(former);
        }
        self.former.extend(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pods: &[(u16, &str)]) -> Names {
        Names::new(pods.iter().map(|(port, pod)| (at(*port), Arc::from(*pod))).collect())
    }

    fn at(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn a_pod_that_left_is_named_until_another_takes_its_address() {
        let first = names(&[(1, "default/a"), (2, "default/b")]);
        let mut second = names(&[(2, "default/c")]);
        second.remember(&first);
        assert_eq!(second.at(at(1)).as_deref(), Some("default/a"));
        assert_eq!(second.at(at(2)).as_deref(), Some("default/c"));
        assert_eq!(second.at(at(3)), None);
        let mut third = names(&[]);
        third.remember(&second);
        assert_eq!(third.at(at(1)).as_deref(), Some("default/a"));
    }

    #[test]
    fn what_is_remembered_does_not_grow_for_ever() {
        let mut names = names(&[]);
        for port in 0..5000 {
            let mut next = self::names(&[(port, "default/a")]);
            next.remember(&names);
            names = next;
        }
        assert!(names.former.len() <= FORMER, "{}", names.former.len());
    }
}
