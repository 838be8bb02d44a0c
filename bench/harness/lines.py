"""The lines of the result: what is measured on which table, with its target.

To add a line, add it here; a new kind of measurement goes into queries.py or writes.py.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Optional

from .datasets import DATASETS


@dataclass(frozen=True)
class Target:
    """For the learned index only. Either a least ratio baseline / learned, or a largest value."""
    ratio: Optional[float] = None
    value: Optional[float] = None
    unit: str = ""
    note: str = ""

    def met(self, ratio, value):
        if self.ratio is not None:
            return ratio is not None and ratio >= self.ratio
        return value is not None and value <= self.value

    def __str__(self):
        if self.ratio is not None:
            text = f">= {self.ratio:.2f}x"
        elif self.unit == "bytes":
            text = f"<= {self.value / 1024:.0f} kB"
        else:
            text = f"<= {self.value:.2f}"
        return f"{text} ({self.note})" if self.note else text


@dataclass(frozen=True)
class Line:
    name: str
    kind: str  # which function measures it; see kinds below
    dataset: str
    what: str
    unit: str = "s"  # s | bytes | bytes/row | buffers
    target: Optional[Target] = None
    node: str = ""  # plan node that must read the index
    nodes: dict = field(default_factory=dict)  # the same for access methods that differ
    query: str = ""  # see queries.py for its placeholders
    answer: str = ""  # attribute of datasets.Answers
    loops: str = ""  # attribute of datasets.Scale: how often the node must have run
    samples: int = 1  # in each run
    memory: str = "1GB"  # maintenance_work_mem of a build
    workers: int = 0  # of a build
    checkpoint: bool = False  # just before
    of: str = ""  # a companion shows what this line ...
    fact: str = ""  # ... has counted under this name
    lacks: dict = field(default_factory=dict)  # access method -> why the line is not for it
    least_rows: int = 0  # below, the line would show nothing of its own
    slow: tuple = ()  # access methods that a small run leaves out here
    endless: dict = field(default_factory=dict)  # as `lacks`, for those that a large run leaves out
    # Of lines that count, see counts.py:
    state: str = "visible"  # of the table
    rival: str = "best"  # against which of the baseline's plans
    must_aggregate: bool = True  # LearnedAggregate is asserted; otherwise the planner is free
    warm: int = 0  # how often the query is repeated in its session, at most
    repeated: bool = False  # these times count, not the first one
    counted: int = 0  # rows of each of many counts

    def reason_against(self, access_method):
        return self.lacks.get(access_method, "")

    def node_of(self, access_method):
        return self.nodes.get(access_method, self.node)


# --- what other methods cannot do ---------------------------------------------------------

NO_INDEX_ONLY = {"hash": "no index-only scans", "brin": "no index-only scans"}
NO_ORDER = {"hash": "no order", "brin": "no order"}
NO_RANGES = {"hash": "equality only"}
NO_LOOKUPS = {"brin": "a lookup reads a range of 128 heap pages"}
ONE_COLUMN = {"hash": "one column only"}
NO_INCLUDED = {**ONE_COLUMN, "brin": "no included columns"}
NO_WORKERS = {"hash": "no parallel build", "brin": "no parallel build"}
BITMAP = "Bitmap Index Scan"

# --- queries ------------------------------------------------------------------------------

PROBE_KEYS = "SELECT count(*) FROM {probes} p JOIN {t} t ON t.k = p.k"
PROBE_ROWS = "SELECT sum(t.v) FROM {probes} p JOIN {t} t ON t.k = p.k"
RANGE_KEYS = "SELECT count(*) FROM {t} WHERE k >= '{low}' AND k < '{high}'"
RANGE_CARRIED = "SELECT sum(v) FROM {t} WHERE k >= '{low}' AND k < '{high}'"
RANGE_ROWS = "SELECT sum(v) FROM {t} WHERE k >= '{low}' AND k < '{high}'"
# The hundredth key, and the values of a hundred rows, from many places.
ORDER_KEYS = ("SELECT sum(x.last - p.k) FROM {starts} p, LATERAL (SELECT max(k) AS last FROM"
              " (SELECT k FROM {t} t WHERE t.k >= p.k ORDER BY t.k LIMIT 100) y) x")
ORDER_ROWS = ("SELECT sum(x.total) FROM {starts} p, LATERAL (SELECT sum(v) AS total FROM"
              " (SELECT v FROM {t} t WHERE t.k >= p.k ORDER BY t.k LIMIT 100) y) x")
# Keys of two columns: one, an hour of the first column's, and the hundred behind one, as people page through results.
PROBE_PAIRS = "SELECT count(*) FROM {probes} p JOIN {t} t ON t.k = p.k AND t.l = p.l"
HOUR_KEYS = ("SELECT sum(x.found) FROM {starts} p, LATERAL (SELECT count(*) AS found FROM {t} t"
             " WHERE t.k = p.k AND t.l >= p.l AND t.l < p.l + interval '1 hour') x")
PAGE_KEYS = ("SELECT sum(x.ends - p.l) FROM {starts} p, LATERAL (SELECT max(l) AS ends FROM (SELECT l FROM {t} t"
             " WHERE (t.k, t.l) > (p.k, p.l) ORDER BY t.k, t.l LIMIT 100) y) x")
PAGE_ROWS = ("SELECT sum(x.total) FROM {starts} p, LATERAL (SELECT sum(v) AS total FROM (SELECT v FROM {t} t"
             " WHERE (t.k, t.l) > (p.k, p.l) ORDER BY t.k, t.l LIMIT 100) y) x")
LIST_KEYS = ("SELECT sum(x.found) FROM {lists} l, LATERAL (SELECT count(*) AS found FROM {t} t"
             " WHERE t.k = ANY (l.keys)) x")
LIST_ROWS = ("SELECT sum(x.total) FROM {lists} l, LATERAL (SELECT sum(v) AS total FROM {t} t"
             " WHERE t.k = ANY (l.keys)) x")

BUFFERS = Target(value=1.02)


def at_least(ratio, note=""):
    return Target(ratio=ratio, note=note)


def companion(name, of, fact, what, **more):
    """A line that shows what another one has counted."""
    return Line(name, "companion", of.dataset, what, of=of.name, fact=fact, lacks=of.lacks, **more)


def buffers_line(of):
    return companion(of.name.replace("probe.", "buffers."), of, "index_buffers_per_loop",
                     f"index buffers of one: {of.what}", unit="buffers", target=BUFFERS)


def query_lines(data, label, unique):
    """Probes, ranges, ORDER BY and IN-lists on one table."""
    probe_keys = Line(f"probe.{data}.index-only", "query", data,
                      f"nested-loop probes, {label}, index-only", target=at_least(3.0),
                      node="Index Only Scan", query=PROBE_KEYS, answer="probe_count",
                      loops="probes", lacks=NO_INDEX_ONLY)
    probe_rows = Line(f"probe.{data}.heap", "query", data,
                      f"nested-loop probes, {label}, with heap fetch", target=at_least(2.0),
                      node="Index Scan", query=PROBE_ROWS, answer="probe_sum",
                      loops="probes", lacks=NO_LOOKUPS)
    ranges = [
        Line(f"range.{data}.index-only", "query", data, f"range over 10 %, {label}, index-only",
             target=at_least(1.5), node="Index Only Scan", query=RANGE_KEYS, answer="range_count",
             samples=3, lacks=NO_INDEX_ONLY),
        Line(f"range.{data}.heap", "query", data, f"range over 10 %, {label}, with heap fetch",
             target=at_least(1.1), node="Index Scan", nodes={"brin": BITMAP}, query=RANGE_ROWS,
             answer="range_sum", samples=3, lacks=NO_RANGES)]
    if not unique:
        return ranges
    order = [
        Line(f"order.{data}.index-only", "query", data,
             f"ORDER BY key LIMIT 100, {label}, index-only", target=at_least(1.0),
             node="Index Only Scan", query=ORDER_KEYS, answer="order_keys", loops="starts",
             samples=3, lacks=NO_ORDER),
        Line(f"order.{data}.heap", "query", data,
             f"ORDER BY key LIMIT 100, {label}, with heap fetch", target=at_least(1.0),
             node="Index Scan", query=ORDER_ROWS, answer="order_sum", loops="starts",
             samples=3, lacks=NO_ORDER)]
    lists = [
        Line(f"inlist.{data}.index-only", "query", data, f"IN-lists of 1,000, {label}, index-only",
             target=at_least(2.0), node="Index Only Scan", query=LIST_KEYS, answer="list_count",
             samples=3, loops="lists", lacks=NO_INDEX_ONLY),
        Line(f"inlist.{data}.heap", "query", data, f"IN-lists of 1,000, {label}, with heap fetch",
             node="Index Scan", nodes={"hash": BITMAP}, query=LIST_ROWS, answer="list_sum",
             samples=3, loops="lists", lacks=NO_LOOKUPS)]
    return [probe_keys, buffers_line(probe_keys), probe_rows, buffers_line(probe_rows),
            *ranges, *order, *lists]


def backend_lines(data, label, most_memory):
    return [
        Line(f"statement.{data}.index-only", "statement", data, f"a statement for each key, {label}, index-only",
             target=at_least(1.3), node="Index Only Scan", query="SELECT 1 FROM {t} WHERE k = $1", answer="probe_count",
             samples=3, lacks=NO_INDEX_ONLY),
        Line(f"statement.{data}.heap", "statement", data, f"a statement for each key, {label}, with heap fetch",
             target=at_least(1.3), node="Index Scan", query="SELECT v FROM {t} WHERE k = $1", answer="probe_sum",
             samples=3, lacks=NO_LOOKUPS),
        Line(f"plan.{data}", "plan", data, f"planning a point query, {label}",
             target=at_least(1 / 1.05, "at most 1.05 times the time"), node="Index Scan",
             samples=5, lacks=NO_LOOKUPS),
        Line(f"memory.{data}", "memory", data, f"model cache of a backend after probes, {label}",
             unit="bytes", target=Target(value=most_memory * 1024, unit="bytes"),
             lacks={name: "keeps no model" for name in ("btree", "hash", "brin")}),
    ]


def small_buffers_lines(data, label):
    """The targeted line reads keys only: a fetch from a heap that is not in memory either costs
    every method the same read, so no index makes it twice as fast."""
    return [
        Line(f"small.{data}.index-only", "small", data,
             f"probes with little shared_buffers, {label}, index-only", target=at_least(2.0),
             node="Index Only Scan", query=PROBE_KEYS, answer="probe_count", loops="probes",
             lacks=NO_INDEX_ONLY),
        Line(f"small.{data}.heap", "small", data,
             f"probes with little shared_buffers, {label}, with heap fetch", node="Index Scan",
             query=PROBE_ROWS, answer="probe_sum", loops="probes", lacks=NO_LOOKUPS),
    ]


def build_lines(data, label, ratio):
    build = Line(f"build.{data}", "build", data, f"CREATE INDEX, {label}", target=at_least(ratio))
    return [build, companion(f"wal.{build.name}", build, "wal_bytes", f"WAL of it, {label}",
                             unit="bytes", target=at_least(2.0))]


def insert_lines(data, label, ratio):
    plain = Line(f"insert.{data}", "insert", data, f"INSERT .. SELECT of 5 %, {label}",
                 target=at_least(ratio))
    after = Line(f"insert.{data}.checkpoint", "insert", data,
                 f"the same again just after a checkpoint, {label}", checkpoint=True)
    return [plain, after,
            companion(f"wal.{plain.name}", plain, "wal_bytes_per_row",
                      f"WAL of an inserted row, heap included, {label}", unit="bytes/row",
                      target=at_least(1.0)),
            companion(f"wal.{after.name}", after, "wal_bytes_per_row",
                      f"the same just after a checkpoint, {label}", unit="bytes/row",
                      target=at_least(1.0)),
            companion(f"size.{data}.inserted", plain, "index_bytes",
                      f"index size after 5 % of inserts, {label}", unit="bytes",
                      target=at_least(1.9) if data == "random" else None)]


def copy_lines(data, label):
    copy = Line(f"copy.{data}", "copy", data, f"COPY into an empty indexed table, {label}",
                target=at_least(1.0))
    return [copy, companion(f"vacuum.copy.{data}", copy, "vacuum_seconds",
                            f"DELETE of 10 % at random and VACUUM of that table, {label}",
                            target=at_least(1.2))]


def build_line(data, label, ratio, lacks):
    """With its WAL, for which no target is set."""
    build = Line(f"build.{data}", "build", data, f"CREATE INDEX, {label}", target=at_least(ratio), lacks=lacks)
    return [build, companion(f"wal.{build.name}", build, "wal_bytes", f"WAL of it, {label}", unit="bytes")]


def page_lines(line):
    """Keyset paging, and the index buffers of a page of a hundred rows."""
    return [line, companion(f"buffers.{line.name}", line, "index_buffers_per_loop",
                            f"index buffers of one: {line.what}", unit="buffers", target=at_least(1.0))]


def pair_lines():
    """Indexes on two columns, and with an included one."""
    devices = Line("probe.devices.index-only", "query", "devices", "nested-loop probes, (device, time), index-only",
                   target=at_least(3.0), node="Index Only Scan", query=PROBE_PAIRS, answer="probe_count",
                   loops="probes", lacks=NO_INDEX_ONLY)
    tenants = Line("probe.tenants.index-only", "query", "tenants", "nested-loop probes, (tenant, id), index-only",
                   target=at_least(2.5), node="Index Only Scan", query=PROBE_PAIRS, answer="probe_count",
                   loops="probes", lacks=NO_INDEX_ONLY)
    return [
        devices, buffers_line(devices),
        Line("hour.devices.index-only", "query", "devices", "an hour of one device, (device, time), index-only",
             target=at_least(1.5), node="Index Only Scan", query=HOUR_KEYS, answer="hour_count",
             loops="starts", samples=3, lacks=NO_INDEX_ONLY),
        *page_lines(Line("page.devices.index-only", "query", "devices",
                         "100 keys behind one, (device, time), index-only", node="Index Only Scan",
                         query=PAGE_KEYS, answer="page_ends", loops="starts", samples=3, lacks=NO_ORDER)),
        *build_line("devices", "(device, time)", 3.0, ONE_COLUMN),
        tenants, buffers_line(tenants),
        *page_lines(Line("page.tenants.heap", "query", "tenants",
                         "100 rows behind one, (tenant, id), with heap fetch", node="Index Scan",
                         query=PAGE_ROWS, answer="page_sum", loops="starts", samples=3, lacks=NO_ORDER)),
        *build_line("tenants", "(tenant, id)", 3.0, ONE_COLUMN),
        Line("range.included.index-only", "query", "included",
             "range over 10 %, (serial, small), sum of the included column, index-only", target=at_least(1.3),
             node="Index Only Scan", query=RANGE_CARRIED, answer="range_sum", samples=3,
             lacks={**NO_INDEX_ONLY, **NO_INCLUDED}),
    ]


def uuid_lines():
    probes = Line("probe.uuid4.index-only", "query", "uuid4", "nested-loop probes, uuid v4, index-only",
                  target=at_least(2.5), node="Index Only Scan", query=PROBE_KEYS, answer="probe_count",
                  loops="probes", lacks=NO_INDEX_ONLY)
    insert = Line("insert.uuid4", "insert", "uuid4", "INSERT .. SELECT of 5 %, uuid v4", target=at_least(1.5))
    return [
        probes, buffers_line(probes),
        *build_line("uuid4", "uuid v4", 3.0, {}),
        insert,
        companion("wal.insert.uuid4", insert, "wal_bytes_per_row",
                  "WAL of an inserted row, heap included, uuid v4", unit="bytes/row"),
        companion("size.uuid4.inserted", insert, "index_bytes", "index size after 5 % of inserts, uuid v4",
                  unit="bytes"),
    ]


# Targets of the first count of everything in a session, and of later ones, by the state of the table.
COUNT_TARGETS = {
    "serial": {"visible": (500, 4000), "last": (100, None), "spread": (30, None)},
    "timestamps": {"visible": (100, 1200), "last": (100, None), "spread": (60, None)},
    "random": {"visible": (50, 500), "last": (40, None), "spread": (30, None)},
    "distinct": {"visible": (100, 1500), "last": (40, None), "spread": (30, None)},
}
STATE_LABELS = {"visible": "all blocks visible", "last": "last 1 % of the blocks open",
                "spread": "1 % of the blocks open, spread", "scattered": "1 % of the rows updated at random"}
NOT_WORSE = 0.9

# Groups are summed up, so that their transport to the client is not what is measured.
GROUPS = "SELECT count(*), sum(g * c), max(c) FROM (SELECT {g} AS g, count(*) AS c FROM {{t}} GROUP BY 1) s"
BUCKETS = "SELECT count(*), max(g), sum(c), max(c) FROM (SELECT date_trunc('{unit}', k) AS g, count(*) AS c FROM {{t}} GROUP BY 1) s"

PAGE = "SELECT k FROM {t} ORDER BY k OFFSET {half} LIMIT 10"


def count_lines():
    lacks = {name: "counts nothing without the table" for name in ("hash", "brin")}

    def line(name, data, what, target, **more):
        return Line(f"count.{data}.{name}", "count", data, what, target=at_least(target), lacks=lacks, **more)

    lines = []
    for data, states in COUNT_TARGETS.items():
        for state, (fresh, warm) in states.items():
            label = f"count of everything, {data}, {STATE_LABELS[state]}"
            first = line(f"{state}.fresh", data, f"{label}, first in a session", fresh, state=state, warm=9,
                         rival="index-only" if state == "visible" else "best", query="SELECT count(*) FROM {t}")
            lines += [first, companion(f"count.{data}.{state}.warm", first, "warm_seconds", f"{label}, repeated",
                                       target=at_least(warm) if warm else None)]
        lines.append(line("scattered.fresh", data, f"count of everything, {data}, {STATE_LABELS['scattered']}", NOT_WORSE,
                          state="scattered", must_aggregate=False, query="SELECT count(*) FROM {t}"))
    lines += [
        line("groups", "distinct", "GROUP BY the 1,000 values", 100, query=GROUPS.format(g="k")),
        line("hours", "timestamps", "GROUP BY the hour", 100, query=BUCKETS.format(unit="hour")),
        line("days", "timestamps", "GROUP BY the day", 100, query=BUCKETS.format(unit="day")),
        line("thousands", "serial", "GROUP BY k / 1000", 100, query=GROUPS.format(g="k / 1000")),
        line("distinct", "distinct", "DISTINCT, 1,000 values", 100,
             query="SELECT count(*), sum(k) FROM (SELECT DISTINCT k FROM {t}) s"),
        line("countdistinct", "distinct", "count(DISTINCT), 1,000 values", 100, query="SELECT count(DISTINCT k) FROM {t}"),
        *(line("median", data, f"the median, {data}", 100, query="SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY k) FROM {t}")
          for data in ("serial", "random")),
        line("sum", "serial", "sum of all keys, serial", 100, query="SELECT sum(k) FROM {t}"),
        line("sum", "distinct", "sum of all keys, 1,000 values", 10, query="SELECT sum(k) FROM {t}"),
        line("offset", "serial", "ORDER BY k OFFSET half of the rows LIMIT 10, serial", 100, query=PAGE),
        line("offset", "random", "ORDER BY k OFFSET half of the rows LIMIT 10, random", 50, query=PAGE),
    ]
    for data in ("serial", "random"):
        lines.append(line("lateral", data, f"LATERAL counts of 1,000 rows, {data}", 10, query="lateral", counted=1_000))
        for kind in ("literals", "prepared"):
            lines += [line(f"small.{kind}.{rows}", data, f"counts of {rows:,} rows, {data}, {kind}", NOT_WORSE, query=kind,
                           counted=rows, rival="index-only", must_aggregate=False, warm=3, repeated=True)
                      for rows in (1, 10, 100, 1_000, 10_000)]
    return lines


# Each value's entries are one chain of pages, which every insert walks: 20 million rows take far over ten minutes.
FEW_VALUES = {"hash": "left out of a large run: equal keys are one chain, its build takes many minutes"}

# What floor/floor.c can be asked for: a key of the random table, or keys of a range; and writes of a new table.
FOR_FLOOR = re.compile(r"(range\.(serial|random)|(probe|small)\.random)\.index-only$|(vacuum\.)?copy\.")

SMALL_RUN = 4_000_000  # rows: below, the whole run is to take a few minutes

# Sizes without a figure of their own: never larger than btree.
SIZE_RATIOS = {"serial": 100.0, "widths": 50.0, "timestamps": 11.0, "writers": 8.0,
               "random": 2.3, "distinct": 4.0,
               "devices": 12.0, "tenants": 3.5, "uuid4": 1.75, "uuid7": 3.0, "included": 20.0}
SIZE_LACKS = {"devices": ONE_COLUMN, "tenants": ONE_COLUMN, "included": NO_INCLUDED}

LINES = [
    *(Line(f"size.{data.name}", "size", data.name, f"index size, {data.label}", unit="bytes",
           target=at_least(SIZE_RATIOS.get(data.name, 1.0)), lacks=SIZE_LACKS.get(data.name, {}),
           endless=FEW_VALUES if data.name in ("distinct", "zipf") else {}) for data in DATASETS),
    Line("size.aged.lived", "lived", "aged", "index that was there while the table aged",
         unit="bytes"),
    *query_lines("serial", "serial", unique=True),
    *query_lines("random", "random keys", unique=True),
    *query_lines("timestamps", "timestamps", unique=False),
    *backend_lines("serial", "serial", most_memory=8),
    *backend_lines("random", "random keys", most_memory=256),
    *small_buffers_lines("serial", "serial"),
    *small_buffers_lines("random", "random keys"),
    *build_lines("serial", "sequential", 2.5),
    *build_lines("random", "random", 3.5),
    Line("build.random.64MB", "build", "random",
         "CREATE INDEX, random, maintenance_work_mem 64 MB", memory="64MB", least_rows=SMALL_RUN,
         lacks={"hash": "left out to save time", "brin": "sorts nothing"}),
    Line("build.random.workers", "build", "random", "CREATE INDEX, random, 2 workers allowed",
         target=at_least(2.0), workers=2, lacks=NO_WORKERS),
    *insert_lines("serial", "sequential", 1.0),
    *insert_lines("random", "random", 1.3),
    Line("vacuum.random", "vacuum", "random", "DELETE of 10 % at random and VACUUM, random keys",
         target=at_least(1.2), slow=("hash",)),
    *copy_lines("serial", "sequential"),
    *copy_lines("random", "random"),
    *pair_lines(),
    *uuid_lines(),
    *count_lines(),
    Line("pgbench", "pgbench", "pgbench", "a TPC-B-like transaction, index on accounts",
         target=at_least(1.0), node="Index Scan", samples=2,
         lacks={**NO_LOOKUPS, "hash": "left out to save time"}),
]


def lines_for(rows):
    """Those of a run with so many rows."""
    lines = [line if FOR_FLOOR.match(line.name)
             else replace(line, lacks={**line.lacks, "floor": "says nothing here"})
             for line in LINES if rows >= line.least_rows]
    if rows >= SMALL_RUN:
        return [replace(line, lacks={**line.lacks, **line.endless}) for line in lines]
    left_out = "left out of a small run to save time"
    return [replace(line, lacks={**line.lacks, **{name: left_out for name in line.slow}})
            for line in lines]
