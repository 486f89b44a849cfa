//! The conformance suite on the real vLLM.

use kthena_e2e::Vllm;
use kthena_e2e::conformance::{Bench, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(|shutdown_timeout| {
        let vllm = Vllm::start(shutdown_timeout);
        Bench::new(Vllm::facts(), vllm.address(), Box::new(vllm))
    })
}
