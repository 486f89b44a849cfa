//! A request's way: by model, by header, by weight, by adapter, to a pod and back.

use kthena_e2e::{Answer, Kthena, Setup, chat, streamed};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Written as upstream's examples are, comments and quotes included.
const ROUTES: &str = r#"
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata:
  name: deepseek-simple
  namespace: default
spec:
  modelName: "deepseek-simple"
  rules:
  - name: "default"
    targetModels:
    - modelServerName: "deepseek-r1-1-5b"
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata:
  name: deepseek-multi-models
  namespace: default
spec:
  modelName: "deepseek-multi-models"
  rules:
  - name: "premium"
    modelMatch:
      headers:
        user-type:
          exact: premium
    targetModels:
    - modelServerName: "deepseek-r1-7b"
  - name: "default"
    targetModels:
    - modelServerName: "deepseek-r1-1-5b"
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata:
  name: deepseek-subset
  namespace: default
spec:
  modelName: "deepseek-subset"
  rules:
  - name: "deepseek-r1-route"
    targetModels:
    - modelServerName: "deepseek-r1-1-5b"
      weight: 70
    - modelServerName: "deepseek-r1-7b"
      weight: 30
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelRoute
metadata:
  name: deepseek-lora
  namespace: default
spec:
  loraAdapters:
  - "lora-A"
  - "lora-B"
  rules:
  - name: "lora-route"
    targetModels:
    - modelServerName: "deepseek-r1-7b"
"#;

const SERVERS: &str = r#"
# Two engines, and no Pod: each gets two simulated ones.
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata:
  name: deepseek-r1-1-5b
  namespace: default
spec:
  workloadSelector:
    matchLabels:
      app: deepseek-r1-1-5b
  workloadPort:
    port: 8000
  model: "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
  inferenceEngine: "vLLM"
  trafficPolicy:
    timeout: 10s
---
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata:
  name: deepseek-r1-7b
  namespace: default
spec:
  workloadSelector:
    matchLabels:
      app: deepseek-r1-7b
  workloadPort:
    port: 8000
  model: "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
  inferenceEngine: "vLLM"
  trafficPolicy:
    timeout: 10s
"#;

pub(crate) static SPINE: LazyLock<Kthena> =
    LazyLock::new(|| Setup::simulated(&[("routes.yaml", ROUTES), ("servers.yaml", SERVERS)]).by_load().up());

const SMALL: &str = "default/deepseek-r1-1-5b";
const LARGE: &str = "default/deepseek-r1-7b";

/// The ModelServer whose pod answered.
#[track_caller]
fn server(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.pod().rsplit_once("-sim-").expect("a pod that was made up for a ModelServer").0.to_owned()
}

#[tokio::test]
async fn a_chat_is_answered_by_a_pod_of_the_route_s_model_server() {
    let answer = SPINE.client().chat("deepseek-simple").await;
    assert_eq!(server(&answer), SMALL);
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "the engine is asked for its own name");
    assert_eq!(json["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn a_streamed_chat_arrives_event_by_event_up_to_done() {
    let body = streamed("deepseek-simple", 5);
    let answer = SPINE.client().post("/v1/chat/completions", &[], body.to_string()).await;
    assert_eq!(server(&answer), SMALL);
    let events = answer.events();
    assert!(events.iter().all(|event| event["object"] == "chat.completion.chunk"), "{events:?}");
    let words =
        events.iter().filter(|event| event["choices"][0]["delta"]["content"].as_str().is_some_and(|t| !t.is_empty()));
    assert_eq!(words.count(), 5);
}

#[tokio::test]
async fn a_completion_goes_the_same_way_as_a_chat() {
    let body = json!({"model": "deepseek-simple", "prompt": "Once", "max_tokens": 3});
    let answer = SPINE.client().post("/v1/completions", &[], body.to_string()).await;
    assert_eq!(server(&answer), SMALL);
    assert_eq!(answer.json()["object"], "text_completion");
}

#[tokio::test]
async fn a_header_decides_between_rules_and_anything_else_takes_the_last_one() {
    let client = SPINE.client();
    for (headers, expected) in [
        (&[("user-type", "premium")][..], LARGE),
        (&[("User-Type", "premium")], LARGE),
        (&[("user-type", "basic")], SMALL),
        (&[("user-type", "premium ultra")], SMALL),
        (&[("user-type", "")], SMALL),
        (&[], SMALL),
    ] {
        let answer = client.chat_with("deepseek-multi-models", headers).await;
        assert_eq!(server(&answer), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn weights_share_out_the_requests_of_a_rule() {
    let client = SPINE.client();
    let tenth = async |_: usize| {
        let mut large = 0;
        for _ in 0..200 {
            let server = server(&client.chat("deepseek-subset").await);
            assert!(server == SMALL || server == LARGE, "{server}");
            large += usize::from(server == LARGE);
        }
        large
    };
    let large: usize = futures::future::join_all((0..10).map(tenth)).await.into_iter().sum();
    // 5 points either way of 30 in 100 are almost 5 standard deviations: luck does not fail this.
    assert!((500..=700).contains(&large), "{large} of 2000");
}

#[tokio::test]
async fn a_lora_adapter_is_asked_for_by_its_own_name() {
    let client = SPINE.client();
    for adapter in ["lora-A", "lora-B"] {
        let answer = client.chat(adapter).await;
        assert_eq!(server(&answer), LARGE);
        assert_eq!(answer.json()["model"], adapter);
    }
    let body = streamed("lora-A", 3).to_string();
    let answer = client.post("/v1/chat/completions", &[], body).await;
    assert!(answer.events().iter().all(|event| event["model"] == "lora-A"));
    client.chat("lora-C").await.assert_error(404, "route not found");
}

#[tokio::test]
async fn equally_busy_pods_share_the_requests() {
    let client = SPINE.client();
    let mut shares: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..60 {
        *shares.entry(client.chat("deepseek-simple").await.ok().pod().to_owned()).or_default() += 1;
    }
    let expected = [format!("{SMALL}-sim-0"), format!("{SMALL}-sim-1")];
    assert!(shares.keys().eq(&expected), "{shares:?}");
    assert!(shares.values().all(|share| *share > 10), "{shares:?}");
}

#[tokio::test]
async fn requests_at_once_are_spread_over_the_pods() {
    let client = SPINE.client();
    let mut body = chat("deepseek-simple");
    body["max_tokens"] = 100.into();
    let requests = (0..20).map(|_| client.post("/v1/chat/completions", &[], body.to_string()));
    let answers = futures::future::join_all(requests).await;
    let first = answers.iter().filter(|answer| answer.pod().ends_with("-sim-0")).count();
    assert!((4..=16).contains(&first), "{first} of 20");
}

#[tokio::test]
async fn the_request_id_is_the_client_s_or_a_new_one() {
    let client = SPINE.client();
    assert_eq!(
        client.chat_with("deepseek-simple", &[("x-request-id", "mine-1")]).await.header("x-request-id"),
        "mine-1"
    );
    let (one, two) = (client.chat("deepseek-simple").await, client.chat("deepseek-simple").await);
    assert_eq!(one.header("x-request-id").len(), 36, "a UUID");
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}
