//! What the output of a response holds: a message, or a call of a function.

use serde::Serialize;

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Item<'a> {
    Message(Message<'a>),
    Call(CallItem<'a>),
}

#[derive(Serialize)]
pub(super) struct CallItem<'a> {
    pub(super) arguments: &'a str,
    pub(super) call_id: &'a str,
    pub(super) name: &'a str,
    pub(super) r#type: &'static str,
    pub(super) id: &'a str,
    pub(super) r#async: (),
    pub(super) caller: (),
    pub(super) namespace: (),
    pub(super) status: &'static str,
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) content: Vec<Part<'a>>,
    pub(super) role: &'static str,
    pub(super) status: &'static str,
    pub(super) r#type: &'static str,
    pub(super) phase: (),
}

#[derive(Serialize)]
pub(super) struct Part<'a> {
    pub(super) annotations: [(); 0],
    pub(super) text: &'a str,
    pub(super) r#type: &'static str,
    pub(super) logprobs: Option<[(); 0]>,
}

// === impl Part ===

impl<'a> Part<'a> {
    pub(super) fn new(text: &'a str, logprobs: Option<[(); 0]>) -> Self {
        Self { annotations: [], text, r#type: "output_text", logprobs }
    }
}
