//! `POST /v1/audio/transcriptions` and `POST /v1/audio/translations`: made-up words for any file.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use multer::{Multipart, parse_boundary};
use serde_json::{Map, Value};

use super::App;
use super::ask::Ask;
use super::failure::Failure;
use super::fields::Fields;
use super::generate::answer;
use crate::engine::{Prompt, PromptReader, digest64};
use crate::wire::UsageMode;
use crate::wire::audio::{Audio, Task};

/// Bytes of a second of sound, where the file does not say: 16 bits at 16 kHz, one channel.
const BYTES_PER_SECOND: u64 = 32_000;

/// Whisper's: it hears thirty seconds at a time.
const TOKENS_PER_SECOND: u64 = 50;
const SECONDS_AT_A_TIME: u64 = 30;

pub async fn transcribe(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    handle(&app, &headers, body, Task::Transcribe).await
}

pub async fn translate(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Result<Response, Failure> {
    handle(&app, &headers, body, Task::Translate).await
}

async fn handle(app: &App, headers: &HeaderMap, body: Bytes, task: Task) -> Result<Response, Failure> {
    let (form, file) = read(headers, body).await?;
    let seconds = seconds(&file);
    let prompt = prompt(&file, seconds);
    drop(file);
    let mut fields = Fields::new(&form);
    fields.required("file");
    let mut ask = Ask::read(&mut fields, &["max_completion_tokens"], vec![prompt]);
    ask.usage = match (fields.flag("stream_include_usage"), fields.flag("stream_continuous_usage_stats")) {
        (false, _) => UsageMode::Never,
        (true, false) => UsageMode::AtEnd,
        (true, true) => UsageMode::Always,
    };
    fields.finish()?;
    answer(app, headers, task.prefix(), ask, |head, _| Box::new(Audio::new(head, task, seconds))).await
}

/// The form's fields, of which the last of each name counts, and its file.
async fn read(headers: &HeaderMap, body: Bytes) -> Result<(Map<String, Value>, Bytes), Failure> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (mut fields, mut file) = (Map::new(), Bytes::new());
    // To FastAPI another body is a form without a field.
    let Ok(boundary) = parse_boundary(content_type) else { return Ok((fields, file)) };
    let unreadable = |_| Failure::unreadable_body();
    let mut form = Multipart::new(stream::iter([Ok::<_, multer::Error>(body)]), boundary);
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() && name == "file" {
            file = field.bytes().await.map_err(unreadable)?;
            fields.insert(name, Value::Null);
        } else {
            fields.insert(name, field.text().await.map_err(unreadable)?.into());
        }
    }
    Ok((fields, file))
}

/// How long a file sounds, rounded up; a WAVE file says how many bytes a second has.
fn seconds(file: &[u8]) -> u64 {
    let rate = file.get(28..32).filter(|_| file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE"));
    let rate = rate.and_then(|rate| Some(u32::from_le_bytes(rate.try_into().ok()?).into())).filter(|rate| *rate > 0);
    (file.len() as u64).div_ceil(rate.unwrap_or(BYTES_PER_SECOND))
}

/// What the engine hears: as many tokens as Whisper would, drawn from the sound.
fn prompt(file: &[u8], seconds: u64) -> Prompt {
    let mut reader = PromptReader::default();
    let drawn = digest64(&[file]);
    for token in 0..seconds.clamp(1, SECONDS_AT_A_TIME) * TOKENS_PER_SECOND {
        reader.token_id(drawn.wrapping_add(token));
    }
    reader.finish()
}
