//! Blocks: prefix hits, eviction, preemption.

use super::*;

/// Prefix hits in tokens of a second request after a first one that ended.
fn hits(first: Asked<'_>, second: Asked<'_>) -> u64 {
    let mut bench = Bench::new(config());
    bench.taken(first);
    bench.run();
    bench.taken(second);
    bench.run();
    assert_eq!(bench.scheduler.recorder.totals.prefix_queries, (first.prompt.len() + second.prompt.len()) as u64);
    bench.hits()
}

#[test]
fn a_prompt_that_was_here_is_found_by_whole_blocks_but_for_its_last_token() {
    for (length, found) in [(3, 0), (4, 0), (5, 4), (8, 4), (9, 8), (11, 8)] {
        let prompt = tokens(0, length);
        assert_eq!(hits(asked(&prompt, 1), asked(&prompt, 1)), found, "{length}");
    }
}

#[test]
fn prompts_share_as_much_as_they_begin_with() {
    let (one, mut other) = (tokens(0, 20), tokens(0, 20));
    other[9] = 77;
    assert_eq!(hits(asked(&one, 1), asked(&other, 1)), 8);
    assert_eq!(hits(asked(&one, 1), asked(&tokens(1, 20), 1)), 0);
}

#[test]
fn another_salt_or_adapter_finds_nothing() {
    let prompt = tokens(0, 9);
    let plain = asked(&prompt, 1);
    let (salted, adapted) = (Asked { salt: Some("t"), ..plain }, Asked { adapter: Some("a"), ..plain });
    for (first, second, found) in
        [(plain, salted, 0), (salted, plain, 0), (plain, adapted, 0), (salted, salted, 8), (adapted, adapted, 8)]
    {
        assert_eq!(hits(first, second), found, "{first:?} {second:?}");
    }
}

#[test]
fn a_next_turn_finds_the_answer_too() {
    let first = tokens(0, 4);
    let prompt = Prompt { tokens: 4, fingerprint: 0, ids: first.clone(), characters: None };
    let mut words = Words::new(0, "m", &prompt, 0);
    let mut next = first.clone();
    next.extend((0..9).map(|position| words.next(position).id));
    // The ninth token of the answer was never computed: nothing came after it.
    assert_eq!(hits(asked(&first, 9), asked(&next, 1)), 12);
}

#[test]
fn copies_of_a_prompt_share_its_blocks() {
    let mut bench = Bench::new(config());
    bench.taken(Asked { copies: 3, ..asked(&tokens(0, 9), 1) });
    assert_eq!(bench.hits(), 16);
    // Two blocks that all share, and for each one of its own.
    assert_eq!(bench.scheduler.pool.usage(), 5.0 / 64.0);
    assert_eq!(bench.until(100).iter().map(|moved| moved.cached).collect::<Vec<_>>(), [0, 8, 8]);
}

#[test]
fn hits_shorten_the_prefill() {
    let mut bench = Bench::new(prefilling());
    bench.taken(asked(&tokens(0, 41), 1));
    bench.run();
    bench.now = 1000;
    bench.taken(asked(&tokens(0, 41), 1));
    assert_eq!(bench.first_tokens(), [(1, 1101)]);
    let totals = bench.scheduler.recorder.totals;
    assert_eq!((totals.prompt_tokens_cached, totals.prompt_tokens_computed), (40, 42));
}

#[test]
fn the_longest_unused_prefix_is_lost_first() {
    let cache = Cache { blocks: 6, ..config().cache };
    let mut bench = Bench::new(Config { max_model_len: 24, cache, ..config() });
    for family in [0, 1, 0, 2] {
        bench.taken(asked(&tokens(family, 9), 1));
        bench.run();
    }
    // Two full blocks of each stay, and the third family's last one took the end of the second's.
    for (family, found) in [(0, 8), (1, 4)] {
        let before = bench.hits();
        bench.taken(asked(&tokens(family, 9), 1));
        bench.run();
        assert_eq!(bench.hits() - before, found, "{family}");
    }
}

#[test]
fn a_prompt_waits_until_its_blocks_are_free_and_nobody_overtakes_it() {
    let cache = Cache { blocks: 6, ..config().cache };
    let mut bench = Bench::new(Config { max_model_len: 24, cache, ..config() });
    bench.taken(asked(&tokens(0, 16), 1));
    bench.taken(asked(&tokens(1, 12), 1));
    bench.taken(asked(&tokens(2, 4), 1));
    assert_eq!((bench.running(), bench.waiting()), (1, (2, 0)));
    assert_eq!(bench.first_tokens(), [(0, 100), (1, 200), (2, 200)]);
}

#[test]
fn without_a_block_for_its_next_token_a_sequence_takes_those_of_the_youngest() {
    let cache = Cache { blocks: 6, prefix_caching: false, ..config().cache };
    let mut bench = Bench::new(Config { max_model_len: 24, cache, ..prefilling() });
    bench.taken(asked(&tokens(0, 11), 12));
    bench.taken(asked(&tokens(1, 11), 6));
    let times = bench.run();
    let totals = bench.scheduler.recorder.totals;
    assert_eq!((totals.preemptions, totals.generation_tokens, totals.ended.length), (1, 18, 2));
    // The elder one was never held up; the younger one got no token until it had ended.
    let elder: Vec<u64> = times.iter().filter(|(request, ..)| *request == 0).map(|time| time.2).collect();
    assert!(elder.windows(2).all(|pair| pair[1] - pair[0] == TPOT), "{elder:?}");
    let younger: Vec<u64> = times.iter().filter(|(request, ..)| *request == 1).map(|time| time.2).collect();
    let again = younger.iter().position(|at| at > elder.last().expect("tokens")).expect("it went on");
    // It computes its prompt and what it had said once more.
    assert_eq!(younger[again] - elder.last().expect("tokens"), 11 + again as u64 + TTFT);
    assert_eq!(bench.scheduler.pool.usage(), 0.0);
}

#[test]
fn a_prompt_longer_than_the_context_is_answered_and_holds_what_the_context_needs() {
    let mut bench = Bench::new(config());
    bench.taken(asked(&tokens(0, 500), 3));
    assert_eq!(bench.scheduler.pool.usage(), 16.0 / 64.0);
    assert_eq!(bench.run().len(), 3);
    assert_eq!(bench.scheduler.recorder.totals.prompt_tokens, 500);
}
