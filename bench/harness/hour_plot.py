"""Plots what bench/hour.sh has measured: `python3 hour_plot.py DIRECTORY` makes hour.svg of hour.tsv there."""

import os
import sys

from plots import COLOURS, pyplot, save


def read(path):
    """(kind, method) -> (minutes, mebibytes, milliseconds)"""
    series = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            minute, kind, method, size, time = line.split("\t")
            columns = series.setdefault((kind, method), ([], [], []))
            for column, value in zip(columns, (int(minute), int(size) / 1048576, float(time))):
                column.append(value)
    return series


def main():
    directory = sys.argv[1]
    series = read(os.path.join(directory, "hour.tsv"))
    kinds = list(dict.fromkeys(kind for kind, _ in series))
    figure, grid = pyplot.subplots(2, len(kinds), figsize=(3.2 * len(kinds), 6), layout="constrained", squeeze=False)
    for place, kind in enumerate(kinds):
        for colour, method in zip(COLOURS, ("learned", "btree")):
            minutes, sizes, times = series[kind, method]
            grid[0][place].plot(minutes, sizes, color=colour, label=method)
            grid[1][place].plot(minutes, times, color=colour, label=method)
        grid[0][place].set_title(kind, fontsize=9)
        grid[1][place].set_xlabel("minute")
        for row in grid:
            row[place].set_ylim(bottom=0)
    grid[0][0].set_ylabel("index, MB")
    grid[1][0].set_ylabel("look-ups, ms of the processor")
    grid[0][0].legend(fontsize=8)
    save(figure, directory, "hour.svg")


if __name__ == "__main__":
    main()
