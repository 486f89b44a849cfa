use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::{Engine, Prompt, PromptReader, Stopped, Work};
use crate::options::Options;

fn engine() -> Arc<Engine> {
    let (ttft, tpot) = (Duration::from_millis(100), Duration::from_millis(10));
    let options = Options { ttft, tpot, max_model_len: 8, ..Options::default() };
    Arc::new(Engine::new(options.engine().expect("a plain engine")))
}

fn prompt(text: &str) -> Prompt {
    let mut reader = PromptReader::default();
    reader.text(text);
    reader.finish()
}

fn work<'a>(prompts: &'a [Prompt], tokens: u32) -> Work<'a> {
    Work { model: "m", adapter: None, salt: None, prompts, copies: 1, tokens }
}

#[tokio::test(start_paused = true)]
async fn tokens_come_at_their_deadlines() {
    let (engine, prompts) = (engine(), [prompt("p")]);
    let start = Instant::now();
    let mut generation = engine.start(&work(&prompts, 3)).expect("room");
    let mut times = Vec::new();
    while let Some(token) = generation.next().await.expect("not stopped") {
        times.push((start.elapsed().as_millis(), token.position, token.last));
    }
    assert_eq!(times, [(100, 0, false), (110, 1, false), (120, 2, true)]);
}

#[tokio::test(start_paused = true)]
async fn choices_take_turns_in_the_same_step() {
    let (engine, prompts) = (engine(), [prompt("p"), prompt("q")]);
    let mut generation = engine.start(&work(&prompts, 2)).expect("room");
    let mut seen = Vec::new();
    while let Some(token) = generation.next().await.expect("not stopped") {
        seen.push((token.position, token.choice));
    }
    assert_eq!(seen, [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_the_words_and_the_time_of_the_streamed_one() {
    let (engine, prompts) = (engine(), [prompt("p")]);
    let mut generation = engine.start(&work(&prompts, 5)).expect("room");
    let mut streamed = String::new();
    while let Some(token) = generation.next().await.expect("not stopped") {
        streamed.push_str(token.text);
    }
    let start = Instant::now();
    let whole = engine.start(&work(&prompts, 5)).expect("room").complete().await;
    assert_eq!(whole.expect("not stopped").texts, [streamed]);
    assert_eq!(start.elapsed(), Duration::from_millis(140));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_cut_at_the_context_length() {
    let (engine, prompts) = (engine(), [prompt("p")]);
    assert_eq!(engine.start(&work(&prompts, 4_000_000_000)).expect("room").length(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_generation_leaves_running_and_is_not_served() {
    let (engine, prompts) = (engine(), [prompt("p")]);
    let generation = engine.start(&work(&prompts, 3)).expect("room");
    assert_eq!((engine.running(), engine.served()), (1, 0));
    drop(generation);
    assert_eq!((engine.running(), engine.served()), (0, 0));
    engine.start(&work(&prompts, 3)).expect("room").complete().await.expect("not stopped");
    assert_eq!((engine.running(), engine.served()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_what_runs_and_what_comes() {
    let (engine, prompts) = (engine(), [prompt("p")]);
    let mut running = engine.start(&work(&prompts, 3)).expect("room");
    running.next().await.expect("the first token");
    engine.stop();
    assert_eq!(running.next().await, Err(Stopped));
    assert_eq!(engine.start(&work(&prompts, 3)).expect("room").complete().await, Err(Stopped));
}
