//! `GET /v1/models` and `GET /v1/models/{id}`, answered from the table.

use crate::reply::{Refusal, Reply};
use crate::routing::Routes;
use serde::Serialize;

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

/// The answer, where the path is one of these; a name nobody serves is refused.
pub(super) fn answer(routes: &Routes, path: &str) -> Option<Result<Reply, Refusal>> {
    match path.strip_prefix("/v1/models")? {
        "" | "/" => {
            let data = routes.models().into_iter().map(model).collect();
            Some(Ok(ok(&List { object: "list", data })))
        }
        rest => {
            // A model's name may hold slashes: everything behind the prefix is the name.
            let name = rest.strip_prefix('/')?;
            Some(match routes.has_model(name) {
                true => Ok(ok(&model(name))),
                false => Err(Refusal::UnknownModel(name.to_owned())),
            })
        }
    }
}

fn model(id: &str) -> Model<'_> {
    Model { id, object: "model", created: 0, owned_by: "kthena" }
}

fn ok(body: &impl Serialize) -> Reply {
    Reply { status: 200, body: serde_json::to_vec(body).unwrap_or_default() }
}
