//! What a decision costs in instructions: `make bench-decision`, which runs this program under callgrind.
//!
//! Counts are the same on every machine with the same compiler, however busy it is, so they show what a change costs
//! where times do not. Alone, the program only does what would be counted.

#[path = "cases/decision.rs"]
mod decision;
#[path = "cases/prefix.rs"]
mod prefix;

use decision::{NOW, TARGET, chat, random};
use kthena_core::scheduling::{Profile, Request};
use prefix::{PROMPT, fleet, prompt, share_system_prompt};
use std::hint::black_box;

/// One thing to count: its name, and a call that can be repeated.
type Case = (String, Box<dyn FnMut()>);

/// Prompts that each endpoint holds besides what is asked for.
const EACH: u64 = 2;

/// More prompts than the fleet has.
const UNKNOWN: u64 = 1 << 30;

fn main() {
    let endpoints = [100, 1000];
    let cases = endpoints.into_iter().map(decide);
    let cases = cases
        .chain(endpoints.into_iter().flat_map(matches))
        .chain(endpoints.into_iter().flat_map(learn))
        .chain([forget()]);
    for (name, mut call) in cases {
        // The first call allocates what later ones reuse.
        call();
        // tools/instructions puts the counts beside these lines, in their order.
        println!("{name}");
        counted(&mut call);
    }
}

/// Callgrind counts what is below this function, call by call: tools/instructions knows its name.
#[inline(never)]
fn counted(call: &mut dyn FnMut()) {
    call();
}

/// By the default profile, a prompt of which a part is known.
fn decide(endpoints: u32) -> Case {
    let (mut fleet, profile, prefix, mut seed) =
        (decision::fleet(endpoints), Profile::default(), chat(1 << 20, PROMPT), 1);
    let call = move || {
        let request = Request { target: TARGET, model: "model", tokens: 2000, prefix: black_box(&prefix) };
        let pick = fleet.pick(&profile, &request, Some(1), NOW, &mut || random(&mut seed), &mut |_| ());
        if let Some(dispatch) = pick.and_then(|pick| black_box(pick).dispatch) {
            fleet.end(dispatch);
        }
    };
    (format!("decide: {endpoints} endpoints, {PROMPT} hashes, default profile"), Box::new(call))
}

fn matches(endpoints: u32) -> Vec<Case> {
    let case = |hashes: usize, who: &str, index: kthena_core::prefix::Index| -> Case {
        let (asked, mut into) = (prompt(UNKNOWN, hashes), vec![0; endpoints as usize]);
        let name = format!("matches: {endpoints} endpoints, {hashes} hashes, {who}");
        (name, Box::new(move || index.matches(black_box(&asked), black_box(&mut into))))
    };
    let mut cases = Vec::new();
    for hashes in [PROMPT, 400] {
        cases.push(case(hashes, "nobody", fleet(endpoints, EACH)));
        let mut index = fleet(endpoints, EACH);
        index.learn(endpoints / 2, &prompt(UNKNOWN, hashes));
        cases.push(case(hashes, "one holder", index));
        let mut index = fleet(endpoints, EACH);
        (0..endpoints).for_each(|endpoint| _ = index.learn(endpoint, &prompt(UNKNOWN, hashes / 4)));
        index.learn(endpoints / 2, &prompt(UNKNOWN, hashes));
        cases.push(case(hashes, "a quarter on all, the rest on one", index));
        let mut index = fleet(endpoints, EACH);
        share_system_prompt(&mut index, endpoints, &prompt(UNKNOWN, hashes));
        cases.push(case(hashes, "a quarter on all, then each to its own depth", index));
    }
    cases
}

fn learn(endpoints: u32) -> Vec<Case> {
    let mut index = fleet(endpoints, EACH);
    index.set_capacity(PROMPT * EACH as usize);
    let mut fresh = (UNKNOWN..).map(|number| prompt(number, PROMPT)).take(2).collect::<Vec<_>>().into_iter();
    let new = move || {
        black_box(index.learn(0, black_box(&fresh.next().unwrap_or_default())));
    };
    let (mut index, known) = (fleet(endpoints, EACH), prompt(0, PROMPT));
    let again = move || {
        black_box(index.learn(0, black_box(&known)));
    };
    let name = |which| format!("learn: {endpoints} endpoints, {PROMPT} {which} hashes");
    vec![(name("new"), Box::new(new)), (name("known"), Box::new(again))]
}

fn forget() -> Case {
    let prompts = 50_000 / PROMPT as u64;
    let mut index = fleet(2, prompts);
    let mut endpoint = 0;
    let call = move || {
        index.forget(black_box(endpoint));
        endpoint += 1;
    };
    (format!("forget: {} hashes", prompts * PROMPT as u64), Box::new(call))
}
