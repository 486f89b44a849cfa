//! What a prompt's hash chain costs, beside a plain XXH64 of the same bytes.
//!
//! `cargo run --release -p kthena-core --example chain_cost` prints MB/s (10⁶ bytes) and ratios of one run: of the chain
//! alone, and of everything that the filter does for it (the walk through a chat's body with escapes, and the header).

use kthena_core::openai::{Prompt, Scanner};
use kthena_core::prefix::{Blocks, Chain, encode};
use std::hint::black_box;
use std::ops::{ControlFlow, Range};
use std::time::Instant;
use xxhash_rust::xxh64::xxh64;

/// Bytes hashed in one measurement.
const BYTES: usize = 64 << 20;

fn chain(prompt: &[u8]) -> Vec<u64> {
    let mut chain = Chain::new(Blocks::default(), "org/model");
    chain.feed(prompt);
    chain.finish()
}

fn walk(prompt: &Prompt, body: &[u8]) -> String {
    let mut chain = Chain::new(Blocks::default(), "org/model");
    let read = |range: Range<usize>| body.get(range).map(<[u8]>::to_vec);
    let told = prompt.walk(read, |bytes| {
        chain.feed(bytes);
        ControlFlow::Continue(())
    });
    assert_eq!(told, Ok(()), "the body is the one that was scanned");
    encode(&chain.finish())
}

/// A chat of messages of 2 KB, with a line feed in each.
fn chat(length: usize) -> (Vec<u8>, Prompt) {
    let message = format!(r#"{{"role":"user","content":"{}\n{0}"}}"#, "0123456789 ".repeat(91));
    let body = format!(r#"{{"messages":[{}]}}"#, vec![message; length.div_ceil(2048)].join(",")).into_bytes();
    let mut scanner = Scanner::new();
    let scanned = scanner.feed(&body).and_then(|()| scanner.finish());
    (body, scanned.map(|scan| scan.prompt).unwrap_or_default())
}

/// MB/s, the best of five: other programs share the machine.
fn speed<T>(length: usize, work: impl Fn() -> T) -> f64 {
    let times = BYTES / length;
    let once = || {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        (times * length) as f64 / 1e6 / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| once()).fold(0.0, f64::max)
}

fn main() {
    for length in [1 << 10, 8 << 10, 64 << 10, 1 << 20, 8 << 20] {
        let prompt = vec![b'x'; length];
        let (body, scanned) = chat(length);
        let plain = speed(length, || xxh64(black_box(&prompt), 0));
        let chained = speed(length, || chain(black_box(&prompt)));
        let walked = speed(body.len(), || walk(&scanned, black_box(&body)));
        println!(
            "{:5} KiB: plain {plain:6.0} MB/s, chain {chained:6.0} MB/s ({:.2}x), {:3} hashes; walk, chain and header {walked:6.0} MB/s ({:.2}x)",
            length >> 10,
            plain / chained,
            chain(&prompt).len(),
            plain / walked,
        );
    }
}
