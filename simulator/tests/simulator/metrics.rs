//! `/metrics`.

use kthena_simulator::{Face, Manners, Options};
use serde_json::json;

use crate::support::{Running, quick};

fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in {page}")).parse().expect("a number")
}

#[tokio::test]
async fn the_page_has_the_names_and_labels_of_the_capture() {
    let simulator = Running::start(quick()).await;
    let answer = simulator.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=1.0.0; charset=utf-8"));
    let page = answer.text();
    for series in [
        r#"vllm:num_requests_running{engine="0",model_name="tiny"}"#,
        r#"vllm:num_requests_waiting{engine="0",model_name="tiny"}"#,
        r#"vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="deferred"}"#,
        r#"vllm:kv_cache_usage_perc{engine="0",model_name="tiny"}"#,
        r#"vllm:prefix_cache_hits_total{engine="0",model_name="tiny"}"#,
        r#"vllm:prompt_tokens_by_source_total{engine="0",model_name="tiny",source="local_cache_hit"}"#,
        r#"vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"}"#,
        r#"vllm:admission_rejections_total{model_name="tiny",reason="max_num_queued_reqs"}"#,
        r#"vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="tiny"}"#,
        r#"vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="tiny"}"#,
        r#"vllm:e2e_request_latency_seconds_sum{engine="0",model_name="tiny"}"#,
    ] {
        assert_eq!(value(page, series), 0.0, "{series}");
    }
    let awake = r#"vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="awake"}"#;
    assert_eq!(value(page, awake), 1.0);
    for twin in ["prompt_tokens", "time_to_first_token_seconds"] {
        assert!(value(page, &format!(r#"vllm:{twin}_created{{engine="0",model_name="tiny"}}"#)) > 1.7e9);
        assert!(page.contains(&format!("# TYPE vllm:{twin}_created gauge\n")), "{twin}");
    }
    assert!(
        page.contains(r#"vllm:lora_requests_info{max_lora="8",running_lora_adapters="",waiting_lora_adapters=""} 1."#)
    );
    assert!(page.contains(r#"vllm:cache_config_info{block_size="16","#), "{page}");
}

#[tokio::test]
async fn a_request_is_counted() {
    let simulator = Running::start(quick()).await;
    let prompt: Vec<u32> = (300..371).collect();
    let body = json!({"prompt": prompt, "max_tokens": 3});
    for _ in 0..2 {
        simulator.post("/v1/completions", &body).await;
    }
    let page = simulator.get("/metrics").await;
    let plain = |name: &str| value(page.text(), &format!(r#"vllm:{name}{{engine="0",model_name="tiny"}}"#));
    assert_eq!(plain("prompt_tokens_total"), 142.0);
    assert_eq!(plain("generation_tokens_total"), 6.0);
    assert_eq!(plain("prefix_cache_queries_total"), 142.0);
    assert_eq!(plain("prefix_cache_hits_total"), 64.0);
    assert_eq!(plain("time_to_first_token_seconds_count"), 2.0);
    assert_eq!(plain("inter_token_latency_seconds_count"), 4.0);
    assert_eq!(plain("num_requests_running"), 0.0);
    let finished = r#"vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"}"#;
    assert_eq!(value(page.text(), finished), 2.0);
}

#[tokio::test]
async fn sglang_has_names_and_labels_of_its_own_and_no_twins() {
    let manners = Manners { face: Face::Sglang, ..Manners::default() };
    let simulator = Running::start(Options { manners, ..quick() }).await;
    simulator.post("/v1/completions", &json!({"prompt": "one two", "max_tokens": 3})).await;
    let answer = simulator.get("/metrics").await;
    let page = answer.text();
    let scheduler = r#"{engine_type="unified",model_name="tiny",moe_ep_rank="0",pp_rank="0",tp_rank="0"}"#;
    for name in ["num_running_reqs", "num_queue_reqs", "token_usage", "cache_hit_rate"] {
        assert_eq!(value(page, &format!("sglang:{name}{scheduler}")), 0.0, "{name}");
    }
    let streamed = r#"{engine_type="unified",is_streaming="true",model_name="tiny"}"#;
    assert_eq!(value(page, &format!("sglang:generation_tokens_total{streamed}")), 3.0);
    assert_eq!(value(page, &format!("sglang:time_to_first_token_seconds_count{streamed}")), 1.0);
    let plain = r#"{engine_type="unified",model_name="tiny"}"#;
    assert_eq!(value(page, &format!("sglang:inter_token_latency_seconds_count{plain}")), 2.0);
    assert!(page.contains(r#"sglang:inter_token_latency_seconds_bucket{engine_type="unified",le="0.002","#));
    assert!(!page.contains("_created"), "{page}");
}
