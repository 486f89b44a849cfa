//! OpenTelemetry's conventions for generative AI: names, operations, and what spans say of a request.
//!
//! The names are those of version 1.41 of the semantic conventions, all of them in development still. Values are names
//! and numbers only: nothing of a prompt, an answer or a credential.

mod operation;
pub mod span;

pub use operation::operation;

/// `gen_ai.operation.name`: see [`operation()`].
pub const OPERATION: &str = "gen_ai.operation.name";
/// `gen_ai.provider.name`: [`PROVIDER`].
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
/// The model that the client named.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// `true` where the client asked for a stream; absent otherwise.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The model that the engine was asked for.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Seconds until a stream's first chunk with content.
pub const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// Tokens of the prompt, as the engine reported them.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens that were generated, as the engine reported them.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// Why a request failed; absent where it did not.
pub const ERROR: &str = "error.type";

/// The convention wants to know who provides the model. That is nobody of its list: the engines are the user's own.
pub const PROVIDER: &str = "kthena";
