//! Requests that we sent to an endpoint and that have not ended.
//!
//! Counts outlive an endpoint's absence from the configuration, since its streams do: an endpoint that
//! comes back is not thought idle. Memory is bounded by what is in flight: a count of zero is dropped.

use std::collections::HashMap;
use std::sync::Arc;

/// In-flight requests by endpoint address.
#[derive(Debug, Default)]
pub struct InFlight {
    counts: HashMap<Arc<str>, u32>,
    total: u64,
}

impl InFlight {
    /// Counts a request; every call wants one [`InFlight::release`].
    pub fn acquire(&mut self, address: &Arc<str>) {
        *self.counts.entry(Arc::clone(address)).or_default() += 1;
        self.total += 1;
    }

    /// Takes a request back. Releasing what was never acquired changes nothing.
    pub fn release(&mut self, address: &str) {
        let Some(count) = self.counts.get_mut(address) else { return };
        *count = count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
        if *count == 0 {
            self.counts.remove(address);
        }
    }

    /// Requests in flight at an address.
    pub fn at(&self, address: &str) -> u32 {
        self.counts.get(address).copied().unwrap_or_default()
    }

    /// Requests in flight anywhere.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Addresses that have any, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, u32)> {
        self.counts.iter().map(|(address, count)| (address, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acquired_is_released_once() {
        let mut in_flight = InFlight::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a:1".into(), "b:1".into());
        in_flight.acquire(&a);
        in_flight.acquire(&a);
        in_flight.acquire(&b);
        in_flight.release("a:1");
        assert_eq!((in_flight.at("a:1"), in_flight.at("b:1"), in_flight.total()), (1, 1, 2));
        in_flight.release("a:1");
        in_flight.release("a:1");
        in_flight.release("b:1");
        assert_eq!((in_flight.at("a:1"), in_flight.total(), in_flight.iter().count()), (0, 0, 0));
    }
}
