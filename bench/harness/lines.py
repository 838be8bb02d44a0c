"""The lines of the result: what is measured on which data, with its target.

To add a line, add it here; a new kind of measurement goes into measure.py.
"""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Target:
    """For the learned index only. Either a least ratio baseline / learned, or a largest value."""
    ratio: Optional[float] = None
    value: Optional[float] = None
    note: str = ""

    def met(self, ratio, value):
        if self.ratio is not None:
            return ratio is not None and ratio >= self.ratio
        return value <= self.value

    def __str__(self):
        text = f">= {self.ratio:.2f}x" if self.ratio is not None else f"<= {self.value:.2f}"
        return f"{text} ({self.note})" if self.note else text


@dataclass(frozen=True)
class Line:
    name: str
    kind: str  # size | build | probe | buffers | range | insert
    dataset: str
    what: str
    unit: str = "s"  # s | bytes | buffers
    target: Optional[Target] = None
    node: str = ""  # plan node that must read the index
    query: str = ""  # {t} table, {low} {high} bounds; {probes} the probe keys
    memory: str = ""  # maintenance_work_mem of a build


INDEX_ONLY = "SELECT count(*) FROM {probes} p JOIN {t} t ON t.k = p.k"
WITH_HEAP = "SELECT sum(t.v) FROM {probes} p JOIN {t} t ON t.k = p.k"
RANGE = "SELECT count(*) FROM {t} WHERE k >= '{low}' AND k < '{high}'"

BUFFERS = Target(value=1.05)


def probe_lines(data, label):
    """Each probe line has a companion with the index buffers of one probe."""
    return [
        Line(f"probe.{data}.index-only", "probe", data, f"nested-loop probes, {label}, index-only",
             target=Target(ratio=2.0), node="Index Only Scan", query=INDEX_ONLY),
        Line(f"buffers.{data}.index-only", "buffers", data, "index buffers of one such probe",
             unit="buffers", target=BUFFERS),
        Line(f"probe.{data}.heap", "probe", data, f"nested-loop probes, {label}, with heap fetch",
             target=Target(ratio=1.5), node="Index Scan", query=WITH_HEAP),
        Line(f"buffers.{data}.heap", "buffers", data, "index buffers of one such probe",
             unit="buffers", target=BUFFERS),
    ]


def range_line(data, label):
    return Line(f"range.{data}", "range", data, f"index-only range over 10 %, {label}",
                target=Target(ratio=1.0), node="Index Only Scan", query=RANGE)


def build_lines(data, label, ratio):
    return [
        Line(f"build.{data}.1GB", "build", data,
             f"CREATE INDEX, {label}, maintenance_work_mem 1 GB",
             target=Target(ratio=ratio), memory="1GB"),
        Line(f"build.{data}.64MB", "build", data,
             f"CREATE INDEX, {label}, maintenance_work_mem 64 MB", memory="64MB"),
    ]


def insert_lines(data, label):
    return [
        Line(f"insert.{data}", "insert", data, f"INSERT .. SELECT into the indexed table, {label}",
             target=Target(ratio=1 / 1.3, note="at most 1.3 times the time")),
        Line(f"size.{data}.inserted", "inserted-size", data, f"index size after it, {label}",
             unit="bytes"),
    ]


def size_line(data, label, ratio):
    return Line(f"size.{data}", "size", data, f"index size, {label}", unit="bytes",
                target=Target(ratio=ratio))


LINES = [
    size_line("serial", "serial bigint", 40.0),
    size_line("timestamps", "ms timestamps with jitter", 8.0),
    size_line("random", "random 62-bit", 2.1),
    *build_lines("serial", "sequential", 1.7),
    *build_lines("random", "random", 2.5),
    *probe_lines("serial", "serial"),
    *probe_lines("random", "random keys"),
    range_line("serial", "serial"),
    range_line("timestamps", "timestamps"),
    range_line("random", "random keys"),
    *insert_lines("serial", "sequential"),
    *insert_lines("random", "random"),
]
