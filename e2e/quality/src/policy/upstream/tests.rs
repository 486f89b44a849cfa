use super::*;

fn page(running: u64, waiting: u64, kv_cache_usage: f64) -> Snapshot {
    Snapshot { running, waiting, kv_cache_usage, ..Snapshot::default() }
}

fn request(id: u64, prompt: Vec<u32>) -> Request {
    Request { id, prompt, tokens: 1, adapter: None }
}

fn totals(upstream: &Upstream, score: Score, chain: &[u64]) -> Vec<u64> {
    let candidates: Vec<usize> = (0..upstream.engines.len()).collect();
    let mut totals = vec![0; candidates.len()];
    upstream.add_score(score, chain, &candidates, &mut totals);
    totals
}

#[test]
fn a_request_that_no_page_shows_yet_weighs_a_hundred() {
    let mut upstream = Upstream::new(3, &[Score::LeastRequest], false);
    upstream.scraped(0, &page(4, 0, 0.0), Duration::ZERO);
    for (seen, in_flight) in upstream.engines.iter_mut().zip([4, 1, 0]) {
        seen.in_flight = in_flight;
    }
    assert_eq!(totals(&upstream, Score::LeastRequest, &[]), [(101 - 4) * 100 / 101, 0, 100]);
}

#[test]
fn the_older_formula_knows_only_the_last_page() {
    let mut upstream = Upstream::new(2, &[Score::LeastRequestThen], false);
    assert_eq!(totals(&upstream, Score::LeastRequestThen, &[]), [100, 100]);
    upstream.scraped(0, &page(50, 1, 0.0), Duration::ZERO);
    upstream.scraped(1, &page(75, 0, 0.0), Duration::ZERO);
    assert_eq!(totals(&upstream, Score::LeastRequestThen, &[]), [0, 50]);
}

#[test]
fn latency_is_scored_between_the_best_and_the_worst_and_the_unmeasured_in_the_middle() {
    let mut upstream = Upstream::new(3, &[Score::LeastLatency], false);
    for (engine, seconds) in [(0, 1.0), (1, 2.0)] {
        let page = Snapshot { ttft: (seconds, 1), tpot: (seconds, 1), ..Snapshot::default() };
        upstream.scraped(engine, &page, Duration::ZERO);
    }
    assert_eq!(totals(&upstream, Score::LeastLatency, &[]), [100, 0, 50]);
}

#[test]
fn a_prompt_is_known_where_it_was_answered_and_only_then() {
    let mut upstream = Upstream::new(2, &[Score::PrefixCache], false);
    let (first, again) = (request(1, (0..64).collect()), request(2, (0..32).chain(90..122).collect()));
    let mut random = Rng::with_seed(1);
    let engine = upstream.pick(&first, Duration::ZERO, &mut random).expect("an engine");
    assert_eq!(totals(&upstream, Score::PrefixCache, &chain(&again.prompt)), [0, 0]);
    upstream.ended(&first, engine, Duration::ZERO);
    assert_eq!(totals(&upstream, Score::PrefixCache, &chain(&again.prompt))[engine], 50);
}

#[test]
fn where_every_engine_has_ten_waiting_a_request_is_shed() {
    let mut upstream = Upstream::helm_default(2);
    upstream.scraped(0, &page(1, 10, 0.0), Duration::ZERO);
    let mut random = Rng::with_seed(1);
    assert_eq!(upstream.pick(&request(1, vec![1]), Duration::ZERO, &mut random), Some(1));
    upstream.scraped(1, &page(1, 11, 0.0), Duration::ZERO);
    assert_eq!(upstream.pick(&request(2, vec![1]), Duration::ZERO, &mut random), None);
}
