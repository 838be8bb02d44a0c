"""The measurements. Each fills a Result per line: samples and facts per method."""

import json
import statistics
import time
from dataclasses import dataclass, field

from . import datasets
from .server import BenchError


@dataclass(frozen=True)
class Method:
    label: str  # unique in the run: "btree", "btree#2"
    access_method: str

    def index(self, data):
        return f"{data.table}_{self.label.replace('#', '_')}"


@dataclass
class Result:
    """One line of the table."""
    line: object
    samples: dict = field(default_factory=dict)  # label -> list of numbers
    facts: dict = field(default_factory=dict)  # label -> {name: value}
    error: str = ""

    def add(self, label, sample):
        self.samples.setdefault(label, []).append(sample)

    def note(self, label, **facts):
        self.facts.setdefault(label, {}).update(facts)

    def median(self, label):
        return statistics.median(self.samples[label]) if self.samples.get(label) else None


class Bench:
    """The state of one run: session, methods, and the results so far."""

    def __init__(self, server, methods, scale, repeat, say):
        self.server = server
        self.methods = methods
        self.scale = scale
        self.repeat = repeat
        self.say = say
        self.session = None
        self.results = {}

    def connect(self):
        self.session = self.server.session()
        # Leaves the nested loop over the index as the one sensible plan of the probe lines,
        # and the index-only scan of the range lines. Which plan came out is asserted.
        for name in ("hashjoin", "mergejoin", "bitmapscan", "material", "memoize"):
            self.session.run(f"SET enable_{name} = off")

    def result(self, line):
        return self.results.setdefault(line.name, Result(line))

    def guard(self, lines, work):
        """Runs work; an error spoils these lines only. The session (or the whole server, if it
        crashed) is new afterwards, so the next lines still run."""
        try:
            work()
            return True
        except (BenchError, RuntimeError, ValueError, KeyError) as error:
            text = str(error).strip().splitlines()
            shown = "\n    ".join(text[:60] + ["..."] * (len(text) > 60))
            self.say(f"ERROR in {', '.join(line.name for line in lines)}:\n    {shown}")
            for line in lines:
                result = self.result(line)
                result.error = result.error or str(error).strip().splitlines()[0]
            self.reconnect()
            return False

    def reconnect(self):
        try:
            self.session.close()
        except Exception:  # whatever state psql is in, it is replaced
            self.session.process.kill()
        for _ in range(120):
            try:
                self.connect()
                return
            except BenchError:
                time.sleep(1)  # the server may be in crash recovery
        raise BenchError("the server does not come back:\n" + self.server.log_tail())

    def rounds(self):
        """Methods interleaved, the order turned round every time."""
        for number in range(self.repeat):
            for method in self.methods if number % 2 == 0 else self.methods[::-1]:
                yield number, method


# --- indexes ------------------------------------------------------------------------------

def create_index_sql(data, method):
    return f"CREATE INDEX {method.index(data)} ON {data.table} USING {method.access_method} (k)"


def set_memory(session, memory):
    session.run(f"SET maintenance_work_mem = '{memory}'")


def assert_index(session, data, method):
    """The index is there, valid, and of the access method that the column says."""
    found = session.value(
        f"SELECT am.amname || ' ' || i.indisvalid FROM pg_index i JOIN pg_class c"
        f" ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam"
        f" WHERE c.relname = '{method.index(data)}'")
    if found != f"{method.access_method} true":
        raise BenchError(f"index {method.index(data)} is: {found}")


def check_structure(session, data, method):
    if method.access_method == "learned":
        session.run(f"SELECT learned_index_check('{method.index(data)}') \\g /dev/null")


def index_bytes(session, index):
    """The whole relation: all forks, every page."""
    return int(session.value(f"SELECT pg_total_relation_size('{index}')"))


def wal_position(session):
    return session.value("SELECT pg_current_wal_insert_lsn()")


def wal_bytes_since(session, start):
    return int(session.value(f"SELECT pg_current_wal_insert_lsn() - '{start}'::pg_lsn"))


# --- queries ------------------------------------------------------------------------------

def only_this_index(bench, data, method):
    """Opens a transaction in which the other methods' indexes do not exist. Rolling it back
    brings them back without touching a page of theirs or of the heap, so all methods see one
    heap, in one state, in the same buffers."""
    others = [m.index(data) for m in bench.methods if m is not method]
    bench.session.run("BEGIN" + (f"; DROP INDEX {', '.join(others)}" if others else "") + ";")


def leave(bench):
    bench.session.run("ROLLBACK;")


def index_nodes(plan):
    found = [plan] if "Index Name" in plan else []
    for child in plan.get("Plans", []):
        found += index_nodes(child)
    return found


def xact_blocks(session, relation):
    return int(session.value(f"SELECT pg_stat_get_xact_blocks_fetched('{relation}'::regclass)"))


def asserted_run(bench, data, method, line, sql):
    """EXPLAIN (ANALYZE, BUFFERS) of the query: asserts the plan; returns what it found.

    A scan node counts the buffers of index, heap and visibility map together. Those of the heap
    relation (its map included) are counted by the statistics of this transaction, the rest
    is the index.
    """
    session = bench.session
    heap_before = xact_blocks(session, data.table)
    text = "\n".join(session.run(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}"))
    heap = xact_blocks(session, data.table) - heap_before
    nodes = index_nodes(json.loads(text)[0]["Plan"])
    if len(nodes) != 1:
        raise BenchError(f"{line.name}: {len(nodes)} index nodes in the plan:\n{text}")
    node = nodes[0]
    wrong = []
    if node["Index Name"] != method.index(data):
        wrong.append(f"index is {node['Index Name']}")
    if node["Node Type"] != line.node:
        wrong.append(f"node is {node['Node Type']}, not {line.node}")
    if "Index Cond" not in node:
        wrong.append("no index condition")
    if node.get("Heap Fetches", 0) != 0:
        wrong.append(f"{node['Heap Fetches']} heap fetches")
    if node["Shared Read Blocks"] != 0:
        wrong.append(f"{node['Shared Read Blocks']} pages were not in shared buffers")
    loops = bench.scale.probes if line.kind == "probe" else 1
    if line.kind in ("probe", "range") and node["Actual Loops"] != loops:
        wrong.append(f"{node['Actual Loops']} loops instead of {loops}")
    if wrong:
        raise BenchError(f"{line.name}, {method.label}: {'; '.join(wrong)}\n{text}")
    index_buffers = node["Shared Hit Blocks"] - heap
    return {"node": node["Node Type"], "index": node["Index Name"], "loops": node["Actual Loops"],
            "index_buffers": index_buffers, "heap_buffers": heap,
            "index_buffers_per_loop": index_buffers / node["Actual Loops"]}


def query_line(bench, data, line, answers):
    """REQUIRES: all methods' indexes exist."""
    # Free when the pages are there; needed when an error of the line before ended the server.
    datasets.prewarm_table(bench.session, data)
    datasets.prewarm(bench.session, *(m.index(data) for m in bench.methods))
    names = {"t": data.table, "low": answers.low, "high": answers.high}
    sql = line.query.format(probes=f"{data.table}_probe", **names)
    # Enough to fill the backend's caches (catalogue entries, model) in this transaction.
    warm = line.query.format(probes=f"(SELECT k FROM {data.table}_probe LIMIT"
                                    f" {max(1, bench.scale.probes // 20)})", **names)
    expected = {"range": answers.range_count, "probe": str(bench.scale.probes)}[line.kind]
    if "sum(" in line.query:
        expected = answers.probe_sum
    result = bench.result(line)
    for method in bench.methods:
        only_this_index(bench, data, method)
        facts = asserted_run(bench, data, method, line, sql)
        leave(bench)
        result.note(method.label, **facts)
    for _, method in bench.rounds():
        only_this_index(bench, data, method)
        bench.session.run(warm + ";")
        # A range takes a tenth of a second: three samples a visit.
        for _ in range(3 if line.kind == "range" else 1):
            seconds, answer = bench.session.timed(sql)
            if answer != [expected]:
                raise BenchError(f"{line.name}: {method.label} answers {answer},"
                                 f" a sequential scan {expected}")
            result.add(method.label, seconds)
        leave(bench)


def query_group(bench, data, lines, answers):
    """Size, probe, buffers and range lines: one index of each method on the same heap."""
    session = bench.session
    set_memory(session, "1GB")
    for method in bench.methods:
        session.run(create_index_sql(data, method) + ";")
        assert_index(session, data, method)
        check_structure(session, data, method)
        for line in lines:
            if line.kind == "size":
                bench.result(line).add(method.label, index_bytes(session, method.index(data)))
    session.run("CHECKPOINT;")
    for line in lines:
        if line.kind in ("probe", "range"):
            bench.say(f"  {line.name}")
            bench.guard([line], lambda line=line: query_line(bench, data, line, answers))
    for line in lines:
        if line.kind == "buffers":
            copy_buffers(bench, line)
    bench.session.run("".join(f"DROP INDEX {m.index(data)};" for m in bench.methods))


def copy_buffers(bench, line):
    """A buffers line shows what the plan of its probe line counted."""
    probe = bench.results.get(line.name.replace("buffers.", "probe."))
    result = bench.result(line)
    for label, facts in (probe.facts if probe else {}).items():
        result.add(label, facts["index_buffers_per_loop"])
    if probe is None or len(result.samples) < len(bench.methods):
        result.error = (probe.error if probe else "") or "its probe line did not run"


# --- builds and inserts -------------------------------------------------------------------

def timed_insert(bench, data, method, line):
    """One INSERT .. SELECT and its COMMIT. The index is fresh and there was no checkpoint since
    its build, so neither method pays for full-page images here."""
    session, index, result = bench.session, method.index(data), bench.result(line)
    start = wal_position(session)
    session.run("BEGIN;")
    insert, _ = session.timed(f"INSERT INTO {data.table} SELECT k, v FROM {data.table}_new")
    buffers = xact_blocks(session, index)
    commit, _ = session.timed("COMMIT")
    result.add(method.label, insert + commit)
    result.note(method.label, index_buffers_per_row=buffers / bench.scale.inserts,
                wal_bytes_per_row=wal_bytes_since(session, start) / bench.scale.inserts)


def assert_inserted(bench, data, method, line):
    """Every inserted row is found through the index."""
    sql = f"SELECT sum(t.v) FROM {data.table}_new p JOIN {data.table} t ON t.k = p.k"
    probe = type(line)(line.name, "inserted", data.name, line.what, node="Index Scan")
    facts = asserted_run(bench, data, method, probe, sql)
    answer = bench.session.value(sql)
    if answer != str(datasets.INSERTED * bench.scale.inserts):
        raise BenchError(f"{line.name}: {method.label} finds rows with sum {answer}")
    bench.result(line).note(method.label, node=facts["node"], index=facts["index"],
                            index_buffers_per_probe_after=facts["index_buffers_per_loop"])


def undo_insert(bench, data, answers):
    """Back to the heap as it was loaded. REQUIRES: no index exists (VACUUM then costs little)."""
    session = bench.session
    session.run(f"DELETE FROM {data.table} WHERE v = {datasets.INSERTED}; VACUUM {data.table};")
    size = int(session.value(f"SELECT pg_relation_size('{data.table}')"))
    if abs(size - answers.heap_bytes) > 8 * 8192:
        raise BenchError(f"{data.table} has {size} bytes after the clean-up,"
                         f" {answers.heap_bytes} before")


def build_round(bench, data, method, lines, last):
    """Builds, then inserts into what the last build made; leaves no index behind."""
    session, index = bench.session, method.index(data)
    session.run("CHECKPOINT;")
    builds = [line for line in lines if line.kind == "build"]
    # 1 GB last: its index is the one to insert into.
    for number, line in enumerate(sorted(builds, key=lambda line: line.memory == "1GB")):
        if number > 0:
            session.run(f"DROP INDEX {index};")
        set_memory(session, line.memory)
        start = wal_position(session)
        seconds, _ = session.timed(create_index_sql(data, method))
        result = bench.result(line)
        result.add(method.label, seconds)
        assert_index(session, data, method)
        result.note(method.label, wal_bytes=wal_bytes_since(session, start),
                    index_bytes=index_bytes(session, index))
    inserts = [line for line in lines if line.kind == "insert"]
    if inserts:
        if not builds:
            set_memory(session, "1GB")
            session.run(create_index_sql(data, method) + ";")
        datasets.prewarm(session, index)
        timed_insert(bench, data, method, inserts[0])
        for line in lines:
            if line.kind == "inserted-size":
                bench.result(line).add(method.label, index_bytes(session, index))
        if last:
            assert_inserted(bench, data, method, inserts[0])
    if last:
        check_structure(session, data, method)
    session.run(f"DROP INDEX {index};")


def build_group(bench, data, lines, answers):
    """REQUIRES: no index exists; the table is in shared buffers."""
    for number, method in bench.rounds():
        bench.say(f"  builds and inserts, round {number + 1}, {method.label}")
        build_round(bench, data, method, lines, last=number == bench.repeat - 1)
        if any(line.kind == "insert" for line in lines):
            undo_insert(bench, data, answers)


QUERY_KINDS = ("size", "probe", "buffers", "range")


def run_dataset(bench, data, lines):
    """Loads one table, measures its lines, drops it."""
    bench.say(f"{data.name}: loading {bench.scale.rows} rows")
    state = {}

    def setup():
        datasets.load(bench.session, data, bench.scale)
        state["answers"] = datasets.oracle(bench.session, data, bench.scale)
        datasets.prewarm_table(bench.session, data)
        bench.session.run("CHECKPOINT;")

    if not bench.guard(lines, setup):
        return
    for group, wanted in ((query_group, [l for l in lines if l.kind in QUERY_KINDS]),
                          (build_group, [l for l in lines if l.kind not in QUERY_KINDS])):
        if wanted:
            bench.guard(wanted, lambda: group(bench, data, wanted, state["answers"]))
        # After an error indexes may be left.
        for method in bench.methods:
            bench.guard(wanted, lambda method=method: bench.session.run(
                f"SET client_min_messages = error; DROP INDEX IF EXISTS {method.index(data)};"))
    bench.guard(lines, lambda: datasets.drop(bench.session, data))
