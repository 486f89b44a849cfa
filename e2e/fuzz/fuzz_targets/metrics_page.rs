//! See `kthena_fuzz::metrics_page`.
#![no_main]
#![allow(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kthena_fuzz::metrics_page::run(bytes));
