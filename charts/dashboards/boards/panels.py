"""The few kinds of panel that the boards are made of, so that all of them look and read alike.

An expression ends up in Grafana as it is written here. Its legend is Grafana's template of labels (`{{model}}`); a panel with one
expression and no legend names its series by itself.
"""

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard, DashboardLink, DatasourceVariable, QueryVariable, Row, ThresholdsConfig,
)
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions, StackingConfig, VizLegendOptions, VizTooltipOptions,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as TimeseriesPanel
from grafana_foundation_sdk.models.common import (
    BigValueColorMode, BigValueGraphMode, DataSourceRef, LegendDisplayMode, LegendPlacement, SortOrder, StackingMode,
    TooltipDisplayMode, VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync, DashboardLinkType, Threshold, ThresholdsMode, VariableRefresh, VariableSort,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Grafana's row of 24 columns: three panels, or six numbers.
WIDTH, HEIGHT = 8, 8
NUMBER_WIDTH, NUMBER_HEIGHT = 4, 4

REQUESTS, SECONDS, BYTES, SHARE, COUNT, PER_SECOND = "reqps", "s", "bytes", "percentunit", "short", "cps"


def board(uid, title, description, variables=()):
    """An empty board; `variables` are pairs of a label's name and the metric whose values it is chosen from."""
    it = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["kthena"])
        .timezone("browser")
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(DashboardLink("Kthena").type(DashboardLinkType.DASHBOARDS).tags(["kthena"]).as_dropdown(True).keep_time(True))
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for label, metric in variables:
        it.with_variable(
            QueryVariable(label)
            .label(label)
            .datasource(SOURCE)
            .query(f"label_values({metric}, {label})")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    return it


def row(it, title, *panels):
    """A heading and the panels under it."""
    it.with_row(Row(title))
    for panel in panels:
        it.with_panel(panel)


def lines(title, description, unit, *queries, stacked=False, most=None):
    """Lines over time; `queries` are pairs of an expression and a legend."""
    panel = (
        _described(TimeseriesPanel(), title, description, unit, queries)
        .span(WIDTH)
        .height(HEIGHT)
        .line_width(1)
        .fill_opacity(40 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .min(0)
        .legend(VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if stacked:
        panel.stacking(StackingConfig().mode(StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    return panel


def number(title, description, unit, expression, *, warn=None, bad=None):
    """One number, as it is now; `warn` and `bad` are from where it turns yellow and red."""
    steps = [Threshold(value=None, color="green")]
    steps += [Threshold(value=at, color=color) for at, color in [(warn, "yellow"), (bad, "red")] if at is not None]
    return (
        _described(StatPanel(), title, description, unit, [(expression, "")])
        .span(NUMBER_WIDTH)
        .height(NUMBER_HEIGHT)
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )


def quantiles(title, description, histogram, by=(), selector="", unit=SECONDS):
    """Median, 95th and 99th percentile of a histogram of seconds; with labels in `by`, the 95th for each."""
    # Buckets of whole seconds and parts of them: what lies between two is a guess of Prometheus's.
    rates = f"sum by ({', '.join(['le', *by])}) (rate({histogram}_bucket{selector}[$__rate_interval]))"
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    shown = [(0.95, f"{legend} p95")] if by else [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")]
    return lines(title, description, unit, *[(f"histogram_quantile({q}, {rates})", name) for q, name in shown])


def _described(panel, title, description, unit, queries):
    panel.title(title).description(description).unit(unit).datasource(SOURCE)
    for at, (expression, legend) in enumerate(queries):
        query = Dataquery().expr(expression).ref_id(chr(ord("A") + at)).datasource(SOURCE)
        panel.with_target(query.legend_format(legend) if legend else query)
    return panel
