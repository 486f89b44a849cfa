//! Health, load, sleep and the prefix cache: what operators and probes ask vLLM.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tracing::info;

use super::failure::Failure;
use super::{App, VLLM_VERSION};
use crate::engine::Sleep;
use crate::wire::Object;

pub async fn health() -> StatusCode {
    StatusCode::OK
}

pub async fn version() -> Json<Value> {
    Json(json!({"version": VLLM_VERSION}))
}

/// Requests that are here, whatever the engine does with them.
pub async fn load(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"server_load": app.engine.running()}))
}

pub async fn is_sleeping(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"is_sleeping": app.engine.sleep_state() != Sleep::Awake}))
}

/// Level 0 pauses only; nothing tells it from level 1 here.
pub async fn sleep(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Result<Json<Object<2>>, Failure> {
    let level = parameters(query.as_deref()).find_map(|(name, value)| (name == "level").then_some(value));
    let level = match level.unwrap_or("1") {
        "0" => 0,
        "1" => 1,
        "2" => 2,
        other => return Err(bad_level(other)),
    };
    info!(level, "asleep");
    app.engine.set_sleep(if level == 2 { Sleep::DiscardAll } else { Sleep::WeightsOffloaded });
    Ok(Json(Object([("status", "sleeping".into()), ("level", level.into())])))
}

/// All parts wake, whichever were named.
pub async fn wake_up(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Json<Object<2>> {
    let tags: Vec<&str> =
        parameters(query.as_deref()).filter_map(|(name, tag)| (name == "tags").then_some(tag)).collect();
    info!("awake");
    app.engine.set_sleep(Sleep::Awake);
    let tags = if tags.is_empty() { Value::Null } else { json!(tags) };
    Json(Object([("status", "awake".into()), ("tags", tags)]))
}

pub async fn reset_prefix_cache(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"success": app.engine.reset_prefix_cache()}))
}

/// None of the values that are read needs decoding.
fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query.unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('='))
}

fn bad_level(value: &str) -> Failure {
    let (kind, message, context) = match value.parse::<i64>() {
        Ok(level) if level < 0 => {
            ("greater_than_equal", "Input should be greater than or equal to 0", ", 'ctx': {'ge': 0}")
        }
        Ok(_) => ("less_than_equal", "Input should be less than or equal to 2", ", 'ctx': {'le': 2}"),
        Err(_) => ("int_parsing", "Input should be a valid integer, unable to parse string as an integer", ""),
    };
    let shown: String = value.chars().filter(|character| *character != '\'').take(200).collect();
    let problem =
        format!("{{'type': '{kind}', 'loc': 'query.level', 'msg': '{message}', 'input': '{shown}'{context}}}");
    Failure::validation(&[problem], Some("query.level".to_owned()))
}
