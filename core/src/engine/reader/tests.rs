use super::super::Observer;
use super::*;
use crate::scheduling::Signals;
use proptest::prelude::*;

fn read(engine: EngineType, page: &str) -> Reading {
    let mut reader = MetricsReader::new(engine);
    reader.feed(page.as_bytes());
    reader.finish()
}

/// As vLLM 0.32 writes it, two ranks.
const VLLM: &str = r#"# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 3.0
vllm:num_requests_running{engine="1",model_name="tiny"} 1.0
vllm:num_requests_waiting{engine="0",model_name="tiny"} 2.0
vllm:num_requests_waiting{engine="1",model_name="tiny"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 9.0
vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="awake"} 1.0
vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="weights_offloaded"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="tiny"} 0.25
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="tiny"} 0.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="tiny"} 4.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="tiny"} 2.0
vllm:time_to_first_token_seconds_count{engine="1",model_name="tiny"} 1.0
vllm:time_to_first_token_seconds_sum{engine="1",model_name="tiny"} 0.5
vllm:time_to_first_token_seconds_created{engine="0",model_name="tiny"} 1.795254251e+09
vllm:inter_token_latency_seconds_count{engine="0",model_name="tiny"} 100.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="tiny"} 1.0
vllm:request_time_per_output_token_seconds_count{engine="0",model_name="tiny"} 5.0
vllm:request_time_per_output_token_seconds_sum{engine="0",model_name="tiny"} 70.0
vllm:lora_requests_info{max_lora="2",running_lora_adapters="",waiting_lora_adapters=""} 1.7e+09
vllm:lora_requests_info{max_lora="2",running_lora_adapters="lora-c,lora-a",waiting_lora_adapters="lora-b"} 1.795e+09
vllm:lora_requests_info{max_lora="2",running_lora_adapters="old",waiting_lora_adapters=""} 1.79e+09
"#;

#[test]
fn series_are_summed_and_usage_is_averaged_over_ranks() {
    let reading = read(EngineType::Vllm, VLLM);
    assert_eq!((reading.running(), reading.waiting()), (Some(4), Some(2)));
    assert_eq!(reading.kv_cache_usage(), Some(0.375));
    assert_eq!(reading.ttft(), Some(Totals { sum: 2.5, count: 5.0, place: 0 }));
}

#[test]
fn of_several_names_for_one_thing_the_newest_counts_wherever_it_stands() {
    assert_eq!(read(EngineType::Vllm, VLLM).tpot(), Some(Totals { sum: 1.0, count: 100.0, place: 0 }));
    let both = "vllm:gpu_cache_usage_perc 0.9\nvllm:kv_cache_usage_perc 0.4\nvllm:gpu_cache_usage_perc 0.9\n";
    assert_eq!(read(EngineType::Vllm, both).kv_cache_usage(), Some(0.4));
    let old = "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.9\n\
        vllm:time_per_output_token_seconds_sum{model_name=\"m\"} 3\n\
        vllm:time_per_output_token_seconds_count{model_name=\"m\"} 6";
    let reading = read(EngineType::Vllm, old);
    assert_eq!(
        (reading.kv_cache_usage(), reading.tpot()),
        (Some(0.9), Some(Totals { sum: 3.0, count: 6.0, place: 1 }))
    );
}

#[test]
fn of_stale_label_sets_of_adapters_the_latest_counts() {
    let adapters = read(EngineType::Vllm, VLLM).adapters().unwrap();
    assert_eq!(adapters.running, ["lora-c", "lora-a"]);
    assert_eq!((adapters.waiting, adapters.max), (vec!["lora-b".to_owned()], Some(2)));
}

#[test]
fn adapters_are_unknown_when_a_line_of_them_is_too_long() {
    let names = "adapter,".repeat(4096);
    let page = format!("{VLLM}vllm:lora_requests_info{{running_lora_adapters=\"{names}\"}} 1.796e+09\n");
    let reading = read(EngineType::Vllm, &page);
    assert_eq!(reading.adapters(), None, "an older line is not of now");
    assert_eq!(reading.running(), read(EngineType::Vllm, VLLM).running());
}

#[test]
fn an_engine_that_only_announces_its_metrics_is_known_and_says_nothing_yet() {
    let page = "# HELP sglang:num_running_reqs The number of running requests.\n\
        # TYPE sglang:num_running_reqs gauge\n";
    for page in [page, "# TYPE sglang:num_running_reqs gauge"] {
        let observation = Observer::default().observe(&read(EngineType::Sglang, page)).expect("a page of SGLang's");
        assert_eq!((observation.signals, observation.adapters), (Signals::default(), None));
        assert!(Observer::default().observe(&read(EngineType::Vllm, page)).is_err());
    }
}

#[test]
fn an_engine_is_asleep_when_it_says_that_no_rank_is_awake() {
    let state = |awake: [u8; 2]| {
        let series = |rank: usize| {
            let awake = awake[rank];
            format!("vllm:engine_sleep_state{{engine=\"{rank}\",sleep_state=\"awake\"}} {awake}.0\n")
                + &format!("vllm:engine_sleep_state{{engine=\"{rank}\",sleep_state=\"discard_all\"}} {}\n", 1 - awake)
        };
        read(EngineType::Vllm, &(series(0) + &series(1))).asleep()
    };
    assert_eq!([state([0, 0]), state([0, 1]), state([1, 0]), state([1, 1])], [true, false, false, false]);
    assert!(!read(EngineType::Vllm, "vllm:num_requests_running 1\n").asleep(), "not said");
}

/// As SGLang 0.5 writes it with two data-parallel groups of two tensor ranks that all report, and priorities.
const SGLANG: &str = r#"sglang:num_running_reqs{dp_rank="0",priority="",tp_rank="0"} 5.0
sglang:num_running_reqs{dp_rank="0",priority="",tp_rank="1"} 5.0
sglang:num_running_reqs{dp_rank="0",priority="3",tp_rank="0"} 4.0
sglang:num_running_reqs{dp_rank="1",priority="",tp_rank="2"} 2.0
sglang:num_running_reqs{dp_rank="1",priority="",tp_rank="3"} 1.0
sglang:num_queue_reqs{dp_rank="0",priority="",tp_rank="0"} 1.0
sglang:num_queue_reqs{dp_rank="0",priority="None",tp_rank="0"} 1.0
sglang:token_usage{dp_rank="0",tp_rank="0"} 0.2
sglang:token_usage{dp_rank="0",tp_rank="1"} 0.2
sglang:token_usage{dp_rank="1",tp_rank="2"} 0.4
sglang:token_usage{dp_rank="1",tp_rank="3"} 0.4
sglang:time_to_first_token_seconds_sum{is_streaming="true",priority="3"} 1.0
sglang:time_to_first_token_seconds_count{is_streaming="true",priority="3"} 2.0
sglang:time_to_first_token_seconds_sum{is_streaming="false",priority="0"} 3.0
sglang:time_to_first_token_seconds_count{is_streaming="false",priority="0"} 2.0
sglang:time_per_output_token_seconds_sum{} 3
sglang:time_per_output_token_seconds_count{} 4
"#;

#[test]
fn sglang_s_copies_of_one_rank_and_parts_of_a_total_count_once() {
    let reading = read(EngineType::Sglang, SGLANG);
    assert_eq!((reading.running(), reading.waiting()), (Some(7), Some(1)));
    assert!((reading.kv_cache_usage().unwrap() - 0.3).abs() < 1e-12);
    assert_eq!(reading.ttft(), Some(Totals { sum: 4.0, count: 4.0, place: 0 }));
    assert_eq!(reading.tpot(), Some(Totals { sum: 3.0, count: 4.0, place: 1 }));
}

#[test]
fn what_is_missing_or_no_number_is_unknown_and_not_zero() {
    let page = "vllm:num_requests_running NaN\nvllm:num_requests_waiting -1\nvllm:kv_cache_usage_perc +Inf\n\
        vllm:time_to_first_token_seconds_sum 1\n";
    let reading = read(EngineType::Vllm, page);
    assert!(reading.recognised);
    assert_eq!((reading.running(), reading.waiting(), reading.kv_cache_usage()), (None, None, None));
    assert_eq!((reading.ttft(), reading.adapters()), (None, None));
}

#[test]
fn the_size_of_the_cache_is_the_sum_over_ranks() {
    let vllm = |page: &str| read(EngineType::Vllm, page).kv_cache_tokens();
    let ranks = "vllm:cache_config_info{block_size=\"16\",engine=\"0\",num_gpu_blocks=\"100\"} 1.0\n\
        vllm:cache_config_info{block_size=\"16\",engine=\"1\",num_gpu_blocks=\"200\"} 1.0\n";
    assert_eq!(vllm(ranks), Some(4800));
    assert_eq!(vllm("vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"None\"} 1.0\n"), None);
    let own = "vllm:cache_config_info{block_size=\"16\",kv_cache_size_tokens=\"900\",num_gpu_blocks=\"100\"} 1.0\n";
    assert_eq!(vllm(own), Some(900));
    let unknown = own.replace("900", "None");
    assert_eq!(vllm(&unknown), Some(1600));
    let most = "vllm:cache_config_info{block_size=\"4294967295\",num_gpu_blocks=\"4294967295\"} 1.0\n";
    assert_eq!(vllm(most), Some(u32::MAX), "more than anybody counts");
    let page = "sglang:max_total_num_tokens{dp_rank=\"0\",tp_rank=\"0\"} 5000.0\n\
        sglang:max_total_num_tokens{dp_rank=\"0\",tp_rank=\"1\"} 5000.0\n\
        sglang:max_total_num_tokens{dp_rank=\"1\",tp_rank=\"2\"} 5000.0\n";
    let reading = read(EngineType::Sglang, page);
    assert_eq!(reading.kv_cache_tokens(), Some(10_000));
    assert_eq!(Observer::default().observe(&reading).unwrap().signals.kv_cache_tokens, Some(10_000));
}

#[test]
fn openmetrics_is_read_alike() {
    let page = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine=\"0\"} 2 1520879607.789\n\
        vllm:time_to_first_token_seconds_count 17 # {trace_id=\"KOO5S4vxi0o\"} 0.67\n\
        vllm:time_to_first_token_seconds_sum 3.4 1520879607\n# EOF\n";
    let reading = read(EngineType::Vllm, page);
    assert_eq!((reading.running(), reading.ttft()), (Some(2), Some(Totals { sum: 3.4, count: 17.0, place: 0 })));
}

#[test]
fn a_page_of_another_program_is_refused() {
    for page in ["", "<html>\n", "sglang:num_running_reqs 1\n", "process_cpu_seconds_total 1\n", "# talk of vllm:x\n"] {
        assert!(Observer::default().observe(&read(EngineType::Vllm, page)).is_err(), "{page}");
    }
}

proptest! {
    #[test]
    fn what_is_read_does_not_depend_on_the_chunks(size in 1usize..300, cut in 0usize..VLLM.len()) {
        for (engine, page) in [(EngineType::Vllm, VLLM), (EngineType::Sglang, SGLANG)] {
            let page = page.as_bytes().get(..cut).unwrap_or(page.as_bytes());
            let mut whole = MetricsReader::new(engine);
            whole.feed(page);
            let mut chunked = MetricsReader::new(engine);
            page.chunks(size).for_each(|chunk| chunked.feed(chunk));
            prop_assert_eq!(chunked.finish(), whole.finish());
        }
    }

    #[test]
    fn requests_are_the_sum_of_all_ranks(counts in proptest::collection::vec(0u32..1000, 1..20)) {
        let page: String = counts.iter().enumerate()
            .map(|(rank, count)| format!("vllm:num_requests_running{{engine=\"{rank}\"}} {count}\n"))
            .collect();
        prop_assert_eq!(read(EngineType::Vllm, &page).running(), Some(counts.iter().sum()));
    }
}
