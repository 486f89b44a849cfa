"""Envoy: its listener, its engines, its memory, what it took of our configuration, and our filter inside it."""

from .panels import BYTES, COUNT, PER_SECOND, REQUESTS, SECONDS, SHARE, board, lines, number, quantiles, row

# The listener's connection manager and the clusters as our configuration names them.
HTTP = '{envoy_http_conn_manager_prefix="kthena"}'
ENGINES = '{envoy_cluster_name="engines"}'
ECDS = "envoy_extension_config_discovery_http_filter_kthena"
PICKER = "envoy_http_ext_proc_kthena"
HEAP = "envoy_overload_envoy_resource_monitors_fixed_heap_pressure"
CONNECTIONS = "envoy_overload_envoy_resource_monitors_global_downstream_max_connections_pressure"


def rate(metric, selector="", by="instance"):
    return f"sum by ({by}) (rate({metric}{selector}[$__rate_interval]))"


def milliseconds(title, description, histogram, selector):
    """Envoy's histograms are of milliseconds."""
    return quantiles(title, description, histogram, selector=selector, unit="ms")


def envoy():
    it = board("kthena-envoy", "Kthena / Envoy", "Envoy's own statistics, and the Kthena filter's inside it")
    row(
        it,
        "Now",
        number("Live", "Envoys that serve", COUNT, "sum(envoy_server_live)"),
        number("Requests", "All paths, a second", REQUESTS, f"sum(rate(envoy_http_downstream_rq_total{HTTP}[$__rate_interval]))"),
        number("Streams", "Active requests of clients", COUNT, f"sum(envoy_http_downstream_rq_active{HTTP})"),
        number("Heap", "The fullest Envoy's share of its bound, per cent", "percent", f"max({HEAP})", warn=85, bad=92),
        number("Connected", "Envoys that are connected to their router", COUNT, "sum(envoy_control_plane_connected_state)"),
        number("Refused updates", "Of the last hour", COUNT,
               f"sum(increase({ECDS}_update_rejected[1h])) + sum(increase(envoy_listener_manager_lds_update_rejected[1h]))"
               " + sum(increase(envoy_cluster_manager_cds_update_rejected[1h]))", warn=1),
    )
    row(
        it,
        "Clients",
        lines("Answers by class", "What clients get, probes included", REQUESTS,
              (rate("envoy_http_downstream_rq_xx", HTTP, "envoy_response_code_class"), "{{envoy_response_code_class}}xx"), stacked=True),
        lines("Connections", "Open", COUNT, (f"sum by (instance) (envoy_http_downstream_cx_active{HTTP})", "{{instance}}")),
        milliseconds("Duration", "Of requests, to their last byte", "envoy_http_downstream_rq_time", HTTP),
        lines("Broken off by clients", "Streams that were reset or connections that ended under them", PER_SECOND,
              (rate("envoy_http_downstream_rq_rx_reset", HTTP), "{{instance}} reset"),
              (rate("envoy_http_downstream_cx_destroy_remote_active_rq", HTTP), "{{instance}} closed")),
        lines("Took too long", "408 and silent streams", PER_SECOND,
              (rate("envoy_http_downstream_rq_timeout", HTTP), "{{instance}} request"),
              (rate("envoy_http_downstream_rq_header_timeout", HTTP), "{{instance}} headers"),
              (rate("envoy_http_downstream_rq_idle_timeout", HTTP), "{{instance}} idle")),
        lines("Bytes", "To and from clients", "Bps",
              (rate("envoy_http_downstream_cx_rx_bytes_total", HTTP), "{{instance}} received"),
              (rate("envoy_http_downstream_cx_tx_bytes_total", HTTP), "{{instance}} sent")),
    )
    row(
        it,
        "Engines",
        lines("Answers by class", "Of engines, retries included", REQUESTS,
              (rate("envoy_cluster_upstream_rq_xx", ENGINES, "envoy_response_code_class"), "{{envoy_response_code_class}}xx"),
              stacked=True),
        lines("Failed tries", "Connections that failed or timed out, resets, time-outs", PER_SECOND,
              (rate("envoy_cluster_upstream_cx_connect_fail", ENGINES), "{{instance}} connect"),
              (rate("envoy_cluster_upstream_rq_rx_reset", ENGINES), "{{instance}} reset"),
              (rate("envoy_cluster_upstream_rq_per_try_timeout", ENGINES), "{{instance}} try time-out")),
        lines("Retries", "Begun, and of those served", PER_SECOND,
              (rate("envoy_cluster_upstream_rq_retry", ENGINES), "{{instance}} begun"),
              (rate("envoy_cluster_upstream_rq_retry_success", ENGINES), "{{instance}} served")),
        lines("Endpoints", "In the engine cluster", COUNT,
              (f"sum by (instance) (envoy_cluster_membership_total{ENGINES})", "{{instance}}")),
        lines("Connections", "To engines", COUNT, (f"sum by (instance) (envoy_cluster_upstream_cx_active{ENGINES})", "{{instance}}")),
        milliseconds("Duration", "Of engines' answers, to their last byte", "envoy_cluster_upstream_rq_time", ENGINES),
    )
    row(
        it,
        "The picker, and our filter",
        lines("Picks", "Questions to the picker, and those that failed or were too slow: these requests were served without",
              REQUESTS, (rate(f"{PICKER}_streams_started"), "{{instance}} asked"),
              (rate(f"{PICKER}_failure_mode_allowed"), "{{instance}} served without"),
              (rate(f"{PICKER}_message_timeouts"), "{{instance}} too slow")),
        lines("Routing table", "The version that the filter routes by", COUNT, ("kthena_filter_table_version", "{{instance}}")),
        lines("What the filter did", "Refusals, answers that took too long to begin, retries withheld, answers that it could not read",
              PER_SECOND, (rate("kthena_filter_requests_refused_total"), "{{instance}} refused"),
              (rate("kthena_filter_requests_given_up_total"), "{{instance}} given up"),
              (rate("kthena_filter_retries_withheld_total"), "{{instance}} retries withheld"),
              (rate("kthena_filter_answers_encoded_total"), "{{instance}} encoded")),
        lines("Table updates", "Taken and refused", PER_SECOND, (rate(f"{ECDS}_config_reload"), "{{instance}} taken"),
              (rate(f"{ECDS}_update_rejected"), "{{instance}} refused by Envoy"),
              (rate("kthena_filter_tables_refused_total"), "{{instance}} refused by the filter")),
        lines("Other updates", "Listeners and clusters, taken and refused", PER_SECOND,
              (rate("envoy_listener_manager_lds_update_success"), "{{instance}} listeners"),
              (rate("envoy_cluster_manager_cds_update_success"), "{{instance}} clusters"),
              (rate("envoy_listener_manager_lds_update_rejected"), "{{instance}} listeners refused"),
              (rate("envoy_cluster_manager_cds_update_rejected"), "{{instance}} clusters refused")),
        lines("Filter restarted", "A VM that trapped is replaced", PER_SECOND,
              (rate("envoy_wasm_kthena_vm_reload"), "{{instance}}")),
    )
    row(
        it,
        "Memory and overload",
        lines("Memory", "Allocated, of what Envoy holds; and resident", BYTES, ("envoy_server_memory_allocated", "{{instance}} allocated"),
              ("envoy_server_memory_heap_size", "{{instance}} heap"), ("envoy_server_memory_physical_size", "{{instance}} resident")),
        lines("Pressure", "Share of the bounds on heap and connections, per cent", "percent", (HEAP, "{{instance}} heap"),
              (CONNECTIONS, "{{instance}} connections"), most=100),
        lines("Overload", "Requests refused, keep-alive ended, connections refused", PER_SECOND,
              (rate("envoy_http_rq_overload_local_reply", HTTP), "{{instance}} requests"),
              (rate("envoy_http_downstream_cx_overload_disable_keepalive", HTTP), "{{instance}} keep-alive"),
              (rate("envoy_listener_downstream_global_cx_overflow"), "{{instance}} connections")),
        lines("Access log", "Entries to the router, and those that were dropped: figures lack them", PER_SECOND,
              (rate("envoy_access_logs_grpc_access_log_logs_written"), "{{instance}} written"),
              (rate("envoy_access_logs_grpc_access_log_logs_dropped"), "{{instance}} dropped")),
        lines("Draining", "Listeners that take no more connections", COUNT,
              ("envoy_listener_manager_total_listeners_draining", "{{instance}}")),
        lines("Uptime", "Falls when Envoy was restarted", SECONDS, ("envoy_server_uptime", "{{instance}}")),
    )
    return it
