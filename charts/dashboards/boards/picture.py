"""A board's panels drawn as SVG, from what a Prometheus answers. It is no Grafana: it shows what the panels are about, and that
their queries have values."""

import html
import math

# How many values a series has from one side of a panel to the other.
POINTS = 70
# Pixels of a column and of a row of Grafana's grid.
COLUMN, ROW, GAP = 50, 28, 8
COLORS = ["#3b7dd8", "#e0752d", "#3c9d5d", "#a352cc", "#c4162a", "#8f7a00", "#0a8a9f", "#705da0", "#b05b8a", "#5a6b7b"]
PREFIXES = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
SUFFIX = {"reqps": "/s", "cps": "/s", "bytes": "B", "Bps": "B/s", "short": ""}


def text_of(value, unit):
    """A value with its unit, short."""
    if unit == "percentunit":
        return f"{trimmed(value * 100)}%"
    if unit == "percent":
        return f"{trimmed(value)}%"
    if unit in ("s", "ms"):
        seconds = value if unit == "s" else value / 1000
        for scale, name in [(1, "s"), (1e-3, "ms"), (1e-6, "µs")]:
            if seconds >= scale:
                return f"{trimmed(seconds / scale)} {name}"
        return "0 s" if seconds == 0 else f"{trimmed(seconds * 1e9)} ns"
    for scale, name in PREFIXES:
        if value >= scale:
            return f"{trimmed(value / scale)} {name}{SUFFIX[unit]}".strip()
    return f"{trimmed(value)} {SUFFIX[unit]}".strip()


def trimmed(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def ceiling(most):
    """The top of an axis: the next of 1, 2, 2.5, 5 and 10."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if most <= step * power * 1.0001)


def svg(board, results, start, end):
    """`results` has for each panel's id a list of (legend, [(time, value), ...])."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * ROW + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * COLUMN} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="#f4f5f5"/><text x="12" y="26" font-size="17" fill="#24292e">{html.escape(board["title"])}</text>',
    ]
    for panel in board["panels"]:
        at = panel["gridPos"]
        box = at["x"] * COLUMN + GAP / 2, at["y"] * ROW + 40, at["w"] * COLUMN - GAP, at["h"] * ROW - GAP
        if panel["type"] == "row":
            parts.append(f'<text x="12" y="{box[1] + 16}" font-size="13" fill="#24292e">{html.escape(panel["title"])}</text>')
        else:
            parts += drawn(panel, results[panel["id"]], box, start, end)
    return "\n".join([*parts, "</svg>", ""])


def drawn(panel, series, box, start, end):
    x, y, w, h = box
    unit = panel["fieldConfig"]["defaults"]["unit"]
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="2" fill="#fff" stroke="#dcdfe2"/>',
        f'<text x="{x + 10:g}" y="{y + 17:g}" font-weight="bold" fill="#24292e">{html.escape(panel["title"])}</text>',
    ]
    if not series:
        return [*parts, f'<text x="{x + w / 2:g}" y="{y + h / 2 + 6:g}" text-anchor="middle" fill="#8b949e">no data</text>']
    if panel["type"] == "stat":
        value = series[0][1][-1][1]
        color = [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"] if step["value"] is None or value >= step["value"]][-1]
        color = {"green": "#3c9d5d", "yellow": "#b58900", "red": "#c4162a"}[color]
        return [*parts, f'<text x="{x + w / 2:g}" y="{y + h / 2 + 20:g}" text-anchor="middle" font-size="26" fill="{color}">{text_of(value, unit)}</text>']
    return parts + chart(panel, series, unit, (x + 58, y + 28, w - 70, h - 62), start, end)


def chart(panel, series, unit, box, start, end):
    x, y, w, h = box
    stacked = "stacking" in panel["fieldConfig"]["defaults"]["custom"]
    if stacked:
        series = stack(series)
    top = panel["fieldConfig"]["defaults"].get("max") or ceiling(max(value for _, points in series for _, value in points))
    parts = []
    for step in range(3):
        line = y + h - h * step / 2
        parts.append(f'<path d="M{x:g} {line:g}h{w:g}" stroke="#e9ebed"/>'
                     f'<text x="{x - 6:g}" y="{line + 4:g}" text-anchor="end" fill="#6a737d">{text_of(top * step / 2, unit)}</text>')
    # The highest of a stack is drawn first, the lower ones over it.
    for at, (_, points) in reversed(list(enumerate(series))):
        color = COLORS[at % len(COLORS)]
        place = [(x + w * (time - start) / (end - start), y + h - h * min(value, top) / top) for time, value in points]
        d = "" if stacked else path(place, w * 1.6 / POINTS)
        fill = 'fill="none"'
        if stacked:
            d = "M" + "L".join(f"{px:.0f} {py:.1f}" for px, py in place) + f"L{place[-1][0]:.0f} {y + h:g}L{place[0][0]:.0f} {y + h:g}Z"
            fill = f'fill="{color}" fill-opacity=".75"'
        parts.append(f'<path d="{d}" {fill} stroke="{color}" stroke-width="1.3"/>')
    return parts + legend(series, x - 48, y + h + 18, w + 58)


def path(place, widest):
    """A line that is broken where there is no value."""
    words, before = [], None
    for px, py in place:
        words.append(f"{'M' if before is None or px - before > widest else 'L'}{px:.0f} {py:.1f}")
        before = px
    return "".join(words)


def stack(series):
    below = {}
    stacked = []
    for name, points in series:
        points = [(time, value + below.get(time, 0)) for time, value in points]
        below.update(points)
        stacked.append((name, points))
    return stacked


def legend(series, x, y, width):
    parts, left = [], x
    for at, (name, _) in enumerate(series):
        name = name if len(name) <= 34 else name[:33] + "…"
        room = 22 + 6.2 * len(name)
        if left + room > x + width:
            # What does not fit in a line is counted.
            return [*parts, f'<text x="{left:g}" y="{y:g}" fill="#6a737d">+{len(series) - at}</text>']
        parts.append(f'<path d="M{left:g} {y - 4:g}h10" stroke="{COLORS[at % len(COLORS)]}" stroke-width="3"/>'
                     f'<text x="{left + 14:g}" y="{y:g}" fill="#24292e">{html.escape(name)}</text>')
        left += room
    return parts
