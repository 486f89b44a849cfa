//! Sets of holders, each kept once.
//!
//! Most hashes of a chain have the same holders, so a chain needs a few sets only, two hashes' holders are compared by
//! number, and adding an endpoint to a run of them is worked out once.

use super::members::Members;
use super::spread::mix;
use hashbrown::HashTable;

/// A set: nobody, one endpoint, or the number of one that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetId(u32);

/// A set, to be looked at.
#[derive(Debug)]
pub(super) enum Set<'a> {
    Nobody,
    One(u16),
    Several(&'a Members),
}

/// All sets of two or more.
#[derive(Debug, Default)]
pub(super) struct Sets {
    kept: Vec<Kept>,
    /// Numbers whose set nobody refers to; they keep their memory.
    free: Vec<u32>,
    table: HashTable<u32>,
    /// The set that is being built.
    draft: Members,
    grown: Option<Step>,
    shrunk: Option<Step>,
}

#[derive(Debug)]
struct Kept {
    members: Members,
    /// The exclusive or of [`mix`] over the members.
    hash: u64,
    references: u32,
}

/// The last change that was worked out: the next hash of a chain mostly wants the same.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: SetId,
    slot: u16,
    to: SetId,
}

// === impl SetId ===

impl SetId {
    pub(super) const NOBODY: Self = Self(0);
    const KEPT: u32 = 1 << 31;

    pub(super) fn one(slot: u16) -> Self {
        Self(u32::from(slot) + 1)
    }

    fn kept(number: u32) -> Self {
        Self(Self::KEPT | number)
    }

    fn number(self) -> Option<u32> {
        (self.0 & Self::KEPT != 0).then_some(self.0 & !Self::KEPT)
    }
}

// === impl Sets ===

impl Sets {
    pub(super) fn get(&self, id: SetId) -> Set<'_> {
        match id.number() {
            Some(number) => self.kept.get(number as usize).map_or(Set::Nobody, |kept| Set::Several(&kept.members)),
            None => u16::try_from(id.0.wrapping_sub(1)).map_or(Set::Nobody, Set::One),
        }
    }

    /// Gives a reference to a set for one to the set with an endpoint more.
    pub(super) fn with(&mut self, id: SetId, slot: u16) -> SetId {
        if let Some(step) = self.grown.filter(|step| step.from == id && step.slot == slot) {
            return self.exchange(id, step.to);
        }
        let mut draft = std::mem::take(&mut self.draft);
        let unchanged = match self.get(id) {
            Set::Nobody => Some(SetId::one(slot)),
            Set::One(held) if held == slot => Some(id),
            Set::One(held) => {
                draft.set_to_pair(held, slot);
                None
            }
            Set::Several(members) if members.contains(slot) => Some(id),
            Set::Several(members) => {
                draft.set_to(members);
                draft.insert(slot);
                None
            }
        };
        self.draft = draft;
        if let Some(id) = unchanged {
            return id;
        }
        let to = self.keep(self.hash(id) ^ mix(slot));
        self.grown = Some(Step { from: id, slot, to });
        self.exchange(id, to)
    }

    /// Gives a reference to a set for one to the set with an endpoint less.
    pub(super) fn without(&mut self, id: SetId, slot: u16) -> SetId {
        if let Some(step) = self.shrunk.filter(|step| step.from == id && step.slot == slot) {
            return self.exchange(id, step.to);
        }
        if let Set::One(held) = self.get(id) {
            return if held == slot { SetId::NOBODY } else { id };
        }
        let mut draft = std::mem::take(&mut self.draft);
        let changed = match self.get(id) {
            Set::Several(members) if members.contains(slot) => {
                draft.set_to(members);
                draft.remove(slot);
                true
            }
            _ => false,
        };
        self.draft = draft;
        if !changed {
            return id;
        }
        let to = match (self.draft.len(), self.draft.first()) {
            (1, Some(last)) => SetId::one(last),
            _ => self.keep(self.hash(id) ^ mix(slot)),
        };
        self.shrunk = Some(Step { from: id, slot, to });
        self.exchange(id, to)
    }

    /// How many sets of two or more there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn hash(&self, id: SetId) -> u64 {
        match (id.number(), self.get(id)) {
            (Some(number), _) => self.kept.get(number as usize).map_or(0, |kept| kept.hash),
            (None, Set::One(slot)) => mix(slot),
            (None, _) => 0,
        }
    }

    /// The number of the set that is in the draft, with no reference yet if it is new.
    fn keep(&mut self, hash: u64) -> SetId {
        let same = |number: &u32| {
            self.kept.get(*number as usize).is_some_and(|kept| kept.hash == hash && kept.members == self.draft)
        };
        if let Some(number) = self.table.find(hash, same) {
            return SetId::kept(*number);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            // Never cut off: every set has two pairs at least.
            None => {
                self.kept.push(Kept { members: Members::default(), hash, references: 0 });
                u32::try_from(self.kept.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(kept) = self.kept.get_mut(number as usize) {
            std::mem::swap(&mut kept.members, &mut self.draft);
            kept.hash = hash;
            kept.references = 0;
        }
        let kept = &self.kept;
        self.table.insert_unique(hash, number, |number| kept.get(*number as usize).map_or(0, |kept| kept.hash));
        SetId::kept(number)
    }

    fn exchange(&mut self, from: SetId, to: SetId) -> SetId {
        if let Some(kept) = to.number().and_then(|number| self.kept.get_mut(number as usize)) {
            kept.references += 1;
        }
        if let Some(number) = from.number() {
            self.release(number);
        }
        to
    }

    fn release(&mut self, number: u32) {
        let Some(kept) = self.kept.get_mut(number as usize) else { return };
        kept.references = kept.references.saturating_sub(1);
        if kept.references > 0 {
            return;
        }
        if let Ok(entry) = self.table.find_entry(kept.hash, |found| *found == number) {
            entry.remove();
        }
        self.free.push(number);
        // The number will be another set's.
        let gone = SetId::kept(number);
        let stands = |step: &Step| step.from != gone && step.to != gone;
        self.grown = self.grown.filter(stands);
        self.shrunk = self.shrunk.filter(stands);
    }
}
