"""Plots of a results.json as SVG. A program of its own: `python3 plots.py DIRECTORY`, by a Python that
has matplotlib, which need not be the one that measured."""

import json
import os
import sys

import matplotlib
import matplotlib.ticker

matplotlib.use("Agg")
# Reproducible files with text that can be searched.
matplotlib.rcParams.update({"svg.hashsalt": "learned", "svg.fonttype": "none", "font.size": 9})
from matplotlib import pyplot  # noqa: E402 (the backend must be chosen first)

COLOURS = ["#1b7f5c", "#8a8f98", "#d9a441", "#6a7fb5", "#b5606a"]
WORSE = "#c0453b"


def save(figure, directory, name):
    figure.savefig(os.path.join(directory, name), bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def caption(meta):
    return f"{meta['rows']:,} rows, {meta['server']}, commit {meta['commit']}"


def plot_ratios(directory, meta, lines):
    """Every line that has a ratio, its target as a mark."""
    shown = [line for line in lines if line["ratio"]][::-1]
    if not shown:
        return
    subject, baseline = meta["methods"][:2]
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.2 * len(shown)))
    places = range(len(shown))
    colours = [COLOURS[0] if line["ratio"] >= 1 else WORSE for line in shown]
    axes.barh(places, [line["ratio"] - 1 for line in shown], left=1, color=colours, height=0.7)
    for place, line in zip(places, shown):
        axes.annotate(f"{line['ratio']:.2f}x", (max(line["ratio"], 1), place), xytext=(3, 0),
                      textcoords="offset points", va="center", fontsize=7)
    targets = [(line["target"]["ratio"], place) for place, line in zip(places, shown)
               if line["target"] and line["target"]["ratio"]]
    if targets:
        axes.plot(*zip(*targets), "k|", markersize=8, label="target")
        axes.legend(loc="lower right")
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(places)
    axes.set_yticklabels([line["name"] for line in shown], fontsize=7)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%gx"))
    axes.set_title(f"{baseline} / {subject}: right of the line, {subject} is smaller or faster\n"
                   + caption(meta), fontsize=9)
    save(figure, directory, "ratios.svg")


def draw_bars(meta, lines, scale, inches):
    """Bars of all methods side by side, each median divided by scale(line)."""
    methods = meta["methods"]
    figure, axes = pyplot.subplots(figsize=(max(6, inches * len(lines)), 4))
    width = 0.8 / len(methods)
    for number, method in enumerate(methods):
        points = [(place + (number - (len(methods) - 1) / 2) * width,
                   line["methods"][method]["median"] / scale(line))
                  for place, line in enumerate(lines) if line["methods"][method]["median"]]
        if points:
            axes.bar(*zip(*points), width=width, label=method,
                     color=COLOURS[number % len(COLOURS)])
    axes.set_yscale("log")
    axes.set_xticks(range(len(lines)))
    axes.legend(ncol=len(methods), fontsize=8)
    return figure, axes


def plot_sizes(directory, meta, lines):
    shown = [line for line in lines if line["name"].startswith("size.") and not line["error"]]
    if not shown:
        return
    figure, axes = draw_bars(meta, shown, lambda line: meta["rows"], inches=0.7)
    axes.set_xticklabels([line["name"].replace("size.", "") for line in shown], rotation=40,
                         ha="right", fontsize=8)
    axes.set_ylabel("bytes of index a row")
    axes.set_title("Index size\n" + caption(meta), fontsize=9)
    save(figure, directory, "sizes.svg")


def plot_times(directory, meta, lines):
    """Times as multiples of the baseline's."""
    baseline = meta["methods"][1]
    shown = [line for line in lines if line["unit"] == "s" and not line["error"]
             and line["methods"][baseline]["median"]]
    if not shown:
        return
    figure, axes = draw_bars(meta, shown,
                             lambda line: line["methods"][baseline]["median"], inches=0.35)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticklabels([line["name"] for line in shown], rotation=60, ha="right", fontsize=8)
    axes.set_ylabel(f"time, {baseline} = 1 (lower is better)")
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.set_title("Times\n" + caption(meta), fontsize=9)
    save(figure, directory, "times.svg")


def plot_growth(directory, found):
    """What `--scale` has found: costs a row or a look-up against the number of rows."""
    headings = [heading for heading in dict.fromkeys(cell["heading"] for cell in found) if heading != "index pages of one"]
    tables = list(dict.fromkeys(cell["table"] for cell in found))
    columns = 4
    figure, grid = pyplot.subplots(-(-len(headings) // columns), columns, figsize=(14, 3 * -(-len(headings) // columns)),
                                   squeeze=False, layout="constrained")
    panels = [axes for row in grid for axes in row]
    for axes, heading in zip(panels, headings):
        for number, table in enumerate(tables):
            for method, style in (("subject", "o-"), ("baseline", "x:")):
                points = [(cell["rows"], cell[method]) for cell in found
                          if cell["table"] == table and cell["heading"] == heading and cell[method]]
                if points:
                    label = f"{table}, {'learned' if method == 'subject' else 'btree'}"
                    axes.plot(*zip(*points), style, color=COLOURS[(number * 2) % len(COLOURS)], label=label, markersize=4)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(heading, fontsize=9)
    for axes in panels[len(headings):]:
        axes.axis("off")
    panels[0].legend(fontsize=7)
    figure.suptitle("Growth: cost against rows of the table", fontsize=10)
    save(figure, directory, "growth.svg")


def main():
    directory = sys.argv[1]
    growth = os.path.join(directory, "growth.json")
    if os.path.exists(growth):
        with open(growth, encoding="utf-8") as file:
            plot_growth(directory, json.load(file))
        return
    with open(os.path.join(directory, "results.json"), encoding="utf-8") as file:
        results = json.load(file)
    for plot in (plot_ratios, plot_sizes, plot_times):
        plot(directory, results["meta"], results["lines"])


if __name__ == "__main__":
    main()
