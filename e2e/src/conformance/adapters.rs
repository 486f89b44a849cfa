//! LoRA adapters come and go at run time.

use super::{Case, Subject, cases};
use crate::{Answer, Client};
use serde_json::json;

pub(super) const DIRECT: &[Case] = cases![
    an_adapter_is_loaded_used_and_unloaded,
    an_adapter_is_loaded_once_unless_in_place,
    a_path_without_an_adapter_is_not_found,
    what_an_adapter_needs_is_named,
    running_adapters_are_told_by_the_youngest_series,
];

pub(super) async fn load(engine: &Client, (name, path): &(&str, String)) -> Answer {
    let body = json!({"lora_name": name, "lora_path": path});
    engine.post("/v1/load_lora_adapter", &[], body.to_string()).await
}

pub(super) async fn unload(engine: &Client, name: &str) -> Answer {
    engine.post("/v1/unload_lora_adapter", &[], json!({"lora_name": name}).to_string()).await
}

/// Neither adapter is loaded, whatever a case before left behind.
async fn unload_all(it: &Subject) {
    for (name, _) in &it.facts.adapters {
        let answer = unload(&it.engine, name).await;
        assert!(matches!(answer.status, 200 | 404), "{}: {}", answer.status, answer.text());
    }
}

fn assert_done(answer: &Answer, name: &str, done: &str) {
    let text = format!("Success: LoRA adapter '{name}' {done} successfully.");
    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (200, text.as_str(), ""));
}

async fn an_adapter_is_loaded_used_and_unloaded(it: Subject) {
    unload_all(&it).await;
    let adapter = &it.facts.adapters[0];
    let name = adapter.0;
    assert_done(&load(&it.engine, adapter).await, name, "added");
    let models = it.front.get("/v1/models").await.ok().json();
    let last = models["data"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["id"], &last["parent"]), (&json!(name), &json!(it.facts.model)));
    assert_eq!((&last["root"], &last["max_model_len"]), (&json!(adapter.1), &json!(null)));
    assert_eq!(it.chat(json!({"model": name})).await.ok().json()["model"], name);
    assert_done(&unload(&it.engine, name).await, name, "removed");
    let message = format!("The model `{name}` does not exist. Valid aliases: {}, {}.", it.facts.model, it.facts.alias);
    Subject::assert_refused(&it.chat(json!({"model": name})).await, 404, "NotFoundError", Some("model"), &message);
    let message = format!("The lora adapter '{name}' cannot be found.");
    Subject::assert_refused(&unload(&it.engine, name).await, 404, "NotFoundError", None, &message);
}

async fn an_adapter_is_loaded_once_unless_in_place(it: Subject) {
    unload_all(&it).await;
    let adapter = &it.facts.adapters[0];
    let (name, path) = adapter;
    load(&it.engine, adapter).await.ok();
    let message = format!(
        "The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set \
         'load_inplace' to True."
    );
    Subject::assert_refused(&load(&it.engine, adapter).await, 400, "InvalidUserInput", None, &message);
    let body = json!({"lora_name": name, "lora_path": path, "load_inplace": true});
    let again = it.engine.post("/v1/load_lora_adapter", &[], body.to_string()).await;
    assert_done(&again, name, "added");
    unload(&it.engine, name).await.ok();
}

async fn a_path_without_an_adapter_is_not_found(it: Subject) {
    unload_all(&it).await;
    let answer = load(&it.engine, &("lost", "/no/such/adapter".to_owned())).await;
    let message = "Loading lora lost failed: No adapter found for /no/such/adapter";
    Subject::assert_refused(&answer, 404, "NotFoundError", None, message);
}

async fn what_an_adapter_needs_is_named(it: Subject) {
    unload_all(&it).await;
    let answer = load(&it.engine, &("", String::new())).await;
    let message = "Both 'lora_name' and 'lora_path' must be provided.";
    Subject::assert_refused(&answer, 400, "InvalidUserInput", None, message);
    for (path, body, field, count) in [
        ("/v1/load_lora_adapter", r#"{"lora_name":"x"}"#, "lora_path", 1),
        ("/v1/unload_lora_adapter", "{}", "lora_name", 0),
    ] {
        let answer = it.engine.post(path, &[], body).await;
        let message = format!(
            "1 validation error:\n  {{'type': 'missing', 'loc': 'body.{field}', 'msg': 'Field required', 'input': \
             '<dict of {count} items>'}}"
        );
        Subject::assert_refused(&answer, 400, "Bad Request", Some(&format!("body.{field}")), &message);
    }
}

async fn running_adapters_are_told_by_the_youngest_series(it: Subject) {
    unload_all(&it).await;
    let names = it.facts.adapters.each_ref().map(|(name, _)| *name);
    for adapter in &it.facts.adapters {
        load(&it.engine, adapter).await.ok();
    }
    let mut streams = Vec::new();
    for name in names {
        let body = super::subject::with(it.long_body(true), json!({"model": name}));
        streams.push(it.front.stream("/v1/completions", &body).await.expect("an answer"));
    }
    it.metrics_until("both adapters running", |page| {
        let running = page.youngest("lora_requests_info", "running_lora_adapters");
        let mut running: Vec<_> = running.unwrap_or_default().split(',').collect();
        running.sort_unstable();
        running == names
    })
    .await;
    drop(streams);
    it.idle().await;
    // Old label sets stay on the page, and the one without adapters is the youngest only after the next step.
    it.chat(json!({})).await.ok();
    it.metrics_until("no adapter running", |page| {
        page.youngest("lora_requests_info", "running_lora_adapters") == Some("")
    })
    .await;
    for name in names {
        unload(&it.engine, name).await.ok();
    }
}
