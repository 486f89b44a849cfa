//! The router: manifests in, Envoy's configuration and the picker's endpoints out.

pub mod configuration;
mod drain;
pub mod local;
pub mod log;
mod options;
mod publish;
mod run;
mod serve;
pub mod source;

pub use drain::{Drain, News};
pub use options::{
    AccessLogOptions, CollectorUrl, DrainOptions, Options, OtlpOptions, TlsOptions, WASM_FILE, find_wasm,
};
pub use run::run;
pub use serve::in_use;
