//! Any bytes as a message of Envoy to the picker: whatever can be decoded has one answer, of its own kind, or none.

use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse, processing_response};
use kthena_core::scheduling::Profile;
use kthena_ext_proc::{Picker, Pools, messages};
use prost::Message;
use std::net::SocketAddr;

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
            let ours = ["10.0.0.1:8000", "[fd00::1]:8000"];
            let pool = |addresses: &[&str]| -> Vec<(SocketAddr, String)> {
                addresses.iter().filter_map(|at| Some((at.parse().ok()?, format!("default/{at}")))).collect()
            };
            let picker = Picker::new(Profile::default());
            picker.publish(Pools::new([(format!("{}-other", request.target), pool(&["10.0.0.2:8000"]))]));
            assert!(picker.pick(&request, || 0).is_none(), "a target that nobody published");
            picker.publish(Pools::new([
                (request.target.to_owned(), pool(&ours)),
                (format!("{}-other", request.target), pool(&["10.0.0.2:8000"])),
            ]));
            let (decision, ticket) = picker.pick(&request, || bytes.len() as u64).expect("a target that is published");
            assert!(ticket.is_some() && picker.in_flight().1 == 1);
            let list = decision.destination();
            let mut picked: Vec<_> = list.split(',').collect();
            picked.sort_unstable();
            assert_eq!(picked, ours, "each of its own pool, and nobody else");
            let answer = messages::destination(Some(list.clone()));
            assert_eq!(value(&answer), Some(list.as_bytes()));
            drop(ticket);
            assert_eq!(picker.in_flight().1, 0);
        }
        None => {
            let answer = messages::pass(&message);
            assert_eq!(answer.is_some(), message.request.is_some());
            let Some(answer) = answer else { return };
            assert_eq!(ProcessingResponse::decode(answer.encode_to_vec().as_slice()), Ok(answer));
        }
    }
}

/// What an answer to headers sets the one header to that it sets.
fn value(answer: &ProcessingResponse) -> Option<&[u8]> {
    let Some(processing_response::Response::RequestHeaders(headers)) = &answer.response else { return None };
    let [set] = &headers.response.as_ref()?.header_mutation.as_ref()?.set_headers[..] else { return None };
    Some(&set.header.as_ref()?.raw_value)
}
