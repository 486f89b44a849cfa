//! Whose fault it is how requests end, and who is left out for it.

use super::dispatch::Sent;
use super::ejection::{Rest, spare};
use super::{Ended, Fleet, Pool, Slot};
use std::sync::Arc;
use std::time::Duration;

// === impl Fleet ===

impl Fleet {
    /// What the last try says of the endpoint that it went to.
    pub(super) fn answered(&mut self, last: Option<Slot>, ended: &Ended<'_>, sent: Duration, now: Duration) {
        let Some(last) = last else { return };
        if ended.failed() {
            return self.failed(last, ended.target, sent, now);
        }
        let Some(engine) = self.engines.get_mut(last as usize) else { return };
        let answers = ended.target.and_then(|target| self.pools.get_mut(target)).map(|pool| &mut pool.answers);
        let mut ejected = false;
        if ended.served() {
            answers.into_iter().for_each(|answers| answers.served += 1);
            engine.health.served(sent, now);
        } else if let (true, Some(answers)) = (ended.refused(), answers) {
            answers.refused += 1;
            ejected = engine.health.refused(*answers, sent, now);
        } else if ended.status >= 300 {
            engine.health.answered(sent, now);
        }
        self.tell(Some(last).filter(|_| ejected));
    }

    /// Whoever was tried before the last one failed: nothing else is tried again. Envoy walks the list of picks, over and
    /// over ([`Decision::destination_in_turns`]), unless it does not know one of them (any more): then nobody can be
    /// blamed.
    pub(super) fn blame(&mut self, sent: &Sent, ended: &Ended<'_>, now: Duration) {
        let picks = || sent.picks.iter().copied().flatten();
        let Some(failed) = ended.attempts.checked_sub(1).map(|failed| failed as usize) else { return };
        let last = failed.checked_rem(picks().count()).and_then(|last| picks().nth(last));
        let last = last.and_then(|slot| self.engines.get(slot as usize));
        if last.is_none_or(|last| ended.address != Some(&*last.endpoint.address)) {
            return;
        }
        for slot in picks().take(failed) {
            self.failed(slot, ended.target, sent.at, now);
        }
    }

    fn failed(&mut self, slot: Slot, target: Option<&str>, sent: Duration, now: Duration) {
        let since = self.engines.get(slot as usize).and_then(|engine| engine.health.compared_since(now));
        let rest = since.map(|since| self.rest(slot, target, since)).unwrap_or_default();
        let Some(engine) = self.engines.get_mut(slot as usize) else { return };
        let ejected = engine.health.failed(rest, sent, now);
        self.tell(Some(slot).filter(|_| ejected));
    }

    /// The others of a pool, and how many of them did not fail since then.
    fn rest(&self, slot: Slot, target: Option<&str>, since: Duration) -> Rest {
        let slots = target.and_then(|target| self.pools.get(target)).map(|pool| pool.slots.as_slice());
        let others = slots.unwrap_or_default().iter().filter(|other| **other != slot);
        others.filter_map(|other| self.engines.get(*other as usize)).fold(Rest::default(), |rest, other| Rest {
            others: rest.others + 1,
            well: rest.well + usize::from(other.health.is_well_since(since)),
        })
    }

    /// Keeps the list of those that are unwell, to which one may come.
    pub(super) fn tell(&mut self, ejected: Option<Slot>) {
        let engines = &self.engines;
        self.unwell.retain(|slot| engines.get(*slot as usize).is_some_and(|engine| engine.health.is_unwell()));
        if let Some(slot) = ejected.filter(|slot| !self.unwell.contains(slot)) {
            self.unwell.push(slot);
        }
    }

    /// Who of a pool is left out, by sorted indexes.
    pub(super) fn out_of(&self, pool: &Pool, now: Duration) -> Vec<usize> {
        if self.unwell.is_empty() {
            return Vec::new();
        }
        let until = |slot: &Slot| self.engines.get(*slot as usize)?.health.out_until(now);
        let out = (0..).zip(&pool.slots).filter_map(|(index, slot)| Some((index, until(slot)?)));
        spare(out.collect(), pool.slots.len())
    }

    /// Endpoints that are left out of some pool, as they failed lately, and for how long; in no order.
    pub fn ejected(&self, now: Duration) -> Vec<(Arc<str>, Duration)> {
        let mut slots: Vec<Slot> = self
            .pools
            .values()
            .flat_map(|pool| self.out_of(pool, now).into_iter().filter_map(|index| pool.slots.get(index).copied()))
            .collect();
        slots.sort_unstable();
        slots.dedup();
        let out = |slot: Slot| {
            let engine = self.engines.get(slot as usize)?;
            Some((Arc::clone(&engine.endpoint.address), engine.health.out_until(now)?.saturating_sub(now)))
        };
        slots.into_iter().filter_map(out).collect()
    }
}
