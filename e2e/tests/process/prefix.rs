//! What the picker is told of a prompt: its hash chain, its length and the request's key.

use kthena_core::prefix::{Blocks, Chain, decode, encode};
use kthena_core::wire;
use kthena_e2e::picker::Answer;
use kthena_e2e::{Client, Engine, FakePicker, Plane, manifests, until};
use kthena_simulator::Options;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What clients ask for, and what the engine is asked for.
const MODEL: &str = "asked";
const SERVED: &str = "served/model";

struct Fixture {
    client: Client,
    picker: FakePicker,
    engine: Engine,
    _plane: Plane,
}

/// What a picker heard of one request.
struct Heard {
    chain: Vec<u64>,
    tokens: Option<String>,
    key: Option<String>,
}

impl Fixture {
    async fn start() -> Self {
        let options = Options {
            models: vec![SERVED.into()],
            speed: 100.0,
            // One test sends a prompt of three megabytes.
            max_model_len: 4_000_000,
            ..Options::default()
        };
        let engine = Engine::simulated("engine", options);
        let all = manifests::route("asked", MODEL, &[("engine", 100)])
            + &manifests::server("engine", SERVED, "")
            + &manifests::pod("engine", "engine", &engine.ip());
        let plane = Plane::start(&all).await;
        let (picker, client) = (plane.picker(Answer::destination(engine.address())), plane.client());
        until("Envoy to ask the picker", async || {
            let _ = client.try_chat(MODEL).await;
            (picker.asked() > 0).then_some(())
        })
        .await;
        Self { client, picker, engine, _plane: plane }
    }

    /// What the picker hears of a request that is served.
    async fn hear(&self, path: &str, body: String) -> Heard {
        self.client.post(path, &[], body).await.ok();
        let header = |name| self.picker.header(name);
        let chain = header(wire::PREFIX_CHAIN).map(|text| decode(&text).expect("a chain"));
        Heard { chain: chain.unwrap_or_default(), tokens: header(wire::TOKENS), key: header(wire::KEY) }
    }

    /// The chain of a chat, written so.
    async fn chat(&self, body: String) -> Vec<u64> {
        self.hear("/v1/chat/completions", body).await.chain
    }

    /// What the picker hears of a completion's prompt.
    async fn complete(&self, prompt: impl Into<Value>) -> Heard {
        let body = json!({"model": MODEL, "max_tokens": 1, "prompt": prompt.into()});
        self.hear("/v1/completions", body.to_string()).await
    }
}

/// The chain of a canonical prompt, as the picker sees it.
fn chain(prompt: &str) -> Vec<u64> {
    let mut chain = Chain::new(Blocks::default(), SERVED);
    chain.feed(prompt.as_bytes());
    decode(&encode(&chain.finish())).expect("a chain")
}

fn numbers(count: usize) -> String {
    (0..count).map(|number| format!("{number} ")).collect()
}

#[tokio::test]
async fn equal_prompts_have_equal_chains_and_a_longer_one_extends_them() {
    let it = Fixture::start().await;
    let text = numbers(4000);
    let first = it.complete(&*text).await;
    assert_eq!(first.chain, chain(&text), "of the name that the engine is asked for");
    assert_eq!(first.tokens, Some(text.len().div_ceil(4).to_string()));
    let again = it.complete(&*text).await;
    assert_eq!(again.chain, first.chain);
    assert_ne!(again.key, first.key, "each request has a key of its own");
    assert!([&first.key, &again.key].into_iter().flatten().all(|key| u64::from_str_radix(key, 16).is_ok()));

    let longer = it.complete(text.clone() + &numbers(4000)).await.chain;
    let whole = first.chain.len() - 1;
    assert!(longer.len() > first.chain.len());
    assert_eq!(longer[..whole], first.chain[..whole]);
    let other = it.complete(format!("x{text}")).await.chain;
    assert!(other.iter().all(|hash| !first.chain.contains(hash)), "nothing is common behind another beginning");
}

#[tokio::test]
async fn one_chat_has_one_chain_however_it_is_written() {
    let it = Fixture::start().await;
    let long = "caf\u{e9} \u{1f600} \"quoted\"\n".repeat(500);
    let plain = json!({"model": MODEL, "max_tokens": 1, "messages": [
        {"role": "system", "content": "one\ntwo"}, {"role": "user", "content": long},
    ]})
    .to_string();
    let escaped: String = (plain.chars()).map(|c| if c.is_ascii() { c.to_string() } else { json_escape(c) }).collect();
    let parts = json!({"messages": [
        {"content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "role": "system"},
        {"content": [{"text": long, "type": "text"}], "role": "user"},
    ], "max_tokens": 1, "model": MODEL})
    .to_string();
    let expected = chain(&format!("<|im_start|>system\none\ntwo<|im_end|>\n<|im_start|>user\n{long}<|im_end|>\n"));
    assert!(expected.len() > 128, "longer than upstream's chain");
    for body in [plain, escaped, parts] {
        assert_eq!(it.chat(body).await, expected);
    }
}

fn json_escape(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

#[tokio::test]
async fn a_prompt_of_three_megabytes_is_hashed_to_its_end_and_arrives_whole() {
    let it = Fixture::start().await;
    let text = numbers(460_000);
    assert!((3_000_000..3_500_000).contains(&text.len()), "{} bytes", text.len());
    let body = json!({"model": MODEL, "max_tokens": 1, "prompt": text}).to_string();
    let heard = it.hear("/v1/completions", body.clone()).await;
    assert_eq!(heard.chain, chain(&text));
    assert_eq!(heard.tokens, Some(text.len().div_ceil(4).to_string()));
    assert!(Blocks::default().covered(heard.chain.len()) >= text.len() as u64);
    let requests = it.engine.client().get("/simulator/requests").await.json();
    let received = requests.as_array().and_then(|all| all.last()).expect("the request");
    let renamed = body.replacen(MODEL, SERVED, 1);
    let sha256: String = Sha256::digest(&renamed).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(received["body_sha256"], sha256);

    let mut changed = text.clone();
    changed.replace_range(2_900_000..2_900_001, "x");
    let other = it.complete(changed).await.chain;
    let common = heard.chain.iter().zip(&other).take_while(|(one, other)| one == other).count();
    assert!(common < heard.chain.len());
    assert!(Blocks::default().covered(common) > 2_700_000, "{common} of {} hashes", heard.chain.len());
}

#[tokio::test]
async fn what_has_no_text_has_no_chain() {
    let it = Fixture::start().await;
    let heard = it.complete(json!([1, 2, 3])).await;
    assert_eq!((heard.chain.len(), heard.tokens.as_deref()), (0, Some("0")));
    assert_eq!(it.picker.header(wire::PREFIX_CHAIN), None);
    assert!(heard.key.is_some());
}
