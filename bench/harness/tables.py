"""Takes one table through all its lines."""

from . import datasets
from .counts import run_counts
from .measure import drop_indexes
from .queries import lived_group, query_group
from .transactions import pgbench_group
from .writes import build_group, copy_group, vacuum_group

READING = ("size", "query", "statement", "plan", "memory", "small")
PROBING = ("query", "statement", "plan", "memory", "small")


def of_kind(lines, *kinds):
    return [line for line in lines if line.kind in kinds]


def set_up(bench, data, lines, answers):
    session, scale = bench.session, bench.scale
    datasets.load(session, data, scale)
    if of_kind(lines, *PROBING):
        datasets.load_probes(session, data, scale)
        datasets.oracle(session, data, scale, answers)
        if any(line.answer.startswith(("order", "list")) for line in lines):
            datasets.oracle_of_unique_keys(session, data, answers)
        if any(line.answer.startswith(("page", "hour")) for line in lines):
            datasets.oracle_of_pairs(session, data, answers)
    if of_kind(lines, "insert"):
        datasets.load_new(session, data, scale)
    answers.heap_bytes = int(session.value(f"SELECT pg_relation_size('{data.table}')"))
    datasets.prewarm_table(session, data)
    session.run("CHECKPOINT;")


def run_dataset(bench, data, lines):
    """Loads one table, measures its lines, drops it. Groups that disturb the heap come last; COPY and
    counting have tables of their own."""
    answers = datasets.Answers()
    on_table = of_kind(lines, "lived", "insert", "build", "vacuum", *READING)
    groups = [
        (of_kind(lines, *READING), lambda wanted: query_group(bench, data, wanted, answers)),
        (of_kind(lines, "build", "insert"),
         lambda wanted: build_group(bench, data, wanted, answers)),
        (of_kind(lines, "vacuum"), lambda wanted: vacuum_group(bench, data, wanted)),
    ]
    if data.aged:
        groups.insert(0, (of_kind(lines, "lived", "size"), lambda wanted: age_first(bench, data, wanted)))
    if on_table:
        bench.say(f"{data.name}: loading {bench.scale.rows} rows")
        if bench.guard(on_table, lambda: set_up(bench, data, lines, answers)):
            for wanted, group in groups:
                run_group(bench, data, wanted, group)
        bench.guard(on_table, lambda: datasets.drop(bench.session, data))
    run_group(bench, data, of_kind(lines, "copy"), lambda wanted: copy_group(bench, data, wanted))
    counting = of_kind(lines, "count")
    if counting:
        run_counts(bench, data, counting)
    bench.copy_companions(lines)


def age_first(bench, data, lines):
    """The size line of an aged table is of an index built afterwards."""
    lived = of_kind(lines, "lived")
    if lived:
        lived_group(bench, data, lived)
    else:
        datasets.age(bench.session, data)
    bench.session.run(f"VACUUM (ANALYZE) {data.table};")


def run_group(bench, data, wanted, group):
    if not wanted:
        return
    bench.guard(wanted, lambda: group(wanted))
    # After an error indexes may be left.
    bench.guard(wanted, lambda: drop_indexes(bench, data))


def run_pgbench_lines(bench, lines):
    if lines:
        bench.guard(lines, lambda: pgbench_group(bench, lines))
