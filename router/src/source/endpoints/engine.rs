//! What an engine says of itself, read from its answers: pure.

use kthena_crds::model_server::InferenceEngine;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

/// An engine that has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Engine {
    /// Which of the host's addresses answered.
    pub address: SocketAddr,
    pub kind: Kind,
    /// In the engine's order; never none, no name twice.
    pub models: Vec<Model>,
}

/// The software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Vllm,
    Sglang,
    /// Any other that speaks the OpenAI API: llama.cpp, Ollama and so on.
    Other,
}

/// A name that the engine answers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Model {
    pub name: String,
    /// The model that it is a LoRA adapter of.
    pub parent: Option<String>,
}

/// `GET /v1/models`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub models: Vec<Model>,
    /// Whose card it is; weaker than the names of metrics, as some copy it from others.
    pub owner: Option<Kind>,
    /// Whether it is the list of a Kthena router: of one that stands before engines, or of ourselves.
    pub of_a_router: bool,
}

/// Who owns every model of a Kthena router, whatever its engines say.
const ROUTER: &str = "kthena";

/// More names are not taken from one engine, and none that is longer (in bytes).
const MOST_MODELS: usize = 1000;
const LONGEST_NAME: usize = 256;

// === impl Kind ===

impl Kind {
    /// What it is served as.
    pub fn inference_engine(self) -> InferenceEngine {
        match self {
            Self::Vllm | Self::Other => InferenceEngine::Vllm,
            Self::Sglang => InferenceEngine::Sglang,
        }
    }

    /// By the names in `GET /metrics` (Prometheus text).
    pub fn of_metrics(text: &str) -> Option<Self> {
        text.lines().find_map(|line| {
            if line.starts_with("vllm:") {
                Some(Self::Vllm)
            } else if line.starts_with("sglang:") {
                Some(Self::Sglang)
            } else {
                None
            }
        })
    }

    /// By `GET /get_model_info`, which SGLang has.
    pub fn of_model_info(text: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        answer.get("model_path")?.is_string().then_some(Self::Sglang)
    }

    /// By `GET /version`, which vLLM has.
    pub fn of_version(text: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(text).ok()?;
        answer.get("version")?.is_string().then_some(Self::Vllm)
    }

    fn of_owner(owner: &str) -> Option<Self> {
        match owner {
            "vllm" => Some(Self::Vllm),
            "sglang" => Some(Self::Sglang),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::Other => "an OpenAI-compatible engine",
        })
    }
}

// === impl Engine ===

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |adapters: bool| {
            let of_kind = self.models.iter().filter(|model| model.parent.is_some() == adapters);
            of_kind.map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        write!(f, "{} serves {}", self.kind, names(false))?;
        match names(true) {
            adapters if adapters.is_empty() => Ok(()),
            adapters => write!(f, "; adapters {adapters}"),
        }
    }
}

/// Reads `GET /v1/models`. `None` where it is no such list.
///
/// The shape is OpenAI's `{"data": [{"id", "owned_by"}]}`; vLLM and SGLang add `parent`, which is a text for LoRA
/// adapters only.
pub(super) fn models(text: &str) -> Option<Listed> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Card>,
    }
    #[derive(Deserialize)]
    struct Card {
        id: String,
        parent: Option<Value>,
        owned_by: Option<Value>,
    }
    let List { data } = serde_json::from_str(text).ok()?;
    let owners = || data.iter().map(|card| card.owned_by.as_ref().and_then(Value::as_str));
    let owner = owners().find_map(|owner| Kind::of_owner(owner?));
    let of_a_router = !data.is_empty() && owners().all(|owner| owner == Some(ROUTER));
    let mut seen = BTreeSet::new();
    let models = data.into_iter().map(|card| {
        let parent = card.parent.as_ref().and_then(Value::as_str).filter(|parent| !parent.is_empty());
        Model { parent: parent.map(str::to_owned), name: card.id }
    });
    let sound = |name: &str| !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    let models = models.filter(|model| sound(&model.name) && seen.insert(model.name.clone())).take(MOST_MODELS);
    Some(Listed { models: models.collect(), owner, of_a_router })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, parent: Option<&str>) -> Model {
        Model { name: name.to_owned(), parent: parent.map(str::to_owned) }
    }

    #[test]
    fn aliases_are_models_and_adapters_have_a_parent() {
        // vLLM 0.32 with two served names and a loaded adapter, less the permissions.
        let text = r#"{"object":"list","data":[
            {"id":"tiny","object":"model","created":1,"owned_by":"vllm","root":"/m/tiny","parent":null,"max_model_len":2048},
            {"id":"tiny-alias","object":"model","created":1,"owned_by":"vllm","root":"/m/tiny","parent":null},
            {"id":"lora-a","object":"model","created":1,"owned_by":"vllm","root":"/m/lora","parent":"tiny"}]}"#;
        let models = vec![model("tiny", None), model("tiny-alias", None), model("lora-a", Some("tiny"))];
        assert_eq!(super::models(text), Some(Listed { models, owner: Some(Kind::Vllm), of_a_router: false }));
    }

    #[test]
    fn other_engines_lists_are_read_too() {
        for (text, names, owner) in [
            (
                r#"{"object":"list","data":[{"id":"llama3.2:1b","object":"model","owned_by":"library"}]}"#,
                vec!["llama3.2:1b"],
                None,
            ),
            (
                r#"{"models":[{"name":"x"}],"object":"list","data":[{"id":"a.gguf","meta":null,"owned_by":"llamacpp"}]}"#,
                vec!["a.gguf"],
                None,
            ),
            (r#"{"data":[{"id":"qwen","owned_by":"sglang","parent":""}]}"#, vec!["qwen"], Some(Kind::Sglang)),
            (r#"{"data":[{"id":""},{"id":"a\nb"},{"id":"a"},{"id":"a"}]}"#, vec!["a"], None),
            (r#"{"data":[]}"#, vec![], None),
        ] {
            let listed = models(text).expect(text);
            assert_eq!(
                (listed.models, listed.owner),
                (names.into_iter().map(|name| model(name, None)).collect(), owner),
                "{text}"
            );
        }
        let long = format!(r#"{{"data":[{{"id":"{}"}}]}}"#, "x".repeat(LONGEST_NAME + 1));
        assert_eq!(models(&long).unwrap().models, []);
    }

    #[test]
    fn the_list_of_a_kthena_router_is_known_by_the_owner_of_all() {
        for (text, of_a_router) in [
            (r#"{"object":"list","data":[{"id":"m","owned_by":"kthena"},{"id":"n","owned_by":"kthena"}]}"#, true),
            (r#"{"data":[{"id":"m","owned_by":"kthena"},{"id":"n","owned_by":"vllm"}]}"#, false),
            (r#"{"data":[{"id":"m","owned_by":"kthena"},{"id":"n"}]}"#, false),
            (r#"{"data":[]}"#, false),
        ] {
            assert_eq!(models(text).expect(text).of_a_router, of_a_router, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_of_models_is_none() {
        for text in ["", "<html></html>", "[]", "{}", r#"{"data":"x"}"#, r#"{"data":[{"name":"x"}]}"#] {
            assert_eq!(models(text), None, "{text}");
        }
    }

    #[test]
    fn the_kind_is_told_by_names_that_only_it_has() {
        let vllm =
            "# HELP vllm:num_requests_running x\nprocess_open_fds 3\nvllm:num_requests_running{engine=\"0\"} 0.0\n";
        assert_eq!(Kind::of_metrics(vllm), Some(Kind::Vllm));
        assert_eq!(Kind::of_metrics("sglang:num_running_reqs 0\n"), Some(Kind::Sglang));
        assert_eq!(Kind::of_metrics("llamacpp:requests_processing 0\n"), None);
        assert_eq!(Kind::of_version(r#"{"version":"0.32.0"}"#), Some(Kind::Vllm));
        assert_eq!(Kind::of_version("<html>"), None);
        assert_eq!(Kind::of_model_info(r#"{"model_path":"q","is_generation":true}"#), Some(Kind::Sglang));
        assert_eq!(Kind::of_model_info(r#"{"detail":"Not Found"}"#), None);
    }
}
