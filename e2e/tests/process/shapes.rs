//! Engines' errors reach the client as they are, whoever wrote them.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use kthena_e2e::{Engine, Setup, chat, manifests, streamed};

/// Status, content type and body: OpenAI's object, vLLM's older flat shape, FastAPI's, plain text, Anthropic's, a
/// bare string, a proxy's page, and what is no text at all.
const SHAPES: [(u16, &str, &[u8]); 8] = [
    (
        400,
        "application/json",
        b"{\"error\": {\"message\": \"m\", \"type\": \"BadRequestError\", \"param\": null, \"code\": 400}}",
    ),
    (
        404,
        "application/json",
        b"{\"object\":\"error\",\"message\":\"m\",\"type\":\"NotFoundError\",\"param\":null,\"code\":404}",
    ),
    (
        422,
        "application/json",
        b"{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"model\"],\"msg\":\"Field required\"}]}",
    ),
    (500, "text/plain; charset=utf-8", b"Internal Server Error"),
    (
        529,
        "application/json",
        b"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
    ),
    (401, "application/json", b"{\"error\":\"Unauthorized\"}"),
    (502, "text/html", b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>\r\n"),
    (504, "application/octet-stream", b"\x00\xff\xfe{\"error\""),
];

#[tokio::test]
async fn an_engine_s_error_passes_byte_for_byte_with_its_status_and_type() {
    let engine = Engine::serving(|request| async move {
        let shape = request.headers().get("x-shape").and_then(|shape| shape.to_str().ok()?.parse::<usize>().ok());
        let (status, content_type, body) = SHAPES[shape.unwrap_or_default()];
        let answer = Response::builder().status(status).header("content-type", content_type);
        answer.body(Full::new(Bytes::from_static(body))).expect("a valid answer")
    });
    let manifests = manifests::route("m", "m", &[("m", 100)])
        + &manifests::server("m", "m", "  trafficPolicy:\n    retry:\n      attempts: 1\n")
        + &manifests::pod("a", "m", &engine.ip());
    let kthena = Setup::new(&[("all.yaml", &manifests)]).up();
    let client = kthena.client();
    for (index, (status, content_type, body)) in SHAPES.into_iter().enumerate() {
        let shape = index.to_string();
        for path in ["/v1/chat/completions", "/v1/messages"] {
            for request in [chat("m"), streamed("m", 4)] {
                let answer = client.post(path, &[("x-shape", &shape)], request.to_string()).await;
                let got = (answer.status, answer.header("content-type"), &answer.body[..]);
                assert_eq!(got, (status, content_type, body), "{path} {request}");
            }
        }
    }
}
