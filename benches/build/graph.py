#!/usr/bin/env python3
"""Draws the results of `compare`: time and memory over the number of articles.

    graph.py RESULTS.json GRAPH.svg
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plot
from matplotlib.ticker import LogLocator

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000}
MODES = {"feeds": "feeds only", "pages": "feeds and pages"}
LINES = {
    ("Letterpress", "cold"): ("Letterpress, cold", "#0b6e4f", "o-"),
    ("Letterpress", "after one edit"): ("Letterpress, after one edit", "#0b6e4f", "o--"),
    ("Hugo", "cold"): ("Hugo", "#c2185b", "s-"),
    ("Eleventy", "cold"): ("Eleventy", "#6a51a3", "^-"),
    ("Pelican", "cold"): ("Pelican", "#b36b00", "D-"),
}


def points(found, mode, tool, case, key):
    for size, count in SIZES.items():
        said = found.get(f"{mode} {size}", {}).get(tool, {}).get(case)
        if isinstance(said, dict):
            yield count, said[key]


def main():
    results, target = sys.argv[1:]
    with open(results, encoding="utf-8") as file:
        found = json.load(file)["found"]
    plot.rcParams.update({"font.size": 10, "svg.hashsalt": "letterpress", "axes.spines.top": False, "axes.spines.right": False})
    figure, panels = plot.subplots(2, 2, figsize=(10, 7.5), sharex=True)
    for row, (key, what) in enumerate([("wall", "seconds"), ("memory", "peak memory, MB")]):
        for column, (mode, title) in enumerate(MODES.items()):
            panel = panels[row][column]
            for (tool, case), (label, colour, style) in LINES.items():
                drawn = list(points(found, mode, tool, case, key))
                if drawn:
                    panel.plot(*zip(*drawn), style, color=colour, label=label, linewidth=1.8, markersize=5)
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xticks(list(SIZES.values()), list(SIZES))
            panel.minorticks_off()
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter("{x:,g}")
            panel.grid(True, color="#dddddd", linewidth=0.7)
            panel.set_ylabel(what)
            if row == 0:
                panel.set_title(title)
            else:
                panel.set_xlabel("articles")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(target, dpi=110, metadata={"Date": None} if target.endswith(".svg") else None)


if __name__ == "__main__":
    main()
