//! What a generating request asks for, whichever path it came by.

use serde_json::{Map, Value};

use super::failure::Failure;
use super::fields::{Fields, truthy};
use crate::engine::{Prompt, longest};
use crate::options::Face;
use crate::wire::UsageMode;
use crate::wire::call::Call;

/// A request, read.
#[derive(Debug)]
pub struct Ask {
    /// As sent; absent or empty means the main served name.
    pub model: Option<String>,
    /// None for a conversation without a message.
    pub prompts: Vec<Prompt>,
    pub sampling: Sampling,
    pub stream: bool,
    pub usage: UsageMode,
    /// Whether the ids of tokens are to be told.
    pub token_ids: bool,
    /// Texts that end a choice.
    pub stops: Vec<String>,
    /// The tool call that the answer has to be.
    pub call: Option<Call>,
    /// Prompts of another salt share nothing in the cache.
    pub salt: Option<String>,
    /// SGLang's way to name an adapter.
    pub adapter: Option<String>,
    /// The client's own id for the request.
    pub request_id: Option<String>,
}

/// The parameters that vLLM checks after the model's name.
#[derive(Debug)]
pub struct Sampling {
    pub copies: i64,
    pub tokens: i64,
    /// Whether the request itself says how many.
    pub limited: bool,
    /// What the request calls the limit of tokens.
    pub tokens_name: &'static str,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
}

/// vLLM's default for completions. Its chat default is "until the model stops", which a simulated
/// model never does, so both have this one.
const DEFAULT_TOKENS: i64 = 16;

/// vLLM's `VLLM_MAX_N_SEQUENCES`.
const MAX_COPIES: i64 = 16_384;

/// Tokens of all choices of one request: vLLM makes them as memory allows, here a line of JSON could
/// ask for gigabytes.
const MAX_TOKENS_IN_ALL: u64 = 4_000_000;

// === impl Ask ===

impl Ask {
    /// Reads the fields that both paths have; `token_fields` name the token limit, first wins.
    pub fn read(fields: &mut Fields<'_>, token_fields: &[&str], prompts: Vec<Prompt>) -> Self {
        let model = fields.string("model").map(str::to_owned);
        let limits: Vec<i64> = token_fields.iter().filter_map(|name| fields.integer(name)).collect();
        let copies = fields.integer("n").unwrap_or(1);
        let stream = fields.flag("stream");
        let usage = fields.nested("stream_options", usage_mode).unwrap_or(UsageMode::Never);
        Self {
            model,
            prompts,
            sampling: Sampling {
                copies,
                tokens: limits.first().copied().unwrap_or(DEFAULT_TOKENS),
                limited: !limits.is_empty(),
                tokens_name: "max_tokens",
                temperature: fields.float("temperature"),
                top_p: fields.float("top_p"),
            },
            stream,
            usage,
            token_ids: fields.flag("return_token_ids"),
            stops: fields.texts("stop"),
            call: None,
            salt: fields.string("cache_salt").map(str::to_owned),
            adapter: fields.string("lora_path").map(str::to_owned),
            request_id: fields.string("request_id").map(str::to_owned),
        }
    }

    /// Has the answer be this call, if any: a model stops behind it, and so it is as long as it is, unless the request
    /// allows fewer tokens.
    pub fn calling(mut self, call: Option<Call>) -> Self {
        if let Some(call) = call {
            if !self.sampling.limited {
                self.sampling.tokens = i64::from(call.length());
            }
            self.stops.clear();
            self.call = Some(call);
        }
        self
    }
}

/// vLLM looks at this before it looks at any field's type.
///
/// # Errors
///
/// Stream options without a stream.
pub fn check_stream_options(object: &Map<String, Value>) -> Result<(), Failure> {
    if truthy(object.get("stream_options")) && !truthy(object.get("stream")) {
        let message = "Stream options can only be defined when `stream=True`.";
        return Err(Failure::parameter("stream_options", message, None));
    }
    Ok(())
}

fn usage_mode(fields: &mut Fields<'_>) -> UsageMode {
    match (fields.flag("include_usage"), fields.flag("continuous_usage_stats")) {
        (false, _) => UsageMode::Never,
        (true, false) => UsageMode::AtEnd,
        (true, true) => UsageMode::Always,
    }
}

/// How many tokens fit behind a prompt: both engines refuse what can never fit, vLLM cuts the rest.
///
/// # Errors
///
/// The engine's own 400 for a prompt or an answer longer than the context.
pub fn fit(face: Face, prompts: &[Prompt], tokens: u32, sampling: &Sampling, context: u32) -> Result<u32, Failure> {
    let prompt = prompts.iter().map(|prompt| prompt.tokens).max().unwrap_or(0);
    if face == Face::Sglang {
        return fit_sglang(prompt, tokens, context);
    }
    let name = sampling.tokens_name;
    if tokens > context {
        let message = format!(
            "{name}={tokens} cannot be greater than max_model_len={context}. Please request fewer output tokens."
        );
        return Err(Failure::parameter(name, &message, Some(tokens.to_string())));
    }
    if let Some(failure) = prompts.iter().find_map(|prompt| too_long(prompt, context)) {
        return Err(failure);
    }
    let rest = context.saturating_sub(u32::try_from(prompt).unwrap_or(u32::MAX));
    if rest == 0 {
        return Err(Failure::parameter("max_tokens", "max_tokens must be at least 1, got 0.", Some("0".to_owned())));
    }
    Ok(tokens.min(rest))
}

/// vLLM looks at a text's length first, and then stops to tokenize one token beyond the context.
fn too_long(prompt: &Prompt, context: u32) -> Option<Failure> {
    let limit = u64::from(context);
    if prompt.tokens <= limit {
        return None;
    }
    let start = format!("This model's maximum context length is {context} tokens. However, your prompt contains");
    let end = "Please reduce the length of the input prompt.";
    let most = limit * longest() as u64;
    if let Some(characters) = prompt.characters.filter(|characters| *characters > most) {
        let message = format!(
            "{start} {characters} characters (more than {most} characters, which is the upper bound for {context} \
             input tokens). {end}"
        );
        return Some(Failure::parameter("input_text", &message, Some(characters.to_string())));
    }
    let count = if prompt.characters.is_some() { limit + 1 } else { prompt.tokens };
    let qualifier = if count == limit + 1 { "at least " } else { "" };
    let message = format!(
        "{start} {qualifier}{count} input tokens, which exceeds this limit even without any output tokens. {end}"
    );
    Some(Failure::parameter("input_tokens", &message, Some(count.to_string())))
}

fn fit_sglang(prompt: u64, tokens: u32, context: u32) -> Result<u32, Failure> {
    if prompt >= u64::from(context) {
        return Err(Failure::bad_request(format!(
            "The input ({prompt} tokens) is longer than the model's context length ({context} tokens)."
        )));
    }
    let total = prompt + u64::from(tokens);
    if total > u64::from(context) {
        return Err(Failure::bad_request(format!(
            "Requested token count exceeds the model's maximum context length of {context} tokens. You requested a \
             total of {total} tokens: {prompt} tokens from the input messages and {tokens} tokens for the completion. \
             Please reduce the number of tokens in the input messages or the completion to fit within the limit."
        )));
    }
    Ok(tokens)
}

// === impl Sampling ===

impl Sampling {
    /// Copies of each of `prompts`, and tokens of each copy; both at least one. No copy gets more than
    /// `context` tokens.
    ///
    /// # Errors
    ///
    /// vLLM's 400 for the first parameter out of its range, or for more tokens than are made here.
    pub fn check(&self, prompts: usize, context: u32) -> Result<(usize, u32), Failure> {
        let copies = match self.copies {
            ..1 => {
                let message = format!("n must be at least 1, got {}.", self.copies);
                return Err(Failure::bad_request(message));
            }
            copies => usize::try_from(copies.min(MAX_COPIES + 1)).unwrap_or(usize::MAX),
        };
        if self.copies > MAX_COPIES {
            return Err(Failure::bad_request(format!(
                "n must be at most {MAX_COPIES}, got {}. To increase this limit, set the \
                 VLLM_MAX_N_SEQUENCES environment variable.",
                self.copies
            )));
        }
        let refuse = |name: &str, rule: &str, value: String| {
            Failure::parameter(name, &format!("{name} must be {rule}, got {value}."), Some(value))
        };
        if let Some(value) = self.temperature {
            let rule = match value {
                _ if !value.is_finite() => Some("a finite number"),
                _ if value < 0.0 => Some("non-negative"),
                _ if value > 2.0 => Some("in [0, 2]"),
                _ => None,
            };
            if let Some(rule) = rule {
                return Err(refuse("temperature", rule, format!("{value:?}")));
            }
        }
        if let Some(value) = self.top_p.filter(|value| !(*value > 0.0 && *value <= 1.0)) {
            return Err(refuse("top_p", "in (0, 1]", format!("{value:?}")));
        }
        if self.tokens < 1 {
            return Err(refuse("max_tokens", "at least 1", self.tokens.to_string()));
        }
        let tokens = u32::try_from(self.tokens).unwrap_or(u32::MAX);
        let (choices, each) = ((prompts as u64).saturating_mul(copies as u64), tokens.min(context));
        if choices.saturating_mul(each.into()) > MAX_TOKENS_IN_ALL {
            let message =
                format!("{choices} choices of {each} tokens are more than the {MAX_TOKENS_IN_ALL} made here at once.");
            return Err(Failure::parameter("max_tokens", &message, Some(self.tokens.to_string())));
        }
        Ok((copies, tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sampling: Sampling) -> String {
        match sampling.check(1, 131_072) {
            Ok(accepted) => format!("{accepted:?}"),
            Err(Failure::Error { message, .. }) => message,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused_in_the_words_of_vllm() {
        let good = || Sampling {
            copies: 2,
            tokens: i64::MAX,
            limited: true,
            tokens_name: "max_tokens",
            temperature: Some(2.0),
            top_p: Some(1.0),
        };
        assert_eq!(message(good()), format!("(2, {})", u32::MAX));
        assert_eq!(message(Sampling { copies: 30, ..good() }), format!("(30, {})", u32::MAX));
        for (sampling, expected) in [
            (Sampling { top_p: Some(2.0), ..good() }, "top_p must be in (0, 1], got 2.0. (parameter=top_p, value=2.0)"),
            (Sampling { top_p: Some(0.0), ..good() }, "top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)"),
            (
                Sampling { temperature: Some(-0.5), ..good() },
                "temperature must be non-negative, got -0.5. (parameter=temperature, value=-0.5)",
            ),
            (
                Sampling { temperature: Some(3.0), ..good() },
                "temperature must be in [0, 2], got 3.0. (parameter=temperature, value=3.0)",
            ),
            (Sampling { tokens: 0, ..good() }, "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)"),
            (
                Sampling { copies: 31, ..good() },
                "31 choices of 131072 tokens are more than the 4000000 made here at once. (parameter=max_tokens, value=9223372036854775807)",
            ),
            (Sampling { copies: 0, ..good() }, "n must be at least 1, got 0."),
            (
                Sampling { copies: i64::MAX, ..good() },
                "n must be at most 16384, got 9223372036854775807. To increase this limit, set the VLLM_MAX_N_SEQUENCES environment variable.",
            ),
        ] {
            assert_eq!(message(sampling), expected);
        }
    }
}
