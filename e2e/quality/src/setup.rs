//! How fast the simulated engines are.

use std::time::Duration;

use kthena_simulator::Options;

/// One of the calibrated engines.
pub fn engine() -> Options {
    let mut options = Options {
        ttft: Duration::from_millis(30),
        tpot: Duration::from_micros(8_000),
        max_model_len: 32_768,
        ..Options::default()
    };
    let capacity = &mut options.capacity;
    capacity.prefill_rate = Some(25_000.0);
    capacity.decode_slowdown = 0.01;
    capacity.block_size = 128;
    capacity.num_gpu_blocks = Some(4_500);
    capacity.max_num_seqs = 256;
    capacity.max_num_batched_tokens = 65_536;
    options
}
