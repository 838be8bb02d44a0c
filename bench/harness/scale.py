"""Growth: the same lines at two million rows, at twenty, at two hundred; what each costs a row or a look-up, and how it grows. For
`bench/run.sh --scale`."""

import json
import os
import re

from . import datasets, report
from .counts import DEFAULTS, INDEX_ONLY, aggregate_plan, show_only, timed
from .lines import NO_INDEX_ONLY, PROBE_KEYS, RANGE_KEYS, Line, Target, at_least, buffers_line, companion
from .measure import Bench, create_indexes, drop_indexes
from .queries import ONE_LINE, sizes
from .tables import set_up
from .writes import build_group

ROWS = (2_000_000, 20_000_000, 200_000_000)
TABLES = ("serial", "timestamps", "random")
LARGE = 50_000_000  # from here on an index is built once of each kind, and timed then
FRESH = 3  # sessions that count everything
# Whatever the size: one leaf a look-up; models of a session at the largest (200 million random rows).
MOST_MEMORY = Target(value=1.6 * 1024 * 1024, unit="bytes")


def within_256_mb(name):
    """A build that sorts on disk, and the memory that it takes."""
    build = Line(f"build.{name}.256MB", "build", name, f"CREATE INDEX, {name}, maintenance_work_mem 256 MB", memory="256MB")
    return [build, companion(f"peak.{build.name}", build, "private_bytes", f"most private memory of that build, {name}",
                             unit="bytes", target=Target(value=320 * 1024 * 1024, unit="bytes"))]


def scale_lines(name):
    """Of one table, at each size."""
    probe = Line(f"probe.{name}", "query", name, f"nested-loop probes, {name}, index-only", target=at_least(1.0),
                 node="Index Only Scan", query=PROBE_KEYS, answer="probe_count", loops="probes", samples=3,
                 lacks=NO_INDEX_ONLY)
    build = Line(f"build.{name}", "build", name, f"CREATE INDEX, {name}, maintenance_work_mem 1 GB")
    return [
        Line(f"size.{name}", "size", name, f"index size, {name}", unit="bytes", target=at_least(1.0)),
        probe, buffers_line(probe),
        Line(f"range.{name}", "query", name, f"range over 10 %, {name}, index-only", target=at_least(1.0),
             node="Index Only Scan", query=RANGE_KEYS, answer="range_count", samples=3, lacks=NO_INDEX_ONLY),
        Line(f"memory.{name}", "memory", name, f"models that a session keeps, {name}", unit="bytes", target=MOST_MEMORY,
             lacks={"btree": "keeps no model"}),
        Line(f"count.{name}.fresh", "count", name, f"count of everything, {name}, first in a session"),
        Line(f"count.{name}.warm", "count", name, f"count of everything, {name}, repeated"),
        build, *(within_256_mb(name) if name == "random" else []),
    ]


def count_everything(bench, data, lines):
    """By learned, in new sessions; by btree's index-only scan, once."""
    fresh, warm = lines
    sql, right = f"SELECT count(*) FROM {data.table}", [str(bench.scale.rows)]
    show_only(bench, data, bench.subject)
    _, facts = aggregate_plan(bench, fresh, "", sql)
    for line in lines:
        bench.result(line).note(bench.subject.label, **facts)
    for _ in range(FRESH):
        first, later = timed(bench, fresh, DEFAULTS, sql, right, 20)
        bench.result(fresh).add(bench.subject.label, first)
        for seconds in later:
            bench.result(warm).add(bench.subject.label, seconds)
    show_only(bench, data, bench.baseline)
    settings = {**INDEX_ONLY["index-only"], "learned_index.enable_aggregates": "off"}
    first, later = timed(bench, fresh, settings, sql, right, 1)
    bench.result(fresh).add(bench.baseline.label, first)
    bench.result(warm).add(bench.baseline.label, later[0])
    show_only(bench, data, *bench.methods)


def run_table(bench, data, lines):
    """Loads one table, measures its lines, drops it."""
    answers = datasets.Answers()
    bench.say(f"{data.name}: loading {bench.scale.rows:,} rows")
    try:
        if not bench.guard(lines, lambda: set_up(bench, data, lines, answers)):
            return
        bench.guard(lines, lambda: create_indexes(bench, data, bench.methods))
        sizes(bench, data, [line for line in lines if line.kind == "size"])
        bench.session.run("CHECKPOINT;")
        for line in lines:
            if line.kind in ONE_LINE:
                bench.say(f"  {line.name}")
                bench.guard([line], lambda line=line: ONE_LINE[line.kind](bench, data, line, answers))
        counting = [line for line in lines if line.kind == "count"]
        bench.say(f"  count.{data.name}")
        bench.guard(counting, lambda: count_everything(bench, data, counting))
        drop_indexes(bench, data)
        builds = [line for line in lines if line.kind == "build"]
        bench.guard(builds, lambda: build_group(bench, data, builds, answers))
        bench.copy_companions(lines)
    finally:
        bench.guard(lines, lambda: drop_indexes(bench, data))
        bench.guard(lines, lambda: datasets.drop(bench.session, data))


# --- the table over all sizes ---------------------------------------------------------------------

def cost(result, label, divisor, unit):
    value = result.median(label)
    return None if value is None else value / divisor * unit


# name of the line, heading, divided by, times, digits
COLUMNS = (
    ("size.{}", "bytes a row", "rows", 1, 3),
    ("build.{}", "build, ns a row", "rows", 1e9, 0),
    ("build.{}.256MB", "within 256 MB, ns a row", "rows", 1e9, 0),
    ("probe.{}", "look-up, ns", "probes", 1e9, 0),
    ("buffers.{}", "index pages of one", "", 1, 2),
    ("range.{}", "range, ns a row", "range", 1e9, 1),
    ("count.{}.warm", "count of all, ms", "", 1e3, 2),
    ("count.{}.fresh", "first in a session, ms", "", 1e3, 1),
)


def costs(bench):
    """[{table, rows, heading, subject, baseline}]"""
    found = []
    divisors = {"rows": bench.scale.rows, "probes": bench.scale.probes, "range": bench.scale.rows / 10, "": 1}
    for name in TABLES:
        for pattern, heading, by, unit, digits in COLUMNS:
            result = bench.results.get(pattern.format(name))
            if result:
                ours, theirs = (cost(result, method.label, divisors[by], unit) for method in (bench.subject, bench.baseline))
                found.append({"table": name, "rows": bench.scale.rows, "heading": heading, "digits": digits,
                              "subject": ours, "baseline": theirs, "error": result.error})
        memory = bench.results.get(f"memory.{name}")
        if memory:
            found.append({"table": name, "rows": bench.scale.rows, "heading": "models of a session, kB", "digits": 1,
                          "subject": cost(memory, bench.subject.label, 1024, 1), "baseline": None, "error": memory.error})
    return found


def growth_table(found):
    """One row for each table and cost, a column for each size: ours, theirs, and the ratio."""
    sizes_of = sorted({cell["rows"] for cell in found})
    out = ["| table | cost | " + " | ".join(f"{rows / 1e6:g}M" for rows in sizes_of) + " |",
           "|---|---" + "|---" * len(sizes_of) + "|"]
    for name in TABLES:
        headings = dict.fromkeys(cell["heading"] for cell in found if cell["table"] == name)
        for heading in headings:
            cells = {cell["rows"]: cell for cell in found if cell["table"] == name and cell["heading"] == heading}
            out.append(f"| {name} | {heading} | " + " | ".join(shown(cells.get(rows)) for rows in sizes_of) + " |")
    return "\n".join(out) + "\n"


def shown(cell):
    if cell is None:
        return ""
    if cell["error"] or cell["subject"] is None:
        return cell["error"].replace("|", "\\|") or "not measured"
    digits = cell["digits"]
    text = f"{cell['subject']:.{digits}f}"
    if cell["baseline"]:
        text += f" / {cell['baseline']:.{digits}f}, **{cell['baseline'] / cell['subject']:.2f}x**"
    return text


def write(directory, found):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "growth.md"), "w", encoding="utf-8") as file:
        file.write(growth_table(found))
    with open(os.path.join(directory, "growth.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)


def run(server, args, meta_of, directory, say):
    """All sizes, one after the other; the table is written after each table of a size. Returns the results."""
    before, results = [], []
    for rows in args.scale:
        scale = datasets.Scale.of(rows)
        bench = Bench(server, args.methods, scale, 1 if rows > LARGE else args.repeat, say)
        bench.connect()
        meta = meta_of(bench, scale)
        for name in TABLES:
            lines = [line for line in scale_lines(name) if re.search(args.only, line.name)]
            if lines:
                run_table(bench, datasets.by_name(name), lines)
            write(directory, before + costs(bench))
            report.write(os.path.join(directory, str(rows)), meta, list(bench.results.values()), args.methods)
        before += costs(bench)
        results += bench.results.values()
        bench.session.close()
    return results
