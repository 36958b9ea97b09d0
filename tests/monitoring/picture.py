"""Draws the dashboard of deploy/grafana as its panels are laid out, with what a real
Prometheus answers to them. It is not Grafana: it shows whether panels have data that
says something, legends that can be read, and places that fit them.

    tests/monitoring/run picture FILE.png

runs the group of check.py for two minutes, under players, and draws what was there."""

import re
import time

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

# Of Grafana's grid: 24 columns, and rows of 38 pixels, at 96 to the inch.
COLUMN, ROW = 76 / 96, 38 / 96
DARK, PANEL, TEXT, DIM = "#111217", "#181b1f", "#d8d9da", "#8e8e8e"
LINES = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9",
         "#705da0", "#37872d", "#fade2a"]
SECONDS = 120


def draw(dashboard, ask, file):
    """Asks Prometheus for every panel, and writes the picture."""
    panels = dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = pyplot.figure(figsize=(24 * COLUMN, rows * ROW), facecolor=DARK)
    for panel in panels:
        place = panel["gridPos"]
        left, top = place["x"] / 24, 1 - place["y"] / rows
        width, height = place["w"] / 24, place["h"] / rows
        if panel["type"] == "row":
            figure.text(left + 0.004, top - height * 0.7, panel["title"], color=TEXT,
                        size=11, weight="bold")
            continue
        margin = 0.002
        axes = figure.add_axes((left + margin, top - height + margin * 0.3,
                                width - 2 * margin, height - margin * 0.6), facecolor=PANEL)
        axes.set_xticks([]), axes.set_yticks([])
        axes.text(0.02, 1 - 0.12 / place["h"] * 4, panel["title"], color=TEXT, size=8,
                  weight="bold", va="top", transform=axes.transAxes)
        {"stat": stat, "table": table, "timeseries": lines}[panel["type"]](
            figure, axes, panel, ask)
    figure.savefig(file, dpi=96, facecolor=DARK)


def query(target):
    text = target["expr"].replace("$__rate_interval", "10s")
    return text.replace("$group", "world").replace("$node", ".*")


def stat(_, axes, panel, ask):
    found = ask("query", query=query(panel["targets"][0]))["result"]
    value = float(found[0]["value"][1]) if found else float("nan")
    axes.text(0.5, 0.4, shown(value, unit(panel)), color=LINES[0], size=22, ha="center",
              va="center", transform=axes.transAxes)


def table(_, axes, panel, ask):
    found = ask("query", query=query(panel["targets"][0]))["result"]
    hidden = panel["transformations"][0]["options"]["excludeByName"]
    names = sorted({name for series in found for name in series["metric"]} - set(hidden))
    lines = ["  ".join(f"{name:<10.10}" for name in names)]
    lines += ["  ".join(f"{series['metric'].get(name, ''):<10.10}" for name in names)
              for series in found]
    axes.text(0.02, 0.78, "\n".join(lines), color=TEXT, size=6, family="monospace",
              va="top", transform=axes.transAxes, clip_on=True)


def lines(figure, axes, panel, ask):
    box = axes.get_position()
    series = []
    until = time.time()
    for target in panel["targets"]:
        found = ask("query_range", query=query(target), start=until - SECONDS, end=until,
                    step=1)["result"]
        series += [(legend(target, one["metric"]), one["values"]) for one in found]
    series.sort()
    share = min(0.5, (2 + len(series)) * 0.045 / box.height * 0.02)
    plot = figure.add_axes((box.x0 + box.width * 0.09, box.y0 + box.height * (0.08 + share),
                            box.width * 0.89, box.height * (0.76 - share)), facecolor=PANEL)
    for place, (name, values) in enumerate(series):
        plot.plot([at - until for at, _ in values], [float(value) for _, value in values],
                  color=LINES[place % len(LINES)], linewidth=1, label=name)
    plot.tick_params(colors=DIM, labelsize=6, length=0)
    plot.yaxis.set_major_formatter(lambda value, _: shown(value, unit(panel)))
    plot.set_ylim(bottom=0)
    for side in plot.spines.values():
        side.set_visible(False)
    plot.grid(color="#2c3235", linewidth=0.5)
    if series:
        plot.legend(loc="upper left", bbox_to_anchor=(-0.08, -0.06), ncol=3, fontsize=6,
                    frameon=False, labelcolor=TEXT)
    else:
        plot.text(0.5, 0.5, "No data", color=DIM, ha="center", transform=plot.transAxes)


def legend(target, labels):
    text = re.sub(r"{{(\w+)}}", lambda name: labels.get(name[1], ""), target["legendFormat"])
    return text or ", ".join(labels.values()) or "value"


def unit(panel):
    return panel["fieldConfig"]["defaults"]["unit"]


def shown(value, unit):
    """As Grafana writes it, about."""
    if value != value:
        return "-"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        if value == 0:
            return "0 s"
        return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}{suffix(unit)}"
    return f"{value:.3g} {suffix(unit)}".strip()


def suffix(unit):
    return {"Bps": "B/s", "bytes": "B", "cps": "/s"}.get(unit, "")
