//! The filter inside Envoy: proxy-wasm callbacks in, `kthena_core::session` decides, host calls out.
//!
//! Nothing is decided here, because nothing here can be tested without a host; and nothing here panics,
//! because a panic kills the VM and every request of its worker with it. Calls of the SDK that unwrap
//! are used only where the host cannot refuse: in the callback that owns the map or buffer.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)
)]
// The SDK's entry point: its exported functions need it.
#![allow(missing_docs)]

mod root;
mod stats;
mod stream;
mod table;
mod worker;

use proxy_wasm::traits::RootContext;
use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(root::Root::default()) });
}}
