//! The answer to `GET /v1/models`: what an engine serves now.

use serde::{Deserialize, Serialize};

/// A model or an adapter that an engine serves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Model {
    /// The name that requests ask for.
    pub id: String,
    /// The model that an adapter is laid over; `None` for a model. (`root` tells nothing: vLLM gives the path
    /// there for both.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A body that is no list of models.
#[derive(Debug, thiserror::Error)]
#[error("not a list of models: {0}")]
pub struct ModelsError(#[from] serde_json::Error);

#[derive(Deserialize)]
struct List {
    data: Vec<Model>,
}

/// The models in a body; fields that are not read may be of any shape.
///
/// # Errors
/// The body is not `{"data": [{"id": ...}]}`.
pub fn read_models(body: &[u8]) -> Result<Vec<Model>, ModelsError> {
    Ok(serde_json::from_slice::<List>(body)?.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_and_adapters_are_told_apart_by_their_parent() {
        let body = br#"{"object":"list","data":[
            {"id":"tiny","object":"model","created":1,"root":"/m","parent":null,"permission":[{"id":"modelperm-1"}]},
            {"id":"lora-a","object":"model","root":"/l","parent":"tiny","max_model_len":null}]}"#;
        let models = read_models(body).unwrap();
        let expected = [("tiny", None), ("lora-a", Some("tiny"))];
        assert_eq!(models.iter().map(|m| (m.id.as_str(), m.parent.as_deref())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for body in [&b""[..], b"{}", b"[]", br#"{"data":[{"name":"x"}]}"#, br#"{"error":"Unauthorized"}"#] {
            assert!(read_models(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }
}
