//! `/tokenize` counts as the engine counts.

use super::bench::UNSERVED;
use super::{Case, Subject, cases, shape};
use crate::Answer;
use serde_json::{Value, json};

pub(super) const DIRECT: &[Case] = cases![
    a_prompt_s_tokens_are_those_of_its_answer,
    a_chat_s_tokens_are_those_of_its_answer,
    token_texts_come_when_asked_for,
    tokens_of_an_unknown_model_are_refused,
];

async fn tokenize(it: &Subject, body: Value) -> Answer {
    it.front.post("/tokenize", &[], body.to_string()).await
}

/// Asserts the shape, and returns the tokens.
fn tokens(it: &Subject, answer: &Answer) -> Vec<u64> {
    let json = answer.json();
    let tokens: Vec<_> = json["tokens"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap()).collect();
    let zeros = vec!["0"; tokens.len()].join(",");
    let expected = format!(r#"{{"count":0,"max_model_len":0,"tokens":[{zeros}],"token_strs":null}}"#);
    assert_eq!(shape(answer.text()), expected);
    assert_eq!((&json["count"], &json["max_model_len"]), (&json!(tokens.len()), &json!(it.facts.max_model_len)));
    tokens
}

async fn a_prompt_s_tokens_are_those_of_its_answer(it: Subject) {
    let prompt = "import os\n\ndef main():\n    return os.path";
    let tokens = tokens(&it, &tokenize(&it, json!({"model": it.facts.model, "prompt": prompt})).await.ok());
    let answer = it.complete(json!({"prompt": prompt, "return_token_ids": true})).await.ok().json();
    assert_eq!(answer["choices"][0]["prompt_token_ids"], json!(tokens));
    assert_eq!(answer["usage"]["prompt_tokens"], json!(tokens.len()));
}

async fn a_chat_s_tokens_are_those_of_its_answer(it: Subject) {
    let messages = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "def main():"}]);
    let tokens = tokens(&it, &tokenize(&it, json!({"model": it.facts.model, "messages": messages})).await.ok());
    let answer = it.chat(json!({"messages": messages, "return_token_ids": true})).await.ok().json();
    assert_eq!(answer["prompt_token_ids"], json!(tokens));
}

async fn token_texts_come_when_asked_for(it: Subject) {
    let body = json!({"model": it.facts.model, "prompt": "import os", "return_token_strs": true});
    let json = tokenize(&it, body).await.ok().json();
    let texts = json["token_strs"].as_array().expect("texts");
    assert!(texts.len() == json["tokens"].as_array().unwrap().len() && texts.iter().all(Value::is_string), "{json}");
}

async fn tokens_of_an_unknown_model_are_refused(it: Subject) {
    let answer = tokenize(&it, json!({"model": UNSERVED, "prompt": "import os"})).await;
    let message =
        format!("The model `{UNSERVED}` does not exist. Valid aliases: {}, {}.", it.facts.model, it.facts.alias);
    Subject::assert_refused(&answer, 404, "NotFoundError", Some("model"), &message);
}
