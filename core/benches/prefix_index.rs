//! The prefix index: `cargo bench -p kthena-core --bench prefix_index`.
//!
//! Fleets are full, so that what is asked for is in no processor cache by luck: 2,048 hashes on each of 1,000
//! endpoints, or as many as the index bounds. Targets: matches within 2 us at 100 endpoints and 10 us at 1,000,
//! learning 128 hashes within 10 us.

#[path = "cases/prefix.rs"]
mod prefix;

use divan::{Bencher, black_box};
use kthena_core::prefix::MAX_PAIRS;
use prefix::{PROMPT, fleet, prompt, share_system_prompt};
use std::cell::RefCell;
use std::fmt;

fn main() {
    divan::main();
}

/// A fleet's size and a prompt's length in hashes.
#[derive(Clone, Copy)]
struct Size(u32, usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} endpoints, {} hashes", self.0, self.1)
    }
}

const SIZES: [Size; 4] = [Size(100, 128), Size(100, 400), Size(1000, 128), Size(1000, 400)];

/// Prompts that each endpoint holds besides.
const EACH: u64 = 16;

/// More prompts than the fleet has.
const UNKNOWN: u64 = 1 << 30;

#[divan::bench(args = SIZES)]
fn matches_nobody(bencher: Bencher<'_, '_>, Size(endpoints, hashes): Size) {
    let index = fleet(endpoints, EACH);
    let mut into = vec![0; endpoints as usize];
    let mut number = UNKNOWN;
    let asked = || {
        number += 1;
        prompt(number, hashes)
    };
    bencher.with_inputs(asked).bench_local_refs(|asked| index.matches(black_box(asked), black_box(&mut into)));
}

#[divan::bench(args = SIZES)]
fn matches_one_holder(bencher: Bencher<'_, '_>, Size(endpoints, hashes): Size) {
    let mut index = fleet(endpoints, EACH);
    // Each on another endpoint, in turn, so that no two calls look at the same hashes.
    for number in 0..u64::from(endpoints) {
        index.learn(number as u32, &prompt(UNKNOWN + number, hashes));
    }
    let mut into = vec![0; endpoints as usize];
    let mut number = 0;
    let asked = || {
        number = (number + 1) % u64::from(endpoints);
        prompt(UNKNOWN + number, hashes)
    };
    bencher.with_inputs(asked).bench_local_refs(|asked| index.matches(black_box(asked), black_box(&mut into)));
}

/// Everybody holds the first quarter, one all of it.
#[divan::bench(args = SIZES)]
fn matches_conversation(bencher: Bencher<'_, '_>, Size(endpoints, hashes): Size) {
    let mut index = fleet(endpoints, EACH);
    let asked = prompt(UNKNOWN, hashes);
    (0..endpoints).for_each(|endpoint| _ = index.learn(endpoint, &asked[..hashes / 4]));
    index.learn(endpoints / 2, &asked);
    let mut into = vec![0; endpoints as usize];
    bencher.bench_local(|| index.matches(black_box(&asked), black_box(&mut into)));
}

/// Everybody holds the first quarter, and each the rest as far as to a depth of its own: the worst case.
#[divan::bench(args = SIZES)]
fn matches_shared_system_prompt(bencher: Bencher<'_, '_>, Size(endpoints, hashes): Size) {
    let mut index = fleet(endpoints, EACH);
    let asked = prompt(UNKNOWN, hashes);
    share_system_prompt(&mut index, endpoints, &asked);
    let mut into = vec![0; endpoints as usize];
    bencher.bench_local(|| index.matches(black_box(&asked), black_box(&mut into)));
}

/// At 40 endpoints each is at its capacity, at 1,000 all together are.
#[divan::bench(args = [1, 40, 1000])]
fn learn_128_new(bencher: Bencher<'_, '_>, endpoints: u32) {
    let each = (MAX_PAIRS / endpoints as usize).min(50_000) / PROMPT + 1;
    let mut index = fleet(endpoints, each as u64);
    let mut number = UNKNOWN;
    let chain = || {
        number += 1;
        (number as u32 % endpoints, prompt(number, PROMPT))
    };
    bencher
        .with_inputs(chain)
        .bench_local_refs(|(endpoint, chain)| index.learn(black_box(*endpoint), black_box(chain)));
}

#[divan::bench(args = [1, 40, 1000])]
fn learn_128_known(bencher: Bencher<'_, '_>, endpoints: u32) {
    let mut index = fleet(endpoints, EACH);
    let mut number = 0;
    let chain = || {
        number = (number + 1) % (u64::from(endpoints) * EACH);
        ((number / EACH) as u32, prompt(number, PROMPT))
    };
    bencher
        .with_inputs(chain)
        .bench_local_refs(|(endpoint, chain)| index.learn(black_box(*endpoint), black_box(chain)));
}

/// A prompt that everybody holds, learnt by one more each time.
#[divan::bench(args = [100, 1000])]
fn learn_128_shared(bencher: Bencher<'_, '_>, endpoints: u32) {
    let index = RefCell::new(fleet(endpoints, EACH));
    let mut number = UNKNOWN;
    let chain = || {
        number += 1;
        let chain = prompt(number, PROMPT);
        (1..endpoints).for_each(|endpoint| _ = index.borrow_mut().learn(endpoint, &chain));
        chain
    };
    bencher.with_inputs(chain).bench_local_refs(|chain| index.borrow_mut().learn(black_box(0), black_box(chain)));
}

#[divan::bench(sample_count = 30, sample_size = 1)]
fn forget_50_000(bencher: Bencher<'_, '_>) {
    let index = RefCell::new(fleet(40, 50_000 / PROMPT as u64));
    let mut number = UNKNOWN;
    let restarted = || {
        for _ in 0..=50_000 / PROMPT {
            number += 1;
            index.borrow_mut().learn(0, &prompt(number, PROMPT));
        }
    };
    bencher.with_inputs(restarted).bench_local_values(|()| index.borrow_mut().forget(black_box(0)));
}
