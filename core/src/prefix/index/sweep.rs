//! How far along a chain each endpoint's match goes.
//!
//! The holders of two depths are the same set, and then so are all between them, or the change is looked for in both
//! halves. The changes come in ascending order, and at each one those who are no longer holders get the depth they
//! reached. A holder that was missed at a depth looked at counts no further, should the sets not be nested.

use super::MAX_ENDPOINTS;
use super::holders::Holders;
use super::members::{Members, mark};
use super::sets::{Set, SetId};

const WORDS: usize = MAX_ENDPOINTS / 64;

/// One look along a chain.
pub(super) struct Sweep<'a> {
    holders: &'a Holders,
    chain: &'a [u64],
    into: &'a mut [u16],
    /// A bit for each endpoint that held everything so far; what is beyond `into` is left out.
    matching: &'a mut [u64],
}

// === impl Sweep ===

impl Sweep<'_> {
    /// Writes to `into`, for each endpoint slot, how many leading hashes of the chain it holds.
    pub(super) fn over(holders: &Holders, chain: &[u64], into: &mut [u16]) {
        into.fill(0);
        let chain = chain.get(..usize::from(u16::MAX)).unwrap_or(chain);
        let Some((first, last)) = chain.first().zip(chain.last()) else { return };
        let first = holders.of(*first);
        if first == SetId::NOBODY {
            return;
        }
        let mut words = [0; WORDS];
        let len = into.len().div_ceil(64).min(WORDS);
        let Some(matching) = words.get_mut(..len) else { return };
        let mut sweep = Sweep { holders, chain, into, matching };
        sweep.begin(first);
        sweep.between(0, first, chain.len() - 1, holders.of(*last));
        sweep.narrow(SetId::NOBODY, chain.len());
    }

    fn begin(&mut self, first: SetId) {
        match self.holders.set(first) {
            Set::Nobody => {}
            Set::One(slot) => mark(&[slot], self.matching),
            Set::Several(Members::List(slots)) => mark(slots, self.matching),
            Set::Several(Members::Bits { words, .. }) => {
                self.matching.iter_mut().zip(words).for_each(|(to, from)| *to = *from);
            }
        }
    }

    /// Finds every change between two depths whose holders are known.
    fn between(&mut self, low: usize, at_low: SetId, high: usize, at_high: SetId) {
        if at_low == at_high {
            return;
        }
        if high - low == 1 {
            return self.narrow(at_high, high);
        }
        let middle = low.midpoint(high);
        let Some(hash) = self.chain.get(middle) else { return };
        let at_middle = self.holders.of(*hash);
        self.between(low, at_low, middle, at_middle);
        self.between(middle, at_middle, high, at_high);
    }

    /// Those not in this set held `depth` hashes and no more.
    fn narrow(&mut self, to: SetId, depth: usize) {
        let holders = self.holders;
        match holders.set(to) {
            Set::Nobody => self.keep(&[], depth),
            Set::One(slot) => self.keep_slots(&[slot], depth),
            Set::Several(Members::List(slots)) => self.keep_slots(slots, depth),
            Set::Several(Members::Bits { words, .. }) => self.keep(words, depth),
        }
    }

    fn keep_slots(&mut self, slots: &[u16], depth: usize) {
        let mut words = [0; WORDS];
        if let Some(words) = words.get_mut(..self.matching.len()) {
            mark(slots, words);
            self.keep(words, depth);
        }
    }

    fn keep(&mut self, words: &[u64], depth: usize) {
        // Never cut off: the chain was.
        let depth = u16::try_from(depth).unwrap_or(u16::MAX);
        for (index, matching) in self.matching.iter_mut().enumerate() {
            let kept = words.get(index).copied().unwrap_or_default();
            let mut gone = *matching & !kept;
            *matching &= kept;
            while gone != 0 {
                if let Some(place) = self.into.get_mut(index * 64 + gone.trailing_zeros() as usize) {
                    *place = depth;
                }
                gone &= gone - 1;
            }
        }
    }
}
