"""Lines that write: builds, inserts, deletion with VACUUM, COPY. Only one index exists at a time."""

from . import datasets
from .measure import (Expected, PrivateMemory, asserted_run, assert_index, check_structure, create_index_sql,
                      index_bytes, set_memory, wal_bytes_since, wal_position)
from .server import BenchError

COPIED_FILE = "copied.bench"  # in the data directory: a path that the server may write
# A tenth of the rows, picked by a hash of the key.
A_TENTH = "(hashint8(k) & 2147483647) % 10 = 3"


# --- CREATE INDEX -------------------------------------------------------------------------

def timed_build(bench, data, method, line):
    session, result = bench.session, bench.result(line)
    set_memory(session, line.memory)
    if line.workers:
        session.run(f"SET max_parallel_workers = {line.workers};"
                    f"SET max_parallel_maintenance_workers = {line.workers};"
                    "SET min_parallel_table_scan_size = 0; SET client_min_messages = debug1;")
    start = wal_position(session)
    with PrivateMemory(session.value("SELECT pg_backend_pid()")) as memory:
        seconds, said = session.timed(create_index_sql(data, method))
    result.add(method.label, seconds)
    if line.workers:
        session.run("RESET client_min_messages; RESET max_parallel_workers;"
                    "RESET max_parallel_maintenance_workers; RESET min_parallel_table_scan_size;")
        # The server says what it asks for; learned, up to 16 not asked for by the server, says what it got.
        asked = any(words in " ".join(said) for words in (f"with request for {line.workers} parallel worker",
                                                          f"with {line.workers} of {line.workers} parallel workers"))
        if method.access_method in ("btree", "learned") and not asked:
            raise BenchError(f"{line.name}: {method.access_method} was built without workers: {said}")
        result.note(method.label, workers=line.workers if asked else 0)
    assert_index(session, data, method)
    result.count(method.label, wal_bytes=wal_bytes_since(session, start), private_bytes=1024 * memory.most,
                 index_bytes=index_bytes(session, method.index(data)))


# --- INSERT -------------------------------------------------------------------------------

def timed_insert(bench, data, label, line):
    """One INSERT .. SELECT and its COMMIT."""
    session, result = bench.session, bench.result(line)
    batch = f"{data.table}_new2" if line.checkpoint else f"{data.table}_new"
    if line.checkpoint:
        session.run("CHECKPOINT;")
    start = wal_position(session)
    session.run("BEGIN;")
    insert, _ = session.timed(f"INSERT INTO {data.table} SELECT k, v FROM {batch}")
    commit, _ = session.timed("COMMIT")
    rows = bench.scale.inserts
    if label:
        result.add(label, insert + commit)
    result.count(label or "no index", wal_bytes_per_row=wal_bytes_since(session, start) / rows)
    if not label:
        result.count("no index", seconds=insert + commit)


def assert_inserted(bench, data, method, line):
    """Every inserted row is found through the index."""
    session = bench.session
    batch = f"{data.table}_new2" if line.checkpoint else f"{data.table}_new"
    sql = f"SELECT sum(t.v) FROM {batch} p JOIN {data.table} t ON t.k = p.k"
    session.run("BEGIN;")
    node = line.nodes.get(method.access_method, "Index Scan")
    expected = Expected(line.name, node, method.index(data))
    facts = asserted_run(session, data.table, sql, expected)
    answer = session.value(sql)
    session.run("COMMIT;")
    if answer != str(datasets.INSERTED * bench.scale.inserts):
        raise BenchError(f"{line.name}: {method.label} finds rows with sum {answer}")
    bench.result(line).note(method.label, index_buffers_per_probe_after=facts[
        "index_buffers_per_loop"])


def undo_insert(bench, data, answers, batches):
    """Back to the heap as it was loaded. REQUIRES: no index exists (VACUUM then costs little)."""
    session = bench.session
    if batches < 2:
        # VACUUM gives back the end of a table only if that is a sixteenth of it: more than one batch.
        session.run(f"INSERT INTO {data.table} SELECT k, v FROM {data.table}_new2;")
    session.run(f"DELETE FROM {data.table} WHERE v = {datasets.INSERTED}; VACUUM {data.table};")
    size = int(session.value(f"SELECT pg_relation_size('{data.table}')"))
    if abs(size - answers.heap_bytes) > 8 * 8192:
        raise BenchError(f"{data.table} has {size} bytes after the clean-up,"
                         f" {answers.heap_bytes} before")


def insert_round(bench, data, method, inserts, last):
    """The plain insert goes into an index just built and prewarmed, with no checkpoint since, so
    no method pays for full-page images; the other comes just after a checkpoint."""
    session, index = bench.session, method.index(data)
    datasets.prewarm(session, index)
    for line in sorted(inserts, key=lambda line: line.checkpoint):
        timed_insert(bench, data, method.label, line)
        bench.result(line).count(method.label, index_bytes=index_bytes(session, index))
        if last and method.access_method != "brin":
            assert_inserted(bench, data, method, line)


def build_round(bench, data, method, lines, last):
    """Builds, then inserts into what the last build made; leaves no index behind."""
    session, index = bench.session, method.index(data)
    session.run("CHECKPOINT;")
    builds = [line for line in lines if line.kind == "build"
              and not line.reason_against(method.access_method)]
    inserts = [line for line in lines if line.kind == "insert"]
    # The plain one last: its index is the one to insert into.
    for number, line in enumerate(sorted(
            builds, key=lambda line: (line.workers == 0, line.memory == "1GB"))):
        if number > 0:
            session.run(f"DROP INDEX {index};")
        timed_build(bench, data, method, line)
    if inserts:
        if not builds:
            set_memory(session, "1GB")
            session.run(create_index_sql(data, method) + ";")
        insert_round(bench, data, method, inserts, last)
    if last:
        check_structure(session, data, method)
    session.run(f"DROP INDEX {index};")


def build_group(bench, data, lines, answers):
    """REQUIRES: no index exists; the table is in shared buffers."""
    inserts = [line for line in lines if line.kind == "insert"]
    for number, method in bench.rounds(*lines):
        bench.say(f"  builds and inserts, {data.name}, round {number + 1}, {method.label}")
        build_round(bench, data, method, lines, last=number == bench.repeat - 1)
        if inserts:
            undo_insert(bench, data, answers, len(inserts))
    # What the table alone costs, to be seen beside the lines.
    if inserts:
        bench.session.run("CHECKPOINT;")
        for line in sorted(inserts, key=lambda line: line.checkpoint):
            timed_insert(bench, data, "", line)
        undo_insert(bench, data, answers, len(inserts))


# --- DELETE and VACUUM --------------------------------------------------------------------

def delete_and_vacuum(session, table):
    """(seconds of DELETE, seconds of VACUUM)"""
    delete, _ = session.timed(f"DELETE FROM {table} WHERE {A_TENTH}")
    vacuum, _ = session.timed(f"VACUUM {table}")
    return delete, vacuum


def assert_left(bench, data, method, line, left):
    """The index has as many entries as the table has rows, and they are all found."""
    session, index = bench.session, method.index(data)
    if method.access_method in ("brin", "hash"):
        return
    session.run("BEGIN; SET LOCAL enable_seqscan = off;")
    sql = f"SELECT count(*) FROM {data.table} WHERE k >= '-9223372036854775808'"
    expected = Expected(line.name, "Index Only Scan", index, in_memory=False)
    asserted_run(session, data.table, sql, expected)
    found = session.value(sql)
    session.run("COMMIT;")
    if found != left:
        raise BenchError(f"{line.name}: {method.label} finds {found} rows of {left}")
    check_structure(session, data, method)


def vacuum_group(bench, data, lines):
    """The deleted rows come back afterwards into the space that VACUUM freed: the order of the heap is
    another one then, which says nothing where it was random. REQUIRES: no index exists."""
    session, table, line = bench.session, data.table, lines[0]
    gone = f"{table}_new"
    session.run(f"DROP TABLE IF EXISTS {gone}; CREATE TABLE {gone} AS SELECT * FROM {table} WHERE"
                f" {A_TENTH};")
    left = session.value(f"SELECT count(*) FROM {table} WHERE NOT ({A_TENTH})")
    set_memory(session, "1GB")
    for number, method in bench.rounds(line):
        bench.say(f"  {line.name}, round {number + 1}, {method.label}")
        session.run("CHECKPOINT;")
        session.run(create_index_sql(data, method) + ";")
        datasets.prewarm(session, method.index(data))
        delete, vacuum = delete_and_vacuum(session, table)
        bench.result(line).add(method.label, delete + vacuum)
        bench.result(line).count(method.label, delete_seconds=delete, vacuum_seconds=vacuum)
        if number == bench.repeat - 1:
            assert_left(bench, data, method, line, left)
        session.run(f"DROP INDEX {method.index(data)};")
        session.run(f"INSERT INTO {table} SELECT * FROM {gone}; VACUUM {table};")


# --- COPY ---------------------------------------------------------------------------------

class CopiedTable(datasets.Dataset):
    """An empty one of the same columns."""

    @property
    def table(self):
        return f"bench_copied_{self.name}"


def copy_group(bench, data, lines):
    """COPY into a new table with one index, then DELETE and VACUUM of it."""
    session, line = bench.session, lines[0]
    target = CopiedTable(data.name, data.label, data.key, data.key_type)
    rows, table = bench.scale.copied, target.table
    file = session.value("SHOW data_directory") + "/" + COPIED_FILE
    session.run(f"SELECT setseed(0.43) \\g /dev/null\n{datasets.create_table_sql(data, table)};"
                f"{datasets.insert_sql(data, table, rows)}; COPY {table} TO '{file}';")
    left = session.value(f"SELECT count(*) FROM {table} WHERE NOT ({A_TENTH})")
    result = bench.result(line)
    for number, method in bench.rounds(line):
        bench.say(f"  {line.name}, round {number + 1}, {method.label}")
        session.run(f"DROP TABLE {table}; {datasets.create_table_sql(data, table)};")
        session.run(create_index_sql(target, method) + "; CHECKPOINT;")
        start = wal_position(session)
        seconds, _ = session.timed(f"COPY {table} FROM '{file}'")
        result.add(method.label, seconds)
        result.count(method.label, wal_bytes_per_row=wal_bytes_since(session, start) / rows,
                     index_bytes=index_bytes(session, method.index(target)))
        assert_index(session, target, method)
        if number == bench.repeat - 1:
            check_structure(session, target, method)
        delete, vacuum = delete_and_vacuum(session, table)
        result.count(method.label, vacuum_seconds=delete + vacuum)
        if number == bench.repeat - 1:
            assert_left(bench, target, method, line, left)
    session.run(f"DROP TABLE {table};")
