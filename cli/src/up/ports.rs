//! The ports of a run, tried before anything is started.

use kthena_router::in_use;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Where things listen; no port is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Envoy, for clients.
    pub listen: SocketAddr,
    /// The router's metrics.
    pub metrics: SocketAddr,
    /// The router's debug pages.
    pub debug: SocketAddr,
    /// Envoy's admin pages.
    pub admin: SocketAddr,
}

// === impl Addresses ===

impl Addresses {
    /// Listens everywhere for a moment; port 0 becomes the free port that was given.
    ///
    /// # Errors
    /// A line for each address that cannot be had, with the flag that changes it.
    pub fn probe(self) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        // All are held until the last is tried: so no two are the same.
        let mut held = Vec::new();
        let mut take = |address: SocketAddr, flag: &str| {
            let bound = TcpListener::bind(address).and_then(|listener| {
                let bound = listener.local_addr()?;
                held.push(listener);
                Ok(bound)
            });
            bound.unwrap_or_else(|error| {
                errors.push(format!("{:#}", in_use(address, flag, &error)));
                address
            })
        };
        let taken = Self {
            listen: take(self.listen, "--listen"),
            metrics: take(self.metrics, "--metrics"),
            debug: take(self.debug, "--debug"),
            admin: take(self.admin, "--admin"),
        };
        if errors.is_empty() { Ok(taken) } else { Err(errors) }
    }
}

/// Where to reach, from this machine, what listens there.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn port_0_becomes_a_free_port_and_each_another() {
        let all = Addresses { listen: any(), metrics: any(), debug: any(), admin: any() }.probe().unwrap();
        let mut ports = [all.listen, all.metrics, all.debug, all.admin].map(|address| address.port());
        ports.sort_unstable();
        assert!(ports[0] > 0 && ports.windows(2).all(|pair| pair[0] < pair[1]), "{ports:?}");
    }

    #[test]
    fn a_port_in_use_is_named_with_its_flag() {
        let holder = TcpListener::bind(any()).unwrap();
        let taken = holder.local_addr().unwrap();
        let errors = Addresses { listen: any(), metrics: taken, debug: any(), admin: taken }.probe().unwrap_err();
        let [metrics, admin] = &errors[..] else { panic!("two errors, not {errors:?}") };
        assert!(metrics.starts_with(&format!("{taken}: ")) && metrics.ends_with("with --metrics"), "{metrics}");
        assert!(admin.ends_with("with --admin"), "{admin}");
    }

    #[test]
    fn one_address_cannot_serve_two_purposes() {
        let free = TcpListener::bind(any()).unwrap().local_addr().unwrap();
        let errors = Addresses { listen: free, metrics: free, debug: any(), admin: any() }.probe().unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains("--metrics"), "{errors:?}");
    }

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        for (listens, reached) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("127.0.0.2:80", "127.0.0.2:80")]
        {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), reached);
        }
    }
}
