//! The engine with its clock, as a face sees it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::{Engine, Prompt, PromptReader, Rejected, Sleep, Work};
use crate::options::{Capacity, Options};

const TTFT: Duration = Duration::from_millis(100);
const TPOT: Duration = Duration::from_millis(10);

fn engine(capacity: Capacity) -> Arc<Engine> {
    let options = Options { ttft: TTFT, tpot: TPOT, capacity, ..Options::default() };
    Arc::new(Engine::new(options.engine().expect("a plain engine")))
}

fn prompt(text: &str) -> Prompt {
    let mut reader = PromptReader::default();
    reader.text(text);
    reader.finish()
}

fn work(prompts: &[Prompt], tokens: u32) -> Work<'_> {
    Work { model: "m", adapter: None, salt: None, prompts, copies: 1, tokens }
}

#[tokio::test(start_paused = true)]
async fn one_more_than_may_be_here_is_refused_until_one_has_gone() {
    let (engine, prompts) = (engine(Capacity { max_num_queued_reqs: Some(1), ..Capacity::default() }), [prompt("p")]);
    let first = engine.start(&work(&prompts, 1)).expect("room");
    assert_eq!(engine.start(&work(&prompts, 1)).map(|_| ()), Err(Rejected::QueueFull));
    assert_eq!(engine.stats().totals.rejected_queued_requests, 1);
    drop(first);
    assert!(engine.start(&work(&prompts, 1)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_get_their_seat_when_one_is_free() {
    let (engine, prompts) = (engine(Capacity { max_num_seqs: 1, ..Capacity::default() }), [prompt("p")]);
    let start = Instant::now();
    let first = engine.start(&work(&prompts, 3)).expect("room");
    let mut second = engine.start(&work(&prompts, 1)).expect("room");
    let stats = engine.stats();
    assert_eq!((stats.running, stats.waiting.total(), engine.running()), (1, 1, 2));
    first.complete().await.expect("not stopped");
    second.next().await.expect("not stopped").expect("a token");
    assert_eq!(start.elapsed(), 2 * TTFT + 2 * TPOT);
}

#[tokio::test(start_paused = true)]
async fn a_generation_tells_how_much_of_its_prompt_was_cached() {
    let (engine, prompts) = (engine(Capacity::default()), [prompt(&"word ".repeat(40)), prompt(&"time ".repeat(40))]);
    let work = Work { copies: 2, ..work(&prompts, 1) };
    // Even the first time, the second copy finds what the first one left; that is not told.
    for cached in [0, 64] {
        let answer = engine.start(&work).expect("room").complete().await.expect("not stopped");
        assert_eq!(answer.cached_tokens, cached);
    }
    assert!(engine.reset_prefix_cache());
    let answer = engine.start(&work).expect("room").complete().await.expect("not stopped");
    assert_eq!(answer.cached_tokens, 0);
}

#[tokio::test(start_paused = true)]
async fn the_cache_is_not_reset_under_a_running_sequence() {
    let (engine, prompts) = (engine(Capacity::default()), [prompt("p")]);
    let _running = engine.start(&work(&prompts, 1)).expect("room");
    assert!(!engine.reset_prefix_cache());
}

#[tokio::test(start_paused = true)]
async fn asleep_it_gives_nothing_and_awake_everything() {
    let (engine, prompts) = (engine(Capacity::default()), [prompt("p")]);
    engine.set_sleep(Sleep::WeightsOffloaded);
    let mut generation = engine.start(&work(&prompts, 2)).expect("it takes requests");
    assert!(timeout(Duration::from_secs(3600), generation.next()).await.is_err());
    assert_eq!(engine.stats().sleep, Sleep::WeightsOffloaded);
    engine.set_sleep(Sleep::Awake);
    let start = Instant::now();
    assert_eq!(generation.complete().await.map(|answer| answer.ids[0].len()), Ok(2));
    assert_eq!(start.elapsed(), TTFT + TPOT);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_late_finds_all_tokens_there() {
    let (engine, prompts) = (engine(Capacity::default()), [prompt("p")]);
    let mut generation = engine.start(&work(&prompts, 50)).expect("room");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let stats = engine.stats();
    assert_eq!((stats.running, stats.totals.ended.length, engine.running(), engine.served()), (0, 1, 1, 0));
    let start = Instant::now();
    let mut count = 0;
    while generation.next().await.expect("not stopped").is_some() {
        count += 1;
    }
    assert_eq!((count, start.elapsed(), engine.served()), (50, Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_streams_need_one_task_and_get_every_token() {
    let (engine, prompts) = (engine(Capacity { max_num_seqs: 5000, ..Capacity::default() }), [prompt("p")]);
    let mut streams: Vec<_> = (0..3000).map(|_| engine.start(&work(&prompts, 8)).expect("room")).collect();
    assert_eq!(Handle::current().metrics().num_alive_tasks(), 1);
    assert_eq!(engine.stats().running, 3000);
    for stream in &mut streams {
        let mut count = 0;
        while stream.next().await.expect("not stopped").is_some() {
            count += 1;
        }
        assert_eq!(count, 8);
    }
    let stats = engine.stats();
    assert_eq!((stats.totals.generation_tokens, stats.kv_cache_usage, engine.served()), (24_000, 0.0, 3000));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_nobody_holds_leaves_no_task_behind() {
    let (engine, prompts) = (engine(Capacity::default()), [prompt("p")]);
    drop(engine.start(&work(&prompts, 1)));
    drop(engine);
    while Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}
