//! `/v1/models`: served names first, then LoRA adapters, which name their parent.

use serde::Serialize;

/// The list.
#[derive(Debug, Serialize)]
pub struct ModelList {
    object: &'static str,
    data: Vec<ModelCard>,
}

/// One served name or adapter.
#[derive(Debug, Serialize)]
pub struct ModelCard {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
    root: String,
    parent: Option<String>,
    max_model_len: Option<u32>,
    permission: [Permission; 1],
}

#[derive(Debug, Serialize)]
struct Permission {
    id: String,
    object: &'static str,
    created: u64,
    allow_create_engine: bool,
    allow_sampling: bool,
    allow_logprobs: bool,
    allow_search_indices: bool,
    allow_view: bool,
    allow_fine_tuning: bool,
    organization: &'static str,
    group: (),
    is_blocking: bool,
}

/// What cards made at one time share.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// Unix time in seconds: vLLM says when the list was asked for.
    pub created: u64,
    /// Sixteen hex digits.
    pub id: &'a str,
}

// === impl ModelList ===

impl ModelList {
    pub fn new(data: Vec<ModelCard>) -> Self {
        Self { object: "list", data }
    }
}

// === impl ModelCard ===

impl ModelCard {
    /// A served name; `root` is where the weights came from, `max_model_len` the context length.
    pub fn served(name: &str, root: &str, max_model_len: u32, stamp: Stamp<'_>) -> Self {
        Self { max_model_len: Some(max_model_len), ..Self::new(name, root, stamp) }
    }

    /// An adapter on `parent`.
    pub fn adapter(name: &str, path: &str, parent: &str, stamp: Stamp<'_>) -> Self {
        Self { parent: Some(parent.to_owned()), ..Self::new(name, path, stamp) }
    }

    fn new(name: &str, root: &str, stamp: Stamp<'_>) -> Self {
        Self {
            id: name.to_owned(),
            object: "model",
            created: stamp.created,
            owned_by: "vllm",
            root: root.to_owned(),
            parent: None,
            max_model_len: None,
            permission: [Permission {
                id: format!("modelperm-{}", stamp.id),
                object: "model_permission",
                created: stamp.created,
                allow_create_engine: false,
                allow_sampling: true,
                allow_logprobs: true,
                allow_search_indices: false,
                allow_view: true,
                allow_fine_tuning: false,
                organization: "*",
                group: (),
                is_blocking: false,
            }],
        }
    }
}
