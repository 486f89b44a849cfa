//! A set of two or more endpoint slots.

/// Slots in a list or as bits, whichever is smaller: so a set costs at most two bytes a member, however high the slots.
///
/// The form follows from the members, so that equal sets have equal forms.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// In ascending order.
    List(Vec<u16>),
    /// One bit a slot, from the lowest of the first word; the last word is not zero.
    Bits { words: Vec<u64>, len: usize },
}

/// Members that take the place of one word of 64 bits in a list.
const PER_WORD: usize = 4;

// === impl Members ===

impl Default for Members {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Members {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(slots) => slots.len(),
            Self::Bits { len, .. } => *len,
        }
    }

    pub(super) fn contains(&self, slot: u16) -> bool {
        match self {
            Self::List(slots) => slots.binary_search(&slot).is_ok(),
            Self::Bits { words, .. } => words.get(word_of(slot)).is_some_and(|word| word & bit_of(slot) != 0),
        }
    }

    /// The lowest slot.
    pub(super) fn first(&self) -> Option<u16> {
        match self {
            Self::List(slots) => slots.first().copied(),
            Self::Bits { words, .. } => slots_of(words).next(),
        }
    }

    /// Becomes those two, which differ, in the memory that it has.
    pub(super) fn set_to_pair(&mut self, a: u16, b: u16) {
        match self {
            Self::List(slots) => slots.clear(),
            Self::Bits { .. } => *self = Self::default(),
        }
        self.insert(a);
        self.insert(b);
    }

    /// Becomes what another is, in the memory that it has.
    pub(super) fn set_to(&mut self, other: &Self) {
        match (self, other) {
            (Self::List(to), Self::List(from)) => to.clone_from(from),
            (Self::Bits { words: to, len }, Self::Bits { words: from, len: other }) => {
                to.clone_from(from);
                *len = *other;
            }
            (to, Self::List(from)) => *to = Self::List(from.clone()),
            (to, Self::Bits { words, len }) => *to = Self::Bits { words: words.clone(), len: *len },
        }
    }

    pub(super) fn insert(&mut self, slot: u16) {
        match self {
            Self::List(slots) => {
                if let Err(at) = slots.binary_search(&slot) {
                    slots.insert(at, slot);
                }
            }
            Self::Bits { words, len } => {
                if words.len() <= word_of(slot) {
                    words.resize(word_of(slot) + 1, 0);
                }
                if let Some(word) = words.get_mut(word_of(slot)) {
                    *len += usize::from(*word & bit_of(slot) == 0);
                    *word |= bit_of(slot);
                }
            }
        }
        self.settle();
    }

    pub(super) fn remove(&mut self, slot: u16) {
        match self {
            Self::List(slots) => {
                if let Ok(at) = slots.binary_search(&slot) {
                    slots.remove(at);
                }
            }
            Self::Bits { words, len } => {
                if let Some(word) = words.get_mut(word_of(slot)) {
                    *len -= usize::from(*word & bit_of(slot) != 0);
                    *word &= !bit_of(slot);
                }
                while words.last() == Some(&0) {
                    words.pop();
                }
            }
        }
        self.settle();
    }

    /// Takes the smaller form.
    fn settle(&mut self) {
        match self {
            Self::List(slots) => {
                let words = slots.last().map_or(0, |last| word_of(*last) + 1);
                if slots.len() > words * PER_WORD {
                    let mut bits = vec![0; words];
                    mark(slots, &mut bits);
                    *self = Self::Bits { len: slots.len(), words: bits };
                }
            }
            Self::Bits { words, len } => {
                if *len <= words.len() * PER_WORD {
                    *self = Self::List(slots_of(words).collect());
                }
            }
        }
    }
}

/// Sets the bits of these slots; those beyond the words are passed over.
pub(super) fn mark(slots: &[u16], words: &mut [u64]) {
    for slot in slots {
        if let Some(word) = words.get_mut(word_of(*slot)) {
            *word |= bit_of(*slot);
        }
    }
}

fn slots_of(words: &[u64]) -> impl Iterator<Item = u16> {
    (0u16..).zip(words).flat_map(|(index, word)| {
        let rest = |bits: &u64| Some(bits & (bits - 1)).filter(|bits| *bits != 0);
        let first = Some(*word).filter(|bits| *bits != 0);
        std::iter::successors(first, rest).map(move |bits| index * 64 + bits.trailing_zeros() as u16)
    })
}

fn word_of(slot: u16) -> usize {
    usize::from(slot / 64)
}

fn bit_of(slot: u16) -> u64 {
    1 << (slot % 64)
}
