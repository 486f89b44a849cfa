//! `/v1/embeddings`, as vLLM's sources have it.

use bytes::Bytes;
use serde::Serialize;

/// One input's vector, in the form that was asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Vector {
    Floats(Vec<f32>),
    /// Its floats, four bytes each, little-endian.
    Base64(String),
}

#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    data: Vec<Datum>,
    usage: Usage,
}

#[derive(Serialize)]
struct Datum {
    index: usize,
    object: &'static str,
    embedding: Vector,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: (),
    completion_tokens_details: (),
}

/// The answer as one body; `tokens` of all inputs together.
pub fn whole(id: &str, created: u64, model: &str, vectors: Vec<Vector>, tokens: u64) -> Bytes {
    let data = vectors.into_iter().enumerate();
    let data = data.map(|(index, embedding)| Datum { index, object: "embedding", embedding }).collect();
    let usage = Usage {
        prompt_tokens: tokens,
        total_tokens: tokens,
        completion_tokens: 0,
        prompt_tokens_details: (),
        completion_tokens_details: (),
    };
    super::json(&Whole { id, object: "list", created, model, data, usage })
}
