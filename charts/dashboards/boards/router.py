"""What clients get, and what the router did about it."""

from .panels import BYTES, COUNT, PER_SECOND, REQUESTS, SECONDS, SHARE, board, lines, number, quantiles, row

# What the board's variables choose. Metrics that know no client's model are chosen by the backend alone.
BOTH = '{model=~"$model", backend_name=~"$backend_name"}'
MODEL = '{model=~"$model"}'
BACKEND = '{backend_name=~"$backend_name"}'


def rate(metric, selector="", by=""):
    summed = f"sum by ({by})" if by else "sum"
    return f"{summed} (rate({metric}{selector}[$__rate_interval]))"


def share(part, whole):
    """0 where nothing happened, rather than no line."""
    return f"({part}) / ({whole} > 0) or vector(0)"


def errors(selector):
    return BOTH[:-1] + f", {selector}}}"


def router():
    it = board(
        "kthena-router",
        "Kthena / Router",
        "Requests, errors, latency, tokens, and what the router did about failures",
        [("model", "kthena_router_requests_total"), ("backend_name", "kthena_router_requests_total")],
    )
    total = rate("kthena_router_requests_total", BOTH)
    by_model = rate("kthena_router_requests_total", BOTH, "model")
    failed = rate("kthena_router_requests_total", errors('status_code=~"5.."'), "model")
    row(
        it,
        "Now",
        number("Requests", "Requests that ended, a second", REQUESTS, total),
        number("Errors", "Share of answers with a status of 500 and more", SHARE,
               share(rate("kthena_router_requests_total", errors('status_code=~"5.."')), total), warn=0.001, bad=0.01),
        number("TTFT p95", "Time to the first token of streamed answers", SECONDS,
               f"histogram_quantile(0.95, {rate('kthena_router_time_to_first_token_seconds_bucket', BOTH, 'le')})"),
        number("In flight", "Requests picked for and not ended", COUNT, "sum(kthena_router_in_flight_requests)"),
        number("Ejected", "Endpoints that are left out, as they failed lately", COUNT,
               "sum(kthena_router_endpoint_ejected) or vector(0)", warn=1),
        number("Problems", "Problems of the configuration in force", COUNT, "max(kthena_router_config_problems)", warn=1),
    )
    row(
        it,
        "Traffic",
        lines("Requests by model", "A name that no ModelRoute offers is `unknown`", REQUESTS,
              (rate("kthena_router_requests_total", BOTH, "model"), "{{model}}"), stacked=True),
        lines("Requests by ModelServer", "`none`: requests that ended before they were bound to one", REQUESTS,
              (rate("kthena_router_requests_total", BOTH, "backend_name"), "{{backend_name}}"), stacked=True),
        lines("Answers by status", "0: the client went away before it got any", REQUESTS,
              (rate("kthena_router_requests_total", BOTH, "status_code"), "{{status_code}}"), stacked=True),
        lines("Errors by type", "What ended requests, see `error_type` in docs/guide/metrics.md", REQUESTS,
              (rate("kthena_router_requests_total", errors('error_type!="successful_request"'), "error_type"), "{{error_type}}"),
              stacked=True),
        lines("Share of errors by model", "Statuses of 500 and more", SHARE,
              (f"{failed} / {by_model} or 0 * {by_model}", "{{model}}")),
        lines("Tokens", "As engines report them", PER_SECOND,
              (rate("kthena_router_tokens_total", BOTH, "token_type"), "{{token_type}}")),
    )
    row(
        it,
        "Latency",
        quantiles("Time to first token", "Streamed answers, from the client's first byte",
                  "kthena_router_time_to_first_token_seconds", selector=BOTH),
        quantiles("Time per output token", "Streamed answers, the mean of each", "kthena_router_time_per_output_token_seconds",
                  selector=BOTH),
        quantiles("Duration", "From the client's first byte to the last that it got; the last bucket ends at 60 s",
                  "kthena_router_request_duration_seconds", selector=BOTH),
        quantiles("Time to first token by model", "The 95th percentile", "kthena_router_time_to_first_token_seconds", ["model"], BOTH),
        quantiles("Time per output token by model", "The 95th percentile", "kthena_router_time_per_output_token_seconds",
                  ["model"], BOTH),
        quantiles("Gaps between chunks", "What a reader sees as stutter", "kthena_router_inter_chunk_seconds", selector=BOTH),
    )
    row(
        it,
        "Failures, and what was done",
        lines("Retries", "Tries after a request's first one", PER_SECOND,
              (rate("kthena_router_retries_total", BACKEND, "backend_name"), "{{backend_name}}")),
        lines("Retries withheld", "Requests that were not retried, as their ModelServer's budget was spent", REQUESTS,
              (rate("kthena_router_retry_budget_spent_total", BACKEND, "backend_name"), "{{backend_name}}")),
        lines("Ejected endpoints", "Left out while enough others of their ModelServer are there", COUNT,
              ("max by (endpoint) (kthena_router_endpoint_ejected)", "{{endpoint}}"), stacked=True),
        lines("Refused for want of room", "429: the filters dropped every endpoint", REQUESTS,
              (rate("kthena_router_requests_total", errors('status_code="429", error_type="scheduling"'), "model"), "{{model}}")),
        lines("Bounds exceeded", "Requests that Envoy or the filter ended, by bound: see docs/reliability.md", REQUESTS,
              (rate("kthena_router_bound_exceeded_total", by="reason"), "{{reason}}")),
        lines("Lost to the log", "Lines that were not written, and requests that could not be read: figures lack them", PER_SECOND,
              (rate("kthena_router_access_log_lost_lines_total"), "lines"),
              (rate("kthena_router_access_log_unreadable_total"), "unreadable")),
    )
    row(
        it,
        "Under way, and the router itself",
        lines("Requests under way by model", "That the picker was asked about", COUNT,
              (f"sum by (model) (kthena_router_active_downstream_requests{MODEL})", "{{model}}"), stacked=True),
        lines("In flight by endpoint", "Picked for and not ended: whether load is even", COUNT,
              ("sum by (endpoint) (kthena_router_endpoint_in_flight_requests)", "{{endpoint}}")),
        lines("Routing table", "The version that is published; each Envoy's own is on the Envoy board", COUNT,
              ("kthena_router_table_version", "{{instance}}")),
        lines("Memory", "Resident", BYTES, ('process_resident_memory_bytes{job="kthena-router"}', "{{instance}}")),
        lines("CPU", "Cores", COUNT, ('rate(process_cpu_seconds_total{job="kthena-router"}[$__rate_interval])', "{{instance}}")),
        lines("Series", "Dropped when idle, or merged into `other`, as a family of metrics was full", PER_SECOND,
              (rate("kthena_router_metric_series_dropped_total", by="family"), "dropped {{family}}"),
              (rate("kthena_router_metric_series_merged_total", by="family"), "merged {{family}}")),
    )
    return it
