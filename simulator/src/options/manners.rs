//! Which engine's face a simulator wears, and what it asks of clients.

use crate::faults::Fault;

/// The flags of the face and of its faults.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub struct Manners {
    /// Whose paths, bodies, metrics and adapter calls it has.
    #[arg(long, value_enum, default_value_t = Face::Vllm)]
    pub face: Face,

    /// Requests must carry this key as a bearer token, on the paths that the engine guards.
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,

    /// Usage says how many prompt tokens were cached (SGLang calls it --enable-cache-report).
    #[arg(long, visible_alias = "enable-cache-report")]
    pub enable_prompt_tokens_details: bool,

    /// Every answer carries an X-Request-Id.
    #[arg(long)]
    pub enable_request_id_headers: bool,

    /// An adapter whose path begins so cannot be loaded (vLLM: 404); repeatable.
    #[arg(long = "missing-lora-path", value_name = "PREFIX")]
    pub missing_lora_paths: Vec<String>,

    /// Fails clients from the start, repeatable: KIND is refuse, reset, close, garbage, status, error,
    /// stall, drip or no-keep-alive; FIELDs are path, share, count, status, retry_after, after, for, bytes and every.
    #[arg(long = "fault", value_name = "KIND[:FIELD=VALUE,...]")]
    pub faults: Vec<Fault>,
}

/// Whose face it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Face {
    /// vLLM 0.32
    #[default]
    Vllm,
    /// SGLang 0.5.23
    Sglang,
}
