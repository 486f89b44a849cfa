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

    fn keep(&mut self, words: &[u64], depth: usize) {
        let both = self.matching.len().min(words.len());
        let (Some(words), Some((matching, beyond))) = (words.get(..both), self.matching.split_at_mut_checked(both))
        else {
            return;
        };
        // Few words change: four at a time are passed over.
        let (matching, last_matching) = matching.as_chunks_mut::<4>();
        let (words, last_words) = words.as_chunks::<4>();
        for (chunk, (matching, words)) in matching.iter_mut().zip(words).enumerate() {
            let ([m0, m1, m2, m3], [w0, w1, w2, w3]) = (*matching, *words);
            if (m0 & !w0) | (m1 & !w1) | (m2 & !w2) | (m3 & !w3) != 0 {
                keep_words(self.into, chunk * 4, matching, words, depth);
            }
        }
        keep_words(self.into, both - last_words.len(), last_matching, last_words, depth);
        for (at, matching) in beyond.iter_mut().enumerate() {
            leave(self.into, both + at, std::mem::take(matching), depth);
        }
    }

    fn keep_slots(&mut self, slots: &[u16], depth: usize) {
        let mut slots = slots.iter().copied().peekable();
        for (index, matching) in self.matching.iter_mut().enumerate() {
            let mut kept = 0;
            while let Some(slot) = slots.next_if(|slot| usize::from(*slot) / 64 == index) {
                kept |= 1 << (slot % 64);
            }
            leave(self.into, index, *matching & !kept, depth);
            *matching &= kept;
        }
    }
}

fn keep_words(into: &mut [u16], first: usize, matching: &mut [u64], words: &[u64], depth: usize) {
    for (at, (matching, kept)) in matching.iter_mut().zip(words).enumerate() {
        leave(into, first + at, *matching & !kept, depth);
        *matching &= kept;
    }
}

/// Gives the endpoints of one word the depth they reached.
fn leave(into: &mut [u16], word: usize, mut gone: u64, depth: usize) {
    // Never cut off: the chain was.
    let depth = u16::try_from(depth).unwrap_or(u16::MAX);
    while gone != 0 {
        if let Some(place) = into.get_mut(word * 64 + gone.trailing_zeros() as usize) {
            *place = depth;
        }
        gone &= gone - 1;
    }
}
