//! See `kthena_fuzz::sse_usage`.
#![no_main]
#![allow(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kthena_fuzz::sse_usage::run(bytes));
