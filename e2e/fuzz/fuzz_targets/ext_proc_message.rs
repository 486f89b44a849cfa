//! See `kthena_fuzz::ext_proc_message`.
#![no_main]
#![allow(unsafe_code)]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kthena_fuzz::ext_proc_message::run(bytes));
