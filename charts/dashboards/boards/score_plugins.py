"""What scheduler plugins know and cost: upstream's board of the same uid, for what is here of it."""

from .panels import COUNT, PER_SECOND, SECONDS, SHARE, board, lines, quantiles, row

MODEL = '{model=~"$model"}'
MATCHES = "kthena_router_prefix_cache_match_ratio"
PLUGINS = "kthena_router_scheduler_plugin_duration_seconds"


def score_plugins():
    it = board(
        "kthena-score-plugins",
        "Kthena / Score plugins",
        "The prefix index, and the time that plugins take",
        [("model", MATCHES + "_count")],
    )
    rate = f"rate({MATCHES}_count{MODEL}[$__rate_interval])"
    none = f'rate({MATCHES}_bucket{{model=~"$model", le=~"0|0.0"}}[$__rate_interval])'
    row(
        it,
        "Prefix cache",
        lines("Hit rate", "Share of prompts of which some endpoint was thought to have a part", SHARE,
              (f"1 - sum by (model) ({none}) / sum by (model) ({rate})", "{{model}}"), most=1),
        quantiles("Match ratio", "Largest share of a prompt that any endpoint was thought to have", MATCHES, selector=MODEL, unit=SHARE),
        lines("Mean match ratio", "By model", SHARE,
              (f"sum by (model) (rate({MATCHES}_sum{MODEL}[$__rate_interval])) / sum by (model) ({rate})", "{{model}}"), most=1),
        lines("Hashes known", "Counted at each endpoint that has them", COUNT, ("kthena_router_prefix_cache_entries", "{{instance}}")),
        lines("Evictions", "Hashes that were dropped to make room", PER_SECOND,
              (f"sum by (model) (rate(kthena_router_prefix_cache_evictions_total{MODEL}[$__rate_interval]))", "{{model}}")),
        lines("Prompts looked up", "A second", PER_SECOND, (f"sum by (model) ({rate})", "{{model}}")),
    )
    took = f"sum by (plugin, type) (rate({PLUGINS}_sum{MODEL}[$__rate_interval]))"
    ran = f"sum by (plugin, type) (rate({PLUGINS}_count{MODEL}[$__rate_interval]))"
    row(
        it,
        "Plugins",
        lines("Mean time of a decision", "The smallest bucket ends at a millisecond, so the mean tells more", SECONDS,
              (f"{took} / {ran}", "{{plugin}} {{type}}")),
        quantiles("Time of a decision", "The 95th percentile of each plugin", PLUGINS, ["plugin", "type"], MODEL),
        lines("Time taken altogether", "Seconds of a core, a second", SECONDS, (took, "{{plugin}} {{type}}"), stacked=True),
    )
    return it
