//! See `kthena_fuzz::request_scanner`.
#![no_main]
#![allow(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kthena_fuzz::request_scanner::run(bytes));
