//! Any sequence of requests, failures and restarts.

use super::model::Model;
use super::*;
use crate::prefix::index::members::Members;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

const ENDPOINTS: usize = 9;

/// A prompt as the branches it takes: each hash commits to all before it.
fn hashes(branches: &[u8]) -> Vec<u64> {
    let mut hash = 1;
    let next = |branch: &u8| {
        hash = child(hash, *branch);
        hash
    };
    branches.iter().map(next).collect()
}

fn child(hash: u64, branch: u8) -> u64 {
    // 48 bits, as the filter sends them.
    (hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(u64::from(branch) + 1) >> 7) & 0xffff_ffff_ffff
}

#[derive(Debug, Clone)]
enum Step {
    Learn(usize, Vec<u8>),
    /// The dispatch so many back failed.
    Fail(usize),
    Forget(usize),
    Capacity(usize),
}

/// Mostly the same first branch, so that prompts share prefixes of all lengths.
fn prompt() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![6 => Just(0u8), 1 => 1u8..3], 0..24)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..ENDPOINTS, prompt()).prop_map(|(endpoint, prompt)| Step::Learn(endpoint, prompt)),
        4 => (0usize..6).prop_map(Step::Fail),
        1 => (0..ENDPOINTS).prop_map(Step::Forget),
        1 => (1usize..60).prop_map(Step::Capacity),
    ]
}

proptest! {
    #[test]
    fn does_what_the_plain_model_does(
        bound in 20usize..200,
        steps in vec(step(), 0..80),
        asked in vec(prompt(), 1..6),
    ) {
        let mut index = Index::bounded(bound);
        let mut model = Model::bounded(bound, bound, ENDPOINTS);
        let mut dispatched = Vec::new();
        let mut asked: Vec<_> = asked.iter().map(|prompt| hashes(prompt)).collect();
        for step in steps {
            match step {
                Step::Learn(endpoint, prompt) => {
                    let chain = hashes(&prompt);
                    let learned = index.learn(endpoint as u32, &chain);
                    let (learn, depth, evicted) = model.learn(endpoint, &chain);
                    prop_assert_eq!(learned.evicted, evicted);
                    asked.push(chain.clone());
                    dispatched.push((endpoint, chain, learned.stamp, learn, depth));
                }
                Step::Fail(back) => {
                    let at = dispatched.len().wrapping_sub(back + 1);
                    if at < dispatched.len() {
                        let (endpoint, chain, stamp, learn, depth) = dispatched.remove(at);
                        index.retract(endpoint as u32, &chain, stamp);
                        model.retract(endpoint, &chain[..depth], learn);
                    }
                }
                Step::Forget(endpoint) => {
                    index.forget(endpoint as u32);
                    model.forget(endpoint);
                }
                Step::Capacity(capacity) => {
                    index.set_capacity(capacity);
                    model.capacity = capacity.min(bound);
                }
            }
            prop_assert_eq!(index.entries(), model.entries());
            prop_assert!(index.entries() <= bound);
            prop_assert_eq!(index.occupied, model.shelves.iter().filter(|shelf| shelf.len() > 0).count());
        }
        for chain in &asked {
            prop_assert_eq!(matches(&index, chain, ENDPOINTS), model.matches(chain));
            for shelf in &model.shelves {
                let held: Vec<_> = chain.iter().map(|hash| shelf.position(*hash)).collect();
                prop_assert!(held.is_sorted_by_key(|at| at.map_or(usize::MAX, |at| at)), "nested, and deep is old: {held:?}");
            }
        }
        for endpoint in 0..ENDPOINTS {
            index.forget(endpoint as u32);
        }
        prop_assert_eq!((index.entries(), index.occupied, index.holders.len()), (0, 0, (0, 0)));
    }

    #[test]
    fn a_fleet_of_any_size_matches_as_far_as_each_went(
        learnt in vec((0..700u32, 1..40usize), 0..400),
        everybody in 0..30usize,
        asked in 0..45usize,
        restarted in vec(0..700u32, 0..200),
        endpoints in 0..900usize,
    ) {
        let mut index = Index::new();
        let mut depths = vec![0; 900];
        let prompt = hashes(&[0; 45]);
        for (endpoint, depth) in learnt.into_iter().chain((0..500).map(|endpoint| (endpoint, everybody))) {
            index.learn(endpoint, &prompt[..depth]);
            depths[endpoint as usize] = depth.max(depths[endpoint as usize]);
        }
        for endpoint in restarted {
            index.forget(endpoint);
            depths[endpoint as usize] = 0;
        }
        let expected: Vec<_> = depths.iter().take(endpoints).map(|depth| (*depth).min(asked) as u16).collect();
        prop_assert_eq!(matches(&index, &prompt[..asked], endpoints), expected);
    }

    #[test]
    fn a_later_dispatch_outlives_any_earlier_one_that_failed(
        failed in vec((0..3u32, prompt()), 1..12),
        kept in prompt(),
        endpoint in 0..3u32,
    ) {
        let mut index = Index::new();
        let failed: Vec<_> = failed
            .into_iter()
            .map(|(endpoint, prompt)| (endpoint, hashes(&prompt), index.learn(endpoint, &hashes(&prompt)).stamp))
            .collect();
        let kept = hashes(&kept);
        index.learn(endpoint, &kept);
        for (endpoint, chain, stamp) in failed {
            index.retract(endpoint, &chain, stamp);
        }
        prop_assert_eq!(usize::from(matches(&index, &kept, 3)[endpoint as usize]), kept.len());
        prop_assert_eq!(index.entries(), kept.len(), "and the failed ones left nothing else");
    }

    #[test]
    fn no_chain_however_wrong_does_harm(
        learnt in vec((0..70u32, vec(0..40u64, 0..12)), 0..40),
        asked in vec(0..40u64, 0..30),
    ) {
        let mut index = Index::bounded(150);
        let stamps: Vec<_> = learnt.iter().map(|(endpoint, chain)| index.learn(*endpoint, chain).stamp).collect();
        let found = matches(&index, &asked, 70);
        for (slot, len) in found.into_iter().enumerate() {
            let held = |hash: &&u64| index.shelves.get(slot).is_some_and(|shelf| shelf.hashes().any(|h| h == **hash));
            prop_assert!(usize::from(len) <= asked.len());
            prop_assert_eq!(len > 0, asked.first().is_some_and(|first| held(&first)));
            prop_assert!(len == 0 || held(&&asked[usize::from(len) - 1]), "the last that it matched is one it holds");
        }
        for ((endpoint, chain), stamp) in learnt.iter().zip(stamps) {
            index.retract(*endpoint, chain, stamp);
        }
        prop_assert!(index.entries() <= 150);
    }

    #[test]
    fn members_are_a_set_in_the_smaller_form(steps in vec((any::<bool>(), 0u16..300), 2..400)) {
        let (mut members, mut model) = (Members::default(), BTreeSet::new());
        for (insert, slot) in steps {
            if insert {
                members.insert(slot);
                model.insert(slot);
            } else {
                members.remove(slot);
                model.remove(&slot);
            }
            prop_assert_eq!((members.len(), members.first()), (model.len(), model.first().copied()));
            prop_assert_eq!(members.contains(slot), model.contains(&slot));
        }
        let size = match &members {
            Members::List(slots) => slots.len() * 2,
            Members::Bits { words, .. } => words.len() * 8,
        };
        prop_assert!(size <= model.len() * 2);
        let mut again = Members::default();
        model.iter().rev().for_each(|slot| again.insert(*slot));
        prop_assert_eq!(&members, &again, "the form follows from the members");
        prop_assert!((0..300).all(|slot| members.contains(slot) == model.contains(&slot)));
    }
}
