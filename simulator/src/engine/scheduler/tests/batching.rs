//! Seats, the queue, prefill and decode.

use super::*;
use crate::engine::Sleep;

#[test]
fn a_request_that_is_alone_has_its_tokens_at_ttft_and_every_tpot_after() {
    let mut bench = Bench::new(config());
    bench.now = 7;
    bench.taken(asked(&[1], 3));
    assert_eq!(bench.run(), [(0, 1, 107), (0, 2, 117), (0, 3, 127)]);
}

#[test]
fn requests_that_fit_do_not_delay_one_another() {
    let mut bench = Bench::new(config());
    bench.taken(asked(&[1], 2));
    bench.now = 3;
    bench.taken(asked(&[2], 2));
    assert_eq!(bench.run(), [(0, 1, 100), (1, 1, 103), (0, 2, 110), (1, 2, 113)]);
}

#[test]
fn more_than_there_are_seats_wait_first_come_first_served() {
    let mut bench = Bench::new(Config { max_num_seqs: 2, ..config() });
    for family in 0..4 {
        bench.taken(asked(&tokens(family, 3), 2 + family));
    }
    assert_eq!((bench.running(), bench.waiting()), (2, (2, 0)));
    // The first ends at 110 and the second at 120: their seats go to the third and the fourth.
    assert_eq!(bench.first_tokens(), [(0, 100), (1, 100), (2, 210), (3, 220)]);
    let queue = &bench.scheduler.recorder.latencies.queue;
    assert_eq!((queue.count(), (queue.sum() * 1000.0).round()), (4, 230.0));
}

#[test]
fn each_choice_takes_a_seat_and_they_end_one_by_one() {
    let mut bench = Bench::new(Config { max_num_seqs: 2, ..config() });
    bench.taken(Asked { copies: 3, ..asked(&[1], 1) });
    assert_eq!((bench.running(), bench.waiting()), (2, (1, 0)));
    let moved = bench.until(1000);
    assert_eq!(moved.iter().map(|moved| moved.choice).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(bench.scheduler.recorder.totals.ended.length, 3);
}

#[test]
fn more_requests_than_may_be_here_are_refused_and_counted() {
    let mut bench = Bench::new(Config { max_num_seqs: 1, max_num_queued_reqs: Some(2), ..config() });
    assert!(bench.ask(asked(&[1], 1)).is_some());
    assert_eq!(bench.ask(Asked { copies: 2, ..asked(&[2], 1) }), None);
    assert!(bench.ask(asked(&[2], 1)).is_some());
    assert_eq!(bench.ask(asked(&[3], 1)), None);
    assert_eq!(bench.scheduler.recorder.totals.rejected_queued_requests, 2);
    bench.until(100);
    assert!(bench.ask(asked(&[3], 1)).is_some());
}

#[test]
fn a_request_with_more_choices_than_memory_should_hold_is_refused() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.ask(Asked { copies: 300_000, ..asked(&[1], 1) }), None);
    assert!(bench.ask(asked(&[1], 1)).is_some());
}

#[test]
fn a_bigger_batch_makes_slower_tokens() {
    let pace = Pace::new(ms(TTFT), ms(TPOT), 1.0, None, 0.5).expect("a plain pace");
    let gap = |requests: u32| {
        let mut bench = Bench::new(Config { pace, ..config() });
        for family in 0..requests {
            bench.taken(asked(&tokens(family, 1), 3));
        }
        let times: Vec<u64> = bench.run().iter().filter(|(request, ..)| *request == 0).map(|time| time.2).collect();
        times[2] - times[1]
    };
    assert_eq!([gap(1), gap(2), gap(3)], [10, 15, 20]);
}

#[test]
fn a_prompt_takes_its_time_before_the_first_token() {
    let mut bench = Bench::new(prefilling());
    bench.taken(asked(&tokens(0, 50), 2));
    assert_eq!(bench.run(), [(0, 1, 150), (0, 2, 160)]);
}

#[test]
fn prompts_are_computed_one_after_the_other_within_a_steps_tokens() {
    let mut bench = Bench::new(Config { max_num_batched_tokens: 30, ..prefilling() });
    bench.taken(asked(&tokens(0, 20), 1));
    bench.taken(asked(&tokens(1, 20), 1));
    // The first chunk has the whole first prompt and half of the second, the next one the rest.
    assert_eq!(bench.first_tokens(), [(0, 130), (1, 140)]);
}

#[test]
fn a_prefill_stops_the_tokens_of_others_and_lets_one_through_between_chunks() {
    let mut bench = Bench::new(Config { max_num_batched_tokens: 21, ..prefilling() });
    bench.taken(asked(&[1], 8));
    // Its first token is at 101, the second would be at 111.
    bench.until(105);
    bench.taken(asked(&tokens(1, 40), 1));
    let times: Vec<_> = bench.run().into_iter().filter(|(request, ..)| *request == 0).map(|time| time.2).collect();
    // Two chunks of 20 ms, of 20 tokens each: one of the 21 goes to the sequence that decodes.
    assert_eq!(times, [131, 161, 171, 181, 191, 201, 211]);
}

#[test]
fn a_client_that_goes_away_frees_all_that_it_had() {
    let mut bench = Bench::new(Config { max_num_seqs: 1, ..prefilling() });
    let running = bench.taken(Asked { copies: 2, adapter: Some("a"), ..asked(&tokens(0, 9), 9) });
    bench.taken(asked(&tokens(1, 9), 1));
    for at in [0, 5, 60, 125] {
        bench.until(at);
        assert_eq!((bench.running(), bench.waiting().0), (1, 2));
    }
    bench.cancel(running);
    assert_eq!((bench.running(), bench.waiting()), (1, (0, 0)));
    assert_eq!(bench.scheduler.recorder.totals.ended.abort, 2);
    assert!(bench.scheduler.slots.running().is_empty() && bench.scheduler.slots.waiting().is_empty());
    bench.run();
    assert_eq!((bench.scheduler.pool.usage(), bench.scheduler.sequences.len()), (0.0, 0));
    assert!(bench.scheduler.requests.is_empty());
}

#[test]
fn going_away_after_the_end_changes_nothing() {
    let mut bench = Bench::new(config());
    let request = bench.taken(asked(&[1], 1));
    bench.run();
    bench.cancel(request);
    assert_eq!(bench.scheduler.recorder.totals.ended.abort, 0);
}

#[test]
fn asleep_nothing_comes_and_what_ran_starts_over_in_its_order() {
    let mut bench = Bench::new(Config { max_num_seqs: 2, ..prefilling() });
    for family in 0..3 {
        bench.taken(asked(&tokens(family, 10), 3));
    }
    bench.until(115);
    bench.scheduler.set_sleep(Sleep::WeightsOffloaded, ms(115));
    assert_eq!((bench.running(), bench.waiting(), bench.scheduler.pool.usage()), (0, (3, 0), 0.0));
    bench.taken(asked(&[9], 1));
    assert!(bench.until(5000).is_empty());
    bench.scheduler.set_sleep(Sleep::Awake, ms(5000));
    let order: Vec<u64> = bench.first_tokens().into_iter().map(|(request, _)| request).collect();
    assert_eq!(order, [0, 1, 2, 3]);
    let totals = bench.scheduler.recorder.totals;
    assert_eq!((totals.generation_tokens, totals.preemptions), (10, 0));
}

#[test]
fn what_is_told_of_a_request_adds_up() {
    let mut bench = Bench::new(prefilling());
    bench.taken(asked(&tokens(0, 10), 5));
    bench.run();
    let recorder = &bench.scheduler.recorder;
    let histograms = [
        &recorder.latencies.time_to_first_token,
        &recorder.latencies.prefill,
        &recorder.latencies.decode,
        &recorder.latencies.end_to_end,
        &recorder.latencies.inference,
        &recorder.latencies.time_per_output_token,
        &recorder.sizes.prompt_tokens,
        &recorder.sizes.generation_tokens,
    ];
    let sums = histograms.map(|histogram| (histogram.sum() * 1000.0).round());
    assert_eq!(sums, [110.0, 110.0, 40.0, 150.0, 150.0, 10.0, 10_000.0, 5000.0]);
    assert!(histograms.iter().all(|histogram| histogram.count() == 1));
    let inter_token = &recorder.latencies.inter_token;
    assert_eq!((inter_token.count(), (inter_token.sum() * 1000.0).round()), (4, 40.0));
    let totals = recorder.totals;
    assert_eq!((totals.prompt_tokens, totals.prompt_tokens_computed, totals.generation_tokens), (10, 10, 5));
}

#[test]
fn tokens_that_take_no_time_come_in_slices() {
    let pace = Pace::new(Duration::ZERO, Duration::ZERO, 1.0, None, 0.0).expect("a plain pace");
    let cache = Cache { blocks: 10_001, ..config().cache };
    let mut bench = Bench::new(Config { pace, max_model_len: 40_001, cache, ..config() });

    bench.taken(asked(&[1], 40_000));
    bench.scheduler.advance(Duration::ZERO);
    assert_eq!(bench.scheduler.next(), Some(Duration::ZERO));
    assert_eq!(bench.run().len(), 40_000);
}
