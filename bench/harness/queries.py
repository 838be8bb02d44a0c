"""Lines that only read: one index of each method on the same heap."""

import re
import statistics

from . import datasets
from .datasets import prewarm, prewarm_table
from .measure import (Expected, asserted_run, check_structure, create_indexes, drop_indexes,
                      index_bytes)
from .server import BenchError

PLANNINGS = 40  # in one sample of a planning time
QUERIES = 20  # in each of them


def only_this_index(bench, data, method):
    """Opens a transaction in which the other methods' indexes do not exist. Rolling it back
    brings them back without touching a page of theirs or of the heap, so all methods see one
    heap, in one state, in the same buffers."""
    others = [m.index(data) for m in bench.indexed if m is not method]
    bench.session.run("BEGIN" + (f"; DROP INDEX {', '.join(others)}" if others else "") + ";")


def steer(bench, line, method):
    """Settings of this transaction that leave only the node that the line is about."""
    if line.node_of(method.access_method) == "Bitmap Index Scan":
        bench.session.run("SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off;")
    if not line.loops:  # a single scan of the table, and not of a table of keys
        bench.session.run("SET LOCAL enable_seqscan = off;")


def leave(bench):
    bench.session.run("ROLLBACK;")


def query_text(bench, data, line, answers, share=1):
    """The query over all probe keys, lists or starts, or over one in {share} of them."""
    places = {"t": data.table, "low": answers.low, "high": answers.high}
    for name, suffix, count in (("probes", "probe", bench.scale.probes),
                                ("lists", "list", bench.scale.lists),
                                ("starts", "start", bench.scale.starts)):
        table = f"{data.table}_{suffix}"
        places[name] = (table if share == 1
                        else f"(SELECT * FROM {table} LIMIT {max(1, count // share)})")
    return line.query.format(**places)


def query_line(bench, data, line, answers, in_memory=True):
    """REQUIRES: all methods' indexes exist."""
    methods = bench.methods_of([line])
    if in_memory:
        # Free when the pages are there; needed when an error of the line before ended the server.
        prewarm_table(bench.session, data)
        prewarm(bench.session, *(m.index(data) for m in methods))
    sql = query_text(bench, data, line, answers)
    # Enough to fill the backend's caches (catalogue entries, model) in this transaction.
    warm = query_text(bench, data, line, answers, share=20)
    loops = getattr(bench.scale, line.loops) if line.loops else 1
    right = getattr(answers, line.answer)
    result = bench.result(line)
    for method in methods:
        node = line.node_of(method.access_method)
        only_this_index(bench, data, method)
        steer(bench, line, method)
        expected = Expected(line.name, node, method.index(data), loops, in_memory)
        facts = asserted_run(bench.session, data.table, sql, expected)
        leave(bench)
        result.note(method.label, **facts)
    for _, method in bench.rounds(line):
        only_this_index(bench, data, method)
        steer(bench, line, method)
        bench.session.run(warm + ";")
        for _ in range(line.samples):
            seconds, answer = bench.session.timed(sql)
            if answer != [right]:
                raise BenchError(f"{line.name}: {method.label} answers {answer},"
                                 f" a sequential scan {right}")
            result.add(method.label, seconds)
        leave(bench)


def plan_line(bench, data, line, answers):
    """Planning times as the server reports them, of queries for one key. It reports whole microseconds, of which one
    query takes a dozen; so each planning is that of a statement with many such queries, planned one by one."""
    query = f"(SELECT v FROM {data.table} WHERE k = '{answers.low}')"
    explain = f"EXPLAIN (SUMMARY) SELECT {', '.join([query] * QUERIES)};" * PLANNINGS
    for _, method in bench.rounds(line, times=line.samples):
        only_this_index(bench, data, method)
        bench.session.run(explain)  # warms the catalogue caches after the DROP
        text = "\n".join(bench.session.run(explain))
        leave(bench)
        if text.count(f"{line.node} using {method.index(data)}") != QUERIES * PLANNINGS:
            raise BenchError(f"{line.name}, {method.label}: another plan:\n{text[:1000]}")
        times = [float(ms) / 1000 for ms in re.findall(r"Planning Time: ([0-9.]+) ms", text)]
        # Of the middle half, because the slowest were interrupted.
        times = sorted(times)[PLANNINGS // 4:PLANNINGS * 3 // 4]
        bench.result(line).add(method.label, statistics.fmean(times) / QUERIES)


def statement_line(bench, data, line, answers):
    """A statement for each key, as applications look up: what it costs to begin and to end a scan counts, too. PL/pgSQL
    keeps the plan and is nearer to the executor than a connection, whose messages would take most of the time."""
    session, query = bench.session, line.query.format(t=data.table)
    body = query.replace(" FROM ", " INTO found FROM ").replace("$1", "probe")
    plain = f"""SET LOCAL plan_cache_mode = force_generic_plan;
        CREATE FUNCTION pg_temp.look_up() RETURNS numeric LANGUAGE plpgsql AS $$
          DECLARE probe bigint; found bigint; total numeric := 0;
          BEGIN
            FOR probe IN SELECT k FROM {data.table}_probe LOOP
              {body};
              total := total + coalesce(found, 0);
            END LOOP;
            RETURN total;
          END $$;"""
    for _, method in bench.rounds(line):
        index = method.index(data)
        only_this_index(bench, data, method)
        session.run(f"{plain} PREPARE one(bigint) AS {query};")
        text = "\n".join(session.run(f"EXPLAIN EXECUTE one('{answers.low}')"))
        if f"{line.node} using {index}" not in text:
            raise BenchError(f"{line.name}, {method.label}: another plan:\n{text}")
        scans = f"SELECT pg_stat_get_xact_numscans('{index}'::regclass)"
        for sample in range(line.samples + 1):  # the first one fills the session's caches
            before = int(session.value(scans))
            seconds, answer = session.timed("SELECT pg_temp.look_up()")
            if answer != [getattr(answers, line.answer)]:
                raise BenchError(f"{line.name}: {method.label} answers {answer},"
                                 f" a sequential scan {getattr(answers, line.answer)}")
            found = int(session.value(scans)) - before
            if found != bench.scale.probes:
                raise BenchError(f"{line.name}: {index} was scanned {found} times instead of {bench.scale.probes}")
            if sample > 0:
                bench.result(line).add(method.label, seconds)
        session.run("DEALLOCATE one;")
        leave(bench)


def memory_line(bench, data, line, answers):
    """The copies of upper levels that a new backend has made after probes all over the key space."""
    for method in bench.methods_of([line]):
        if method.access_method != "learned":
            continue
        bench.reconnect()
        only_this_index(bench, data, method)
        # Probe lines of this index alone: other indexes would have copies of their own.
        bench.session.run(f"SELECT count(*) FROM {data.table}_probe p JOIN {data.table} t"
                          " ON t.k = p.k \\g /dev/null")
        size, copies = bench.session.value(
            "SELECT coalesce(sum(total_bytes), 0), count(*) FROM pg_backend_memory_contexts"
            " WHERE name = 'learned index directory'").split("|")
        leave(bench)
        if copies == "0":
            raise BenchError(f"{line.name}: the backend has no copy at all")
        bench.result(line).add(method.label, int(size))
        bench.result(line).note(method.label, copies=int(copies))


def small_group(bench, data, lines, answers):
    """With shared_buffers so small that the index does not fit. What is missing comes from the
    kernel's page cache. REQUIRES: all methods' indexes exist."""
    bench.session.run("CHECKPOINT;")
    bench.session.close()
    bench.server.restart(f"{bench.scale.small_buffers_mb}MB")
    bench.connect()
    try:
        for line in lines:
            bench.say(f"  {line.name}, shared_buffers {bench.scale.small_buffers_mb} MB")
            bench.guard([line], lambda line=line: query_line(
                bench, data, line, answers, in_memory=False))
    finally:
        bench.session.close()
        bench.server.restart(None)
        bench.connect()
        prewarm_table(bench.session, data)


def sizes(bench, data, lines):
    for line in lines:
        for method in bench.methods_of([line]):
            bench.result(line).add(method.label, index_bytes(bench.session, method.index(data)))


ONE_LINE = {"query": query_line, "statement": statement_line, "plan": plan_line, "memory": memory_line}


def query_group(bench, data, lines, answers):
    """Size lines and all that only reads. REQUIRES: no index exists."""
    create_indexes(bench, data, bench.methods_of(lines))
    sizes(bench, data, [line for line in lines if line.kind == "size"])
    bench.session.run("CHECKPOINT;")
    for line in lines:
        if line.kind in ONE_LINE:
            bench.say(f"  {line.name}")
            bench.guard([line], lambda line=line: ONE_LINE[line.kind](bench, data, line, answers))
    small = [line for line in lines if line.kind == "small"]
    if small:
        bench.guard(small, lambda: small_group(bench, data, small, answers))
    drop_indexes(bench, data)


def lived_group(bench, data, lines):
    """Indexes that exist while their table ages. REQUIRES: no index exists."""
    create_indexes(bench, data, bench.methods)
    datasets.age(bench.session, data)
    sizes(bench, data, lines)
    for method in bench.methods:
        check_structure(bench.session, data, method)
    drop_indexes(bench, data)
