//! `/debug/pprof/...`: profiles as `go tool pprof URL` reads them (gzipped profile.proto), with symbol names.
//!
//! Format: <https://github.com/google/pprof/blob/main/proto/profile.proto>. One profile is taken at a time.

pub(super) mod cpu;
pub(super) mod heap;

use super::{Debug, error};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio::sync::SemaphorePermit;

const INDEX: &str = "\
/debug/pprof/profile?seconds=30  CPU, sampled 100 times a second of CPU time, for 1 to 60 seconds
/debug/pprof/heap                memory in use, by where it was allocated; one allocation in 512 KiB is sampled

go tool pprof -http=: http://HOST:PORT/debug/pprof/heap
";

/// `GET /debug/pprof/`: what there is, in plain text.
pub(super) async fn index() -> &'static str {
    INDEX
}

/// The right to take a profile, until it is dropped; `None` while another has it.
fn start(debug: &Debug) -> Option<SemaphorePermit<'_>> {
    debug.profiles.try_acquire().ok()
}

/// The answer to whoever comes second.
fn busy() -> Response {
    error(StatusCode::CONFLICT, "another profile is being taken: one is taken at a time, try again".to_owned())
}

/// The answer with a profile, or why there is none.
fn answer(file: &'static str, profile: Result<Vec<u8>, String>) -> Response {
    let disposition = format!("attachment; filename=\"{file}\"");
    match profile {
        Ok(bytes) => {
            let headers = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_DISPOSITION, disposition)];
            (headers, bytes).into_response()
        }
        Err(message) => error(StatusCode::SERVICE_UNAVAILABLE, message),
    }
}
