//! See `kthena_fuzz::form`.
#![no_main]
#![allow(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kthena_fuzz::form::run(bytes));
