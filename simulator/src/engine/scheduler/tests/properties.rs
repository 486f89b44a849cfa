//! Whatever happens in whatever order, nothing is lost and nothing is left over.

use proptest::prelude::*;

use super::*;
use crate::engine::Sleep;

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask {
        family: u32,
        length: u32,
        tokens: u32,
        copies: usize,
        adapter: u8,
        salted: bool,
    },
    /// Of the requests so far, one by its number.
    Cancel(u64),
    Pass(u64),
    Sleep,
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    let ask = (0..3_u32, 1..30_u32, 1..12_u32, 1..4_usize, 0..5_u8, any::<bool>()).prop_map(
        |(family, length, tokens, copies, adapter, salted)| Step::Ask {
            family,
            length,
            tokens,
            copies,
            adapter,
            salted,
        },
    );
    prop_oneof![
        6 => ask,
        2 => (0..40_u64).prop_map(Step::Cancel),
        4 => (0..200_u64).prop_map(Step::Pass),
        1 => Just(Step::Sleep),
        2 => Just(Step::Wake),
    ]
}

fn tight(rate: bool) -> Config {
    let cache = Cache { blocks: 12, ..config().cache };
    let timed = if rate { prefilling() } else { config() };
    Config { max_model_len: 48, max_num_batched_tokens: 16, lora_load_time: ms(30), cache, ..timed }
}

/// Does all steps, then lets everything end. All tokens that came, in order.
fn play(steps: &[Step], rate: bool) -> (Bench, Vec<Moved>, u64) {
    const ADAPTERS: [Option<&str>; 5] = [None, None, Some("a"), Some("b"), Some("c")];
    let mut bench = Bench::new(tight(rate));
    let (mut requests, mut all, mut sequences) = (Vec::new(), Vec::new(), 0);
    for step in steps {
        match *step {
            Step::Ask { family, length, tokens: wanted, copies, adapter, salted } => {
                let prompt = tokens(family, length);
                let salt = salted.then_some("s");
                let adapter = ADAPTERS[usize::from(adapter)];
                requests.push(bench.taken(Asked { prompt: &prompt, copies, tokens: wanted, adapter, salt }));
                sequences += copies as u64;
            }
            Step::Cancel(number) => {
                if let Some(request) = requests.get(number as usize) {
                    bench.cancel(*request);
                }
            }
            Step::Pass(time) => all.extend(bench.until(bench.now + time)),
            Step::Sleep => bench.scheduler.set_sleep(Sleep::WeightsOffloaded, ms(bench.now)),
            Step::Wake => bench.scheduler.set_sleep(Sleep::Awake, ms(bench.now)),
        }
    }
    bench.scheduler.set_sleep(Sleep::Awake, ms(bench.now));
    all.extend(bench.until(bench.now + 1_000_000));
    (bench, all, sequences)
}

proptest! {
    #[test]
    fn every_sequence_ends_and_every_block_comes_back(steps in prop::collection::vec(step(), 1..60), rate: bool) {
        let (bench, _, sequences) = play(&steps, rate);
        let scheduler = &bench.scheduler;
        let ended = scheduler.recorder.totals.ended;
        prop_assert_eq!(ended.length + ended.abort, sequences);
        prop_assert_eq!(scheduler.pool.free(), 12);
        prop_assert!(scheduler.sequences.is_empty() && scheduler.requests.is_empty());
        prop_assert!(scheduler.waiting.is_empty() && scheduler.running.is_empty());
        prop_assert!(scheduler.starting.is_empty() && scheduler.decoding.is_empty());
        prop_assert_eq!(scheduler.next(), None);
        prop_assert!(scheduler.slots.running().is_empty() && scheduler.slots.waiting().is_empty());
    }

    #[test]
    fn the_same_steps_give_the_same_tokens_at_the_same_times(steps in prop::collection::vec(step(), 1..40), rate: bool) {
        let (first, second) = (play(&steps, rate), play(&steps, rate));
        prop_assert_eq!(first.1, second.1);
        prop_assert_eq!(first.0.scheduler.recorder.latencies, second.0.scheduler.recorder.latencies);
    }
}
