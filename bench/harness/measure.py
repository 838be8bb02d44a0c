"""What all measurements share: methods, results, the run, indexes, and asserted plans."""

import json
import statistics
import threading
import time
from dataclasses import dataclass, field

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
    facts: dict = field(default_factory=dict)  # label -> {name: value or list of numbers}
    error: str = ""

    def add(self, label, sample):
        self.samples.setdefault(label, []).append(sample)

    def note(self, label, **facts):
        self.facts.setdefault(label, {}).update(facts)

    def count(self, label, **facts):
        """Facts that each run counts anew; medians of them make companion lines."""
        for name, value in facts.items():
            self.facts.setdefault(label, {}).setdefault(name, []).append(value)

    def median(self, label):
        return statistics.median(self.samples[label]) if self.samples.get(label) else None

    def median_fact(self, label, name):
        value = self.facts.get(label, {}).get(name)
        return statistics.median(value) if isinstance(value, list) else value


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
        self.indexed = []  # methods that have an index on the table at hand

    @property
    def subject(self):
        return self.methods[0]

    @property
    def baseline(self):
        return self.methods[1]

    def connect(self):
        self.session = self.server.session()
        # Leaves the nested loop over the index as the one sensible plan of the probe lines,
        # and the index-only scan of the range lines. Which plan came out is asserted.
        for name in ("hashjoin", "mergejoin", "bitmapscan", "material", "memoize"):
            self.session.run(f"SET enable_{name} = off")
        # The lines on index-only scans are about these; counts.py is about the other.
        self.session.run("SET learned_index.enable_aggregates = off")

    def result(self, line):
        return self.results.setdefault(line.name, Result(line))

    def guard(self, lines, work):
        """Runs work; an error spoils these lines only. The session (or the whole server, if it
        crashed) is new afterwards, so the next lines still run."""
        try:
            work()
            return True
        except (BenchError, RuntimeError, ValueError, KeyError) as error:
            text = str(error).strip().splitlines() or [repr(error)]
            shown = "\n    ".join(text[:60] + ["..."] * (len(text) > 60))
            self.say(f"ERROR in {', '.join(line.name for line in lines)}:\n    {shown}")
            for line in lines:
                result = self.result(line)
                result.error = result.error or text[0]
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

    def methods_of(self, lines):
        """Those that at least one of the lines is for."""
        return [method for method in self.methods
                if any(not line.reason_against(method.access_method) for line in lines)]

    def rounds(self, *lines, times=1):
        """Methods interleaved, the order turned round every time; `times` as often as others."""
        methods = self.methods_of(lines)
        for number in range(self.repeat * times):
            for method in methods if number % 2 == 0 else methods[::-1]:
                yield number, method

    def copy_companions(self, lines):
        """A companion line shows what its line has counted."""
        for line in lines:
            if line.kind != "companion":
                continue
            source, result = self.results.get(line.of), self.result(line)
            for method in self.methods_of([line]):
                values = source.facts.get(method.label, {}).get(line.fact) if source else None
                if values is None:
                    result.error = (source.error if source else "") or f"{line.of} did not run"
                else:
                    result.samples[method.label] = values if isinstance(values, list) else [values]


# --- indexes ------------------------------------------------------------------------------

def create_index_sql(data, method):
    return (f"CREATE INDEX {method.index(data)} ON {data.table} USING {method.access_method}"
            f" {data.index_columns}")


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


def create_indexes(bench, data, methods):
    """One of each method on the same heap."""
    set_memory(bench.session, "1GB")
    bench.indexed = methods
    for method in methods:
        bench.session.run(create_index_sql(data, method) + ";")
        assert_index(bench.session, data, method)
        check_structure(bench.session, data, method)


def drop_indexes(bench, data):
    bench.session.run("SET client_min_messages = error;")
    bench.session.run("".join(f"DROP INDEX IF EXISTS {m.index(data)};" for m in bench.methods))
    bench.session.run("RESET client_min_messages;")


def index_bytes(session, index):
    """The whole relation: all forks, every page."""
    return int(session.value(f"SELECT pg_total_relation_size('{index}')"))


def wal_position(session):
    return session.value("SELECT pg_current_wal_insert_lsn()")


def wal_bytes_since(session, start):
    return int(session.value(f"SELECT pg_current_wal_insert_lsn() - '{start}'::pg_lsn"))


class PrivateMemory:
    """The most private memory that a process has had while the block ran, looked at every twentieth of a second."""

    def __init__(self, process):
        self.path = f"/proc/{process}/status"
        self.most = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def watch(self):
        while not self.over.wait(0.05):
            try:
                with open(self.path, encoding="utf-8") as file:
                    now = [int(line.split()[1]) for line in file if line.startswith("RssAnon:")]
            except OSError:
                return  # it has ended, and what it was about says so
            self.most = max([self.most, *now])


# --- plans --------------------------------------------------------------------------------

def xact_blocks(session, relation):
    return int(session.value(f"SELECT pg_stat_get_xact_blocks_fetched('{relation}'::regclass)"))


def index_nodes(plan):
    found = [plan] if "Index Name" in plan else []
    for child in plan.get("Plans", []):
        found += index_nodes(child)
    return found


@dataclass(frozen=True)
class Expected:
    """Of the one index node of a plan."""
    name: str  # of the line, for messages
    node: str
    index: str
    loops: int = 0  # 0: any number
    in_memory: bool = True  # nothing may be read from outside shared buffers


def asserted_run(session, table, sql, expected):
    """EXPLAIN (ANALYZE, BUFFERS) of the query: asserts the plan; returns what it found.

    A scan node counts the buffers of index, heap and visibility map together. Those of the heap
    relation (its map included) are counted by the statistics of this transaction, the rest
    is the index. A bitmap's index node counts the index alone.
    """
    heap_before = xact_blocks(session, table)
    text = "\n".join(session.run(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}"))
    heap = xact_blocks(session, table) - heap_before
    plan = json.loads(text)[0]["Plan"]
    nodes = index_nodes(plan)
    if len(nodes) != 1:
        raise BenchError(f"{expected.name}: {len(nodes)} index nodes in the plan:\n{text}")
    node = nodes[0]
    wrong = []
    if node["Index Name"] != expected.index:
        wrong.append(f"index is {node['Index Name']}, not {expected.index}")
    if node["Node Type"] != expected.node:
        wrong.append(f"node is {node['Node Type']}, not {expected.node}")
    if "Index Cond" not in node:
        wrong.append("no index condition")
    if node.get("Heap Fetches", 0) != 0:
        wrong.append(f"{node['Heap Fetches']} heap fetches")
    # Of temporary tables (bench/advise.sh) the buffers are local ones.
    hit, read = (node[f"Shared {kind} Blocks"] + node[f"Local {kind} Blocks"]
                 for kind in ("Hit", "Read"))
    if expected.in_memory and plan["Shared Read Blocks"] != 0:
        wrong.append(f"{plan['Shared Read Blocks']} pages were not in shared buffers")
    if expected.loops and node["Actual Loops"] != expected.loops:
        wrong.append(f"{node['Actual Loops']} loops instead of {expected.loops}")
    if wrong:
        raise BenchError(f"{expected.name}, {expected.index}: {'; '.join(wrong)}\n{text}")
    buffers = hit + read
    if node["Node Type"] != "Bitmap Index Scan":
        buffers -= heap
    facts = {"node": node["Node Type"], "index": node["Index Name"],
             "loops": node["Actual Loops"], "index_buffers": buffers, "heap_buffers": heap,
             "index_buffers_per_loop": buffers / node["Actual Loops"]}
    if not expected.in_memory:
        facts["pages_read_per_loop"] = read / node["Actual Loops"]
    return facts
