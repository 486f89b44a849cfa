"""The engines: what the router knows of them, and what they say themselves where Prometheus asks them too."""

from .panels import BYTES, COUNT, PER_SECOND, REQUESTS, SECONDS, SHARE, board, lines, number, quantiles, row


def engines():
    it = board(
        "kthena-engines",
        "Kthena / Engines",
        "What the router sees of engines, and vLLM's and SGLang's own metrics",
    )
    row(
        it,
        "Now",
        number("Endpoints", "Whose engines are asked for their metrics", COUNT, "max(kthena_router_scrape_endpoints)"),
        number("Silent", "Endpoints whose engines have not said anything for three intervals", COUNT,
               "max(kthena_router_scrape_stale_endpoints)", warn=1),
        number("Ejected", "As they failed lately", COUNT, "sum(kthena_router_endpoint_ejected) or vector(0)", warn=1),
        number("Running (vLLM)", "Requests in the engines' batches", COUNT, "sum(vllm:num_requests_running) or vector(0)"),
        number("Waiting (vLLM)", "Requests in the engines' queues", COUNT, "sum(vllm:num_requests_waiting) or vector(0)"),
        number("KV cache (vLLM)", "The fullest engine's", SHARE, "max(vllm:kv_cache_usage_perc) or vector(0)", warn=0.8, bad=0.95),
    )
    row(
        it,
        "As the router sees them",
        lines("In flight by endpoint", "The router's own requests", COUNT,
              ("sum by (endpoint) (kthena_router_endpoint_in_flight_requests)", "{{endpoint}}")),
        lines("Silent endpoints", "Of those that are asked", COUNT,
              ("max(kthena_router_scrape_stale_endpoints)", "silent"), ("max(kthena_router_scrape_endpoints)", "asked")),
        lines("Failed questions", "For metrics or models, by page and reason", PER_SECOND,
              ("sum by (page, reason) (rate(kthena_router_scrape_failures_total[$__rate_interval]))", "{{page}} {{reason}}")),
        quantiles("Time to answer", "That engines take for their page of metrics", "kthena_router_scrape_duration_seconds"),
        quantiles("Time to first token by ModelServer", "At the router; the 95th percentile",
                  "kthena_router_time_to_first_token_seconds", ["backend_name"]),
        quantiles("Time per output token by ModelServer", "At the router; the 95th percentile",
                  "kthena_router_time_per_output_token_seconds", ["backend_name"]),
    )
    row(
        it,
        "vLLM",
        lines("Running and waiting", "Requests, by engine", COUNT,
              ("vllm:num_requests_running", "{{instance}} running"), ("vllm:num_requests_waiting", "{{instance}} waiting")),
        lines("KV cache in use", "By engine", SHARE, ("vllm:kv_cache_usage_perc", "{{instance}}"), most=1),
        lines("Prefix cache hits", "Share of the tokens that were looked up", SHARE,
              ("sum by (instance) (rate(vllm:prefix_cache_hits_total[$__rate_interval]))"
               " / sum by (instance) (rate(vllm:prefix_cache_queries_total[$__rate_interval]))", "{{instance}}"), most=1),
        quantiles("Time to first token", "In the engine: what the router adds is the difference to its own",
                  "vllm:time_to_first_token_seconds"),
        quantiles("Time in the queue", "Before the first prompt pass", "vllm:request_queue_time_seconds"),
        lines("Tokens", "All engines", PER_SECOND, ("sum(rate(vllm:prompt_tokens_total[$__rate_interval]))", "prompt"),
              ("sum(rate(vllm:generation_tokens_total[$__rate_interval]))", "generation")),
        lines("Finished", "By reason", REQUESTS,
              ("sum by (finished_reason) (rate(vllm:request_success_total[$__rate_interval]))", "{{finished_reason}}")),
        lines("Preemptions", "Requests that lost their blocks and are computed anew: the cache is too small", PER_SECOND,
              ("sum by (instance) (rate(vllm:num_preemptions_total[$__rate_interval]))", "{{instance}}")),
        quantiles("Time between tokens", "In the engine", "vllm:inter_token_latency_seconds"),
    )
    row(
        it,
        "SGLang",
        lines("Running and waiting", "Requests, by engine", COUNT,
              ("sum by (instance) (sglang:num_running_reqs)", "{{instance}} running"),
              ("sum by (instance) (sglang:num_queue_reqs)", "{{instance}} waiting")),
        lines("Tokens in use", "Share of the KV cache, by engine", SHARE,
              ("max by (instance) (sglang:token_usage)", "{{instance}}"), most=1),
        lines("Prefix cache hits", "As the engine says", SHARE, ("max by (instance) (sglang:cache_hit_rate)", "{{instance}}"), most=1),
        quantiles("Time to first token", "In the engine", "sglang:time_to_first_token_seconds"),
        quantiles("Time between tokens", "In the engine", "sglang:inter_token_latency_seconds"),
        lines("Tokens", "All engines", PER_SECOND, ("sum(rate(sglang:prompt_tokens_total[$__rate_interval]))", "prompt"),
              ("sum(rate(sglang:generation_tokens_total[$__rate_interval]))", "generation")),
    )
    return it
