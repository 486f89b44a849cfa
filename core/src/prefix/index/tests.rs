//! The index against a model of it that is plainly right, and what it is there for by name.

mod model;
mod properties;

use super::*;

fn matches(index: &Index, chain: &[u64], endpoints: usize) -> Vec<u16> {
    // What was there before must not show.
    let mut into = vec![7; endpoints];
    index.matches(chain, &mut into);
    into
}

fn chain(first: u64, len: u64) -> Vec<u64> {
    (first..first + len).collect()
}

/// Spec 11.1 #15: upstream learns when a request has completed.
#[test]
fn prefix_cache_learns_only_after_completion_and_bursts_of_the_same_prompt_scatter() {
    let mut index = Index::new();
    let prompt = chain(1, 5);
    index.learn(2, &prompt);
    assert_eq!(matches(&index, &prompt, 4), [0, 0, 5, 0], "the second of the burst finds the first, not yet answered");
}

/// Spec 4.1: upstream stops at `topKMatches` endpoints, arbitrary ones among equals.
#[test]
fn every_endpoint_that_holds_a_prefix_matches_not_a_few_arbitrary_ones() {
    let mut index = Index::new();
    let prompt = chain(1, 3);
    for endpoint in 0..200 {
        index.learn(endpoint, &prompt);
    }
    assert_eq!(matches(&index, &prompt, 200), [3; 200]);
    assert_eq!(index.holders.len(), (3, 1), "three hashes share one set");
}

#[test]
fn each_matches_as_far_as_it_holds_the_chain() {
    let mut index = Index::new();
    index.learn(0, &chain(1, 10));
    index.learn(1, &chain(1, 4));
    index.learn(300, &chain(1, 7));
    index.learn(3, &[&chain(1, 2)[..], &chain(100, 5)].concat());
    let found = matches(&index, &chain(1, 12), 301);
    assert_eq!((found[0], found[1], found[2], found[3], found[300]), (10, 4, 0, 2, 7));
    assert_eq!(matches(&index, &chain(1, 12), 2), [10, 4], "slots beyond what is asked for are left out");
    assert_eq!(matches(&index, &[], 2), [0, 0]);
    assert_eq!(matches(&index, &[55], 2), [0, 0]);
    assert!(matches(&index, &chain(1, 12), 0).is_empty());
}

#[test]
fn the_deepest_of_the_oldest_chain_go_first() {
    let mut index = Index::new();
    index.set_capacity(6);
    index.learn(0, &chain(1, 4));
    assert_eq!(index.learn(0, &chain(11, 4)).evicted, 2);
    assert_eq!((matches(&index, &chain(1, 4), 1)[0], matches(&index, &chain(11, 4), 1)[0]), (2, 4));
    assert_eq!(index.learn(0, &chain(1, 3)).evicted, 1, "what is learnt again is recent again");
    assert_eq!((matches(&index, &chain(1, 4), 1)[0], matches(&index, &chain(11, 4), 1)[0]), (3, 3));
}

#[test]
fn a_chain_longer_than_the_capacity_is_held_as_far_as_it_goes() {
    let mut index = Index::new();
    index.set_capacity(4);
    assert_eq!(index.learn(0, &chain(1, 9)).evicted, 0);
    assert_eq!((matches(&index, &chain(1, 9), 1)[0], index.entries()), (4, 4));
    index.set_capacity(0);
    index.learn(0, &chain(1, 9));
    assert_eq!((matches(&index, &chain(1, 9), 1)[0], index.entries()), (1, 1), "the least capacity is one");
}

#[test]
fn a_failed_dispatch_leaves_what_others_sent() {
    let mut index = Index::new();
    index.learn(0, &chain(1, 3));
    let failed = index.learn(0, &chain(1, 6)).stamp;
    index.retract(0, &chain(1, 6), failed);
    assert_eq!((matches(&index, &chain(1, 6), 1)[0], index.entries()), (3, 3), "sent before");
    let failed = index.learn(0, &chain(1, 6)).stamp;
    index.learn(0, &chain(1, 5));
    index.retract(0, &chain(1, 6), failed);
    assert_eq!((matches(&index, &chain(1, 6), 1)[0], index.entries()), (5, 5), "sent since");
}

#[test]
fn a_burst_that_failed_as_a_whole_leaves_nothing() {
    let mut index = Index::new();
    let stamps: Vec<_> = (0..5).map(|_| index.learn(3, &chain(1, 8)).stamp).collect();
    for stamp in stamps {
        assert_eq!(matches(&index, &chain(1, 8), 4)[3], 8);
        index.retract(3, &chain(1, 8), stamp);
    }
    assert_eq!((index.entries(), index.holders.len()), (0, (0, 0)));
}

#[test]
fn a_dispatch_from_before_a_restart_takes_nothing_from_after_it() {
    let mut index = Index::new();
    let before = index.learn(0, &chain(1, 3)).stamp;
    index.forget(0);
    assert_eq!((matches(&index, &chain(1, 3), 1)[0], index.entries()), (0, 0));
    index.learn(0, &chain(1, 3));
    index.retract(0, &chain(1, 3), before);
    assert_eq!(matches(&index, &chain(1, 3), 1)[0], 3);
}

#[test]
fn what_was_not_taken_is_not_taken_back() {
    let mut index = Index::new();
    index.learn(0, &chain(1, 6));
    index.set_capacity(4);
    let stamp = index.learn(0, &chain(1, 6)).stamp;
    index.set_capacity(9);
    index.learn(0, &chain(1, 6));
    index.retract(0, &chain(1, 6), stamp);
    assert_eq!(matches(&index, &chain(1, 6), 1)[0], 6);
}

#[test]
fn an_idle_endpoint_lends_its_share_until_another_wants_it() {
    let mut index = Index::bounded(100);
    assert_eq!(index.learn(0, &chain(1, 90)).evicted, 0);
    assert_eq!(index.learn(1, &chain(1000, 10)).evicted, 0, "there was room");
    assert_eq!(index.learn(1, &chain(1000, 30)).evicted, 20);
    assert_eq!((matches(&index, &chain(1, 90), 2)[0], matches(&index, &chain(1000, 30), 2)[1]), (70, 30));
    assert_eq!(index.learn(1, &chain(2000, 50)).evicted, 50, "from the one above its share, then the learner's own");
    assert_eq!((index.shelves[0].len(), index.shelves[1].len(), index.entries()), (50, 50, 100));
}

#[test]
fn what_a_crowd_takes_over_gives_memory_back() {
    let mut index = Index::bounded(20_000);
    index.learn(0, &chain(1, 20_000));
    for endpoint in 1..100 {
        index.learn(endpoint, &chain(u64::from(endpoint) << 20, 200));
    }
    assert_eq!((index.shelves[0].len(), index.entries()), (200, 20_000));
    assert!(index.shelves[0].places() < 2_000, "{}", index.shelves[0].places());
    assert_eq!(matches(&index, &chain(1, 20_000), 1)[0], 200, "the shallowest are left");
}

#[test]
fn an_endpoint_beyond_the_slots_is_passed_over() {
    let mut index = Index::new();
    for endpoint in [MAX_ENDPOINTS as u32, u32::MAX] {
        let learned = index.learn(endpoint, &chain(1, 3));
        index.retract(endpoint, &chain(1, 3), learned.stamp);
        index.forget(endpoint);
    }
    index.learn(MAX_ENDPOINTS as u32 - 1, &chain(1, 3));
    let found = matches(&index, &chain(1, 3), MAX_ENDPOINTS + 70);
    assert_eq!((found.iter().filter(|len| **len > 0).count(), found[MAX_ENDPOINTS - 1], index.entries()), (1, 3, 3));
}

#[test]
fn a_hole_in_a_chain_ends_the_match_of_whoever_is_seen_to_have_it() {
    let mut index = Index::new();
    index.learn(0, &chain(1, 8));
    index.learn(1, &chain(1, 2));
    index.learn(1, &chain(7, 2));
    index.learn(2, &[8]);
    assert_eq!(matches(&index, &chain(1, 8), 3), [8, 2, 0]);
}
