//! Loopback addresses that belong to one test alone.
//!
//! All of 127.0.0.0/8 is this machine. With an address for each instance the ports can be the usual
//! ones, and no port is free in one moment and somebody else's in the next.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// Bound for as long as the address is ours; below the range that outgoing connections take ports from.
const CLAIM: u16 = 19_999;

/// A loopback address, claimed until it is dropped.
#[derive(Debug)]
pub struct Loopback {
    ip: Ipv4Addr,
    _claim: TcpListener,
}

// === impl Loopback ===

impl Loopback {
    /// Claims an address, at which none of `ports` is taken either.
    ///
    /// # Panics
    /// After many tries without a free one.
    pub fn claim(ports: &[u16]) -> Self {
        for _ in 0..1000 {
            let [_, b, c, d] = fastrand::u32(..).to_be_bytes();
            let ip = Ipv4Addr::new(127, b, c, d.clamp(1, 254));
            let Ok(claim) = TcpListener::bind((ip, CLAIM)) else { continue };
            if b > 0 && ports.iter().all(|port| TcpListener::bind((ip, *port)).is_ok()) {
                return Self { ip, _claim: claim };
            }
        }
        panic!("no free loopback address among 127.1.0.0 to 127.255.255.254");
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip.into()
    }

    /// A port of it.
    pub fn at(&self, port: u16) -> SocketAddr {
        (self.ip, port).into()
    }
}
