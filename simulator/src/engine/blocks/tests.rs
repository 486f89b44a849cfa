use proptest::prelude::*;

use super::*;

/// Takes what is findable of a chain and the rest of it fresh, as a sequence does.
fn admit(pool: &mut BlockPool, chain: &[u64]) -> Option<Vec<BlockId>> {
    let found = pool.found(chain.iter().copied());
    let blocks = pool.take(chain.iter().copied().take(found), chain.len() - found)?;
    for (id, hash) in blocks.iter().zip(chain).skip(found) {
        pool.fill(*id, *hash);
    }
    Some(blocks)
}

#[test]
fn content_is_found_from_the_chains_beginning_only() {
    let mut pool = BlockPool::new(8, true);
    admit(&mut pool, &[1, 2, 3]).expect("room");
    for (chain, found) in [(&[1, 2, 3, 4][..], 3), (&[1, 9, 3], 1), (&[2, 3], 2), (&[9, 1], 0)] {
        assert_eq!(pool.found(chain.iter().copied()), found, "{chain:?}");
    }
}

#[test]
fn equal_prefixes_share_blocks_and_stay_until_the_last_holder_goes() {
    let mut pool = BlockPool::new(4, true);
    let (first, second) = (admit(&mut pool, &[1, 2]).expect("room"), admit(&mut pool, &[1, 3]).expect("room"));
    assert_eq!((first[0], pool.free()), (second[0], 1));
    pool.release(first);
    assert_eq!(pool.free(), 2);
    pool.release(second);
    assert_eq!((pool.free(), pool.usage()), (4, 0.0));
}

#[test]
fn the_longest_idle_goes_first_and_a_prefix_from_its_end() {
    let mut pool = BlockPool::new(4, true);
    let (old, new) = (admit(&mut pool, &[1, 2]).expect("room"), admit(&mut pool, &[3, 4]).expect("room"));
    pool.release(old);
    pool.release(new);
    pool.take_one().expect("room");
    assert_eq!([pool.found([1, 2].into_iter()), pool.found([3, 4].into_iter())], [1, 2]);
    // Using an idle block makes it young again.
    let again = admit(&mut pool, &[1]).expect("room");
    pool.release(again);
    pool.take_one().expect("room");
    assert_eq!([pool.found([1].into_iter()), pool.found([3, 4].into_iter())], [1, 1]);
}

#[test]
fn too_few_blocks_change_nothing() {
    let mut pool = BlockPool::new(3, true);
    let held = admit(&mut pool, &[1, 2]).expect("room");
    assert_eq!(admit(&mut pool, &[1, 3, 4]), None);
    pool.release(held);
    // The two idle ones that are wanted again are not room for the others.
    assert_eq!(admit(&mut pool, &[1, 2, 3, 4]), None);
    assert_eq!((pool.free(), pool.found([1, 2].into_iter())), (3, 2));
}

#[test]
fn without_caching_nothing_is_found() {
    let mut pool = BlockPool::new(3, false);
    admit(&mut pool, &[1, 2]).expect("room");
    assert_eq!(pool.found([1].into_iter()), 0);
}

#[test]
fn forgetting_empties_idle_blocks_and_leaves_held_ones() {
    let mut pool = BlockPool::new(4, true);
    let (idle, held) = (admit(&mut pool, &[1]).expect("room"), admit(&mut pool, &[2, 3]).expect("room"));
    pool.release(idle);
    pool.forget();
    assert_eq!((pool.free(), pool.found([1].into_iter()), pool.found([2].into_iter())), (2, 0, 0));
    pool.release(held);
    assert_eq!((pool.free(), pool.idle.len()), (4, 0));
}

proptest! {
    #[test]
    fn blocks_never_leak(steps in prop::collection::vec((0..4_u64, 1..7_usize, any::<bool>(), 0..6_usize), 1..80)) {
        let mut pool = BlockPool::new(12, true);
        let mut held: Vec<Vec<BlockId>> = Vec::new();
        for (family, length, forget, victim) in steps {
            let chain: Vec<u64> = (0..length as u64).map(|place| family * 100 + place).collect();
            match admit(&mut pool, &chain) {
                Some(blocks) => held.push(blocks),
                None if forget => pool.forget(),
                None => {}
            }
            if victim < held.len() {
                pool.release(held.swap_remove(victim));
            }
            let mut in_use: Vec<u32> = held.iter().flatten().map(|id| id.0).collect();
            in_use.sort_unstable();
            in_use.dedup();
            prop_assert_eq!(in_use.len() + pool.free(), 12);
        }
        held.into_iter().for_each(|blocks| pool.release(blocks));
        prop_assert_eq!(pool.free(), 12);
        prop_assert_eq!(pool.index.len(), pool.idle.len());
        prop_assert!(pool.blocks.iter().all(|block| block.holders == 0));
    }
}
