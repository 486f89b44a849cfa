//! Any bytes as a message of Envoy to the picker: whatever can be decoded has one answer, of its own kind, or none.

use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse, processing_response};
use kthena_ext_proc::messages;
use prost::Message;

/// Feeds the bytes.
///
/// # Panics
/// When something that must hold does not.
pub fn run(bytes: &[u8]) {
    let Ok(message) = ProcessingRequest::decode(bytes) else { return };
    match messages::asked(&message) {
        Some(asked) => {
            let request = asked.request();
            assert!(request.target.len() + request.model.len() <= 3 * bytes.len(), "nothing is made up");
            let answer = messages::destination(Some("10.0.0.1:8000,[fd00::1]:8000".to_owned()));
            assert!(matches!(answer.response, Some(processing_response::Response::RequestHeaders(_))));
        }
        None => {
            let answer = messages::pass(&message);
            assert_eq!(answer.is_some(), message.request.is_some());
            let Some(answer) = answer else { return };
            assert_eq!(ProcessingResponse::decode(answer.encode_to_vec().as_slice()), Ok(answer));
        }
    }
}
