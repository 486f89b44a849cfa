//! Loopback addresses for made-up Pods, not shared with another run on this machine.
//!
//! All of 127.0.0.0/8 is ours to listen on. Each run begins at a place of its own, which its process id
//! gives, above where people put their own Pods (127.0.0.x); an address that is taken all the same is passed over.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// The first address given to anyone.
const FIRST: u32 = Ipv4Addr::new(127, 64, 0, 1).to_bits();
/// How many runs have a block of 256 addresses of their own: up to 127.191.255.255.
const BLOCKS: u32 = 1 << 15;
/// Taken addresses passed over before giving up.
const TRIES: usize = 1024;

/// Hands out addresses.
#[derive(Debug)]
pub struct Loopback {
    next: u32,
}

// === impl Loopback ===

impl Loopback {
    /// The addresses of the run with this process id.
    pub fn new(process: u32) -> Self {
        Self { next: FIRST + (process % BLOCKS) * 256 }
    }

    /// An address that nobody listens on at this port and that is not among `taken`.
    ///
    /// # Errors
    /// The port cannot be listened on at all.
    pub fn free(&mut self, port: u16, taken: &BTreeSet<IpAddr>) -> Result<SocketAddr> {
        self.find(port, taken, |address| TcpListener::bind(address).map(drop))
    }

    fn find(
        &mut self,
        port: u16,
        taken: &BTreeSet<IpAddr>,
        probe: impl Fn(SocketAddr) -> Result<()>,
    ) -> Result<SocketAddr> {
        let mut last = Error::from(ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let ip = IpAddr::V4(Ipv4Addr::from_bits(self.next));
            self.next += 1;
            let address = SocketAddr::new(ip, port);
            if taken.contains(&ip) {
                continue;
            }
            match probe(address) {
                Ok(()) => return Ok(address),
                Err(error) if error.kind() == ErrorKind::AddrInUse => last = error,
                // Another address would not help, e.g. where ports below 1024 are for root.
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_begin_apart_and_stay_on_loopback() {
        let first = |process| Loopback::new(process).find(80, &BTreeSet::new(), |_| Ok(())).unwrap();
        assert_eq!(first(0), "127.64.0.1:80".parse().unwrap());
        assert_eq!(first(7), "127.64.7.1:80".parse().unwrap());
        assert_eq!(first(BLOCKS - 1), "127.191.255.1:80".parse().unwrap());
        assert!(first(u32::MAX).ip().is_loopback());
    }

    #[test]
    fn an_address_is_given_once_and_never_one_that_is_taken() {
        let mut loopback = Loopback::new(0);
        let taken = BTreeSet::from(["127.64.0.2".parse().unwrap()]);
        let in_use: SocketAddr = "127.64.0.3:80".parse().unwrap();
        let probe = |address| match address == in_use {
            true => Err(Error::from(ErrorKind::AddrInUse)),
            false => Ok(()),
        };
        let given = [(); 2].map(|()| loopback.find(80, &taken, probe).unwrap().ip().to_string());
        assert_eq!(given, ["127.64.0.1", "127.64.0.4"]);
    }

    #[test]
    fn a_port_that_may_not_be_listened_on_is_an_error_at_once() {
        let refused = |_| Err(Error::from(ErrorKind::PermissionDenied));
        let error = Loopback::new(0).find(80, &BTreeSet::new(), refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
}
