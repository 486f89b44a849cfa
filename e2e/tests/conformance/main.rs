//! The conformance suite on the simulator, which has to show all that the real vLLM does.

use kthena_e2e::Engine;
use kthena_e2e::conformance::{Bench, Facts, Mortal, run};
use kthena_simulator::{Capacity, Manners, Options};
use std::process::ExitCode;
use std::time::Duration;

/// What `tools/vllm` gives the real one.
const MAX_MODEL_LEN: u32 = 2048;
const MAX_NUM_SEQS: u32 = 4;
const MAX_NUM_QUEUED_REQS: u32 = 12;
const BLOCK_SIZE: u32 = 32;
const BLOCKS: u32 = 129;

struct Simulated(Option<Engine>);

impl Mortal for Simulated {
    /// It ends as vLLM does when its core is gone.
    fn die(&mut self) {
        self.0 = None;
    }

    /// It has the time that it was started with.
    fn leave(&mut self) {
        self.0 = None;
    }
}

fn main() -> ExitCode {
    run(|shutdown_timeout| {
        let options = Options {
            models: vec!["tiny".into(), "tiny-alias".into()],
            max_model_len: MAX_MODEL_LEN,
            shutdown_timeout,
            ttft: Duration::from_millis(1),
            tpot: Duration::from_millis(3),
            manners: Manners {
                enable_prompt_tokens_details: true,
                missing_lora_paths: vec!["/no/such/".into()],
                ..Manners::default()
            },
            capacity: Capacity {
                max_num_seqs: MAX_NUM_SEQS,
                max_num_queued_reqs: Some(MAX_NUM_QUEUED_REQS),
                block_size: BLOCK_SIZE,
                num_gpu_blocks: Some(BLOCKS),
                max_loras: 2,
                ..Capacity::default()
            },
            ..Options::default()
        };
        let engine = Engine::simulated("engine", options);
        let facts = Facts {
            model: "tiny",
            alias: "tiny-alias",
            // The simulator needs no files: it takes any path but those that it is told not to.
            adapters: ["lora-a", "lora-b"].map(|name| (name, format!("/models/{name}"))),
            max_model_len: MAX_MODEL_LEN,
            max_num_seqs: MAX_NUM_SEQS as usize,
            max_num_queued_reqs: MAX_NUM_QUEUED_REQS as usize,
            block_size: BLOCK_SIZE as usize,
        };
        Bench::new(facts, engine.address(), Box::new(Simulated(Some(engine))))
    })
}
