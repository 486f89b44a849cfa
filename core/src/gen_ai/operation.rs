//! What a path asks for, in the convention's words.

/// `gen_ai.operation.name` of a request for that path (without its query); `None` where nothing is asked of a model.
///
/// Where the convention has no word, the path's last part is it. The set is closed: clients cannot widen it.
pub fn operation(path: &str) -> Option<&'static str> {
    Some(match path {
        "/v1/chat/completions" | "/v1/messages" | "/v1/responses" => "chat",
        "/v1/completions" => "text_completion",
        "/v1/embeddings" => "embeddings",
        "/v1/audio/speech" => "speech",
        "/v1/audio/transcriptions" => "transcriptions",
        "/v1/audio/translations" => "translations",
        "/v1/classify" => "classify",
        "/v1/moderations" => "moderations",
        "/v1/pooling" => "pooling",
        "/v1/rerank" => "rerank",
        "/v1/score" => "score",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_operation_share_its_name_and_others_have_none() {
        for (path, name) in [
            ("/v1/chat/completions", Some("chat")),
            ("/v1/messages", Some("chat")),
            ("/v1/responses", Some("chat")),
            ("/v1/completions", Some("text_completion")),
            ("/v1/embeddings", Some("embeddings")),
            ("/v1/rerank", Some("rerank")),
            ("/v1/models", None),
            ("/v1/chat/completions/", None),
            ("/healthz", None),
        ] {
            assert_eq!(operation(path), name, "{path}");
        }
    }
}
