//! See `kthena_fuzz::table`.
#![no_main]
#![allow(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kthena_fuzz::table::run(bytes));
