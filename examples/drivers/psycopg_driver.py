"""psycopg 3: reads and writes the tables of tables.sql under both schemas, and compares.

It connects by libpq's variables (PGHOST, PGPORT, ...). Lines "ok - ..." and "not ok - ..."; ends with 1 if one is not ok.
"""
import hashlib
import sys
import threading
import time

import psycopg
from psycopg import errors

FAILED = []


def check(condition, text, shown=None):
    print(("ok - " if condition else "not ok - ") + text, flush=True)
    if not condition:
        FAILED.append(text)
        for line in str(shown).splitlines():
            print("#     " + line)


def same(learned, btree, text):
    check(learned == btree and learned, text, f"learned: {str(learned)[:500]}\nbtree:   {str(btree)[:500]}")


def connect(schema, **arguments):
    return psycopg.connect(options=f"-c search_path={schema},public", **arguments)


# ---- what is done under either schema; each gives what it has seen -----------------------------------

COUNT = "SELECT count(*), max(id) FROM readings WHERE id BETWEEN %s AND %s"
GROUPS = "SELECT device, count(*), max(at) FROM readings WHERE device < %s GROUP BY device ORDER BY device"
ROW = "SELECT id, device, at, level FROM readings WHERE id = %s"


def prepared(connection, query, arguments):
    """Runs it for each of the arguments; what it gave, and how the server sees the statement in the end."""
    connection.prepare_threshold = 0  # from the first time on, rather than from the sixth
    rows = [connection.execute(query, values).fetchall() for values in arguments]
    name, generic, types = connection.execute(
        "SELECT name, generic_plans, parameter_types::text FROM pg_prepared_statements WHERE statement = %s ORDER BY generic_plans DESC LIMIT 1",
        (query.replace("%s", "${}").format(*range(1, 10)),), prepare=False).fetchone()
    plan = connection.execute(f'EXPLAIN (COSTS OFF) EXECUTE "{name}"({", ".join(map(str, arguments[0]))})', prepare=False)
    return rows, generic, types, "\n".join(line for line, in plan)


def copy_out(connection, query):
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
        return b"".join(bytes(block) for block in copy)


def copy_in(connection, data):
    connection.execute("CREATE TABLE copied_psycopg (LIKE readings INCLUDING INDEXES)")
    with connection.cursor().copy("COPY copied_psycopg FROM STDIN (FORMAT binary)") as copy:
        for begin in range(0, len(data), 50000):
            copy.write(data[begin:begin + 50000])
    # The same, made here from values.
    with connection.cursor().copy("COPY copied_psycopg FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8", "int4", "timestamptz", "int4"])
        for row in connection_rows(connection):
            copy.write_row(row)
    return connection.execute("SELECT count(*), count(level), min(id), max(id), sum(device) FROM copied_psycopg WHERE id >= 0").fetchone()


def connection_rows(connection):
    with connect("learned") as other:
        return other.execute("SELECT id + 1, device, at, level FROM readings WHERE id < 3000 ORDER BY id").fetchall()


def cursors(connection):
    seen = []
    with connection.transaction():
        with connection.cursor("forth_and_back", scrollable=True) as cursor:
            cursor.execute("SELECT id, level FROM readings WHERE id > %s ORDER BY id", (150000,))
            seen += cursor.fetchmany(100)
            cursor.scroll(1000)
            seen += cursor.fetchmany(5)
            cursor.scroll(-800)
            seen += cursor.fetchmany(5)
            cursor.scroll(0, mode="absolute")
            seen += [cursor.fetchone()]
    with connection.transaction():
        held = connection.cursor("held", withhold=True)
        held.execute("SELECT id, level FROM readings WHERE device = %s ORDER BY at DESC", (7,))
        seen += held.fetchmany(10)
    held.itersize = 64
    seen += list(held)
    held.close()
    return seen


def pipeline(connection):
    seen = []
    with connection.pipeline() as pipe:
        connection.execute("CREATE TEMP TABLE few (LIKE readings INCLUDING INDEXES)")
        results = [connection.execute(COUNT, (low, low + 3000)) for low in range(0, 300000, 3000)]
        writer = connection.cursor()
        writer.executemany("INSERT INTO few SELECT * FROM readings WHERE id = %s", [(3 * i,) for i in range(1, 201)])
        results.append(connection.execute("SELECT count(*), sum(id) FROM few WHERE id <= 450"))
        pipe.sync()
        seen += [result.fetchall() for result in results]
    # An error ends what was sent up to the next synchronization, and no more.
    with connection.pipeline() as pipe:
        try:
            connection.execute("INSERT INTO few SELECT * FROM readings WHERE id = 3")
            connection.execute("SELECT count(*) / (count(*) - count(*)) FROM readings WHERE id <= 300")
            connection.execute("INSERT INTO few SELECT * FROM readings WHERE id = 6")
            pipe.sync()
        except psycopg.Error as error:
            seen.append(error.sqlstate)
        connection.rollback() if connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR else None
    return seen + connection.execute("SELECT count(*) FROM few WHERE id <= 6").fetchall()


LONG = """SELECT sum(n) FROM readings a, readings b,
    LATERAL (SELECT count(*) AS n FROM readings WHERE id BETWEEN a.id AND b.id) c"""

# (Between two messages of one statement a cancel request meets nothing to cancel.)
RUNS = "SELECT state = 'active' AND clock_timestamp() - query_start > interval '0.5 s' FROM pg_stat_activity WHERE pid = %s"


def cancelled(connection, monitor):
    asked = []

    def cancel():
        while monitor.execute(RUNS, (connection.info.backend_pid,)).fetchone() != (True,):
            time.sleep(0.05)
        asked.append(time.monotonic())
        connection.cancel()

    connection.execute("SET statement_timeout = '20 s'")
    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        connection.execute(LONG)
        return "it ended by itself", 0
    except errors.QueryCanceled as error:
        return error.sqlstate, time.monotonic() - asked[0]
    finally:
        thread.join()
        connection.execute("SET statement_timeout = 0")


def refused(connection, expected, query, *arguments):
    """The SQLSTATE and constraint of the error, which is of the class given."""
    try:
        connection.execute(query, *arguments)
    except expected as error:
        return error.sqlstate, (error.diag.constraint_name or "").replace("learned", "x").replace("btree", "x")
    return None


def error_states(connection):
    connection.execute("SET statement_timeout = 200")
    seen = [refused(connection, errors.QueryCanceled, LONG)]
    connection.execute("SET statement_timeout = 0")
    connection.execute("INSERT INTO seats VALUES (1), (2)")
    seen.append(refused(connection, errors.ExclusionViolation, "INSERT INTO seats VALUES (%s)", (2,)))
    connection.execute("INSERT INTO seats VALUES (%s), (%s) ON CONFLICT DO NOTHING", (2, 3))
    return seen + connection.execute("SELECT id FROM seats ORDER BY id").fetchall()


# ---- both, side by side ------------------------------------------------------------------------------

def main():
    print(f"# psycopg {psycopg.__version__}, libpq {psycopg.pq.version()}")
    with connect("learned", autocommit=True) as learned, connect("btree", autocommit=True) as btree:
        ranges = [(100000 + i, 200000 + 7 * i) for i in range(12)]
        for text, query, arguments, node, condition in (
                ("counts", COUNT, ranges, "Custom Scan (LearnedAggregate)", "id >= $1"),
                ("counts by groups", GROUPS, [(80 + i,) for i in range(12)], "Custom Scan (LearnedAggregate)", "device < $1"),
                ("rows by key", ROW, [(90000 + 3 * i,) for i in range(12)], "Index Scan using readings_id_idx", "id = $1")):
            rows, generic, types, plan = prepared(learned, query, arguments)
            same(rows, prepared(btree, query, arguments)[0], f"prepared statement, {text}: as with btree")
            check(generic > 0 and node in plan and condition in plan,
                  f"prepared statement, {text}: a generic plan by the learned index", f"{generic} generic plans ({types})\n{plan}")

        query = "SELECT * FROM readings WHERE id BETWEEN 30000 AND 90000 ORDER BY id"
        data = copy_out(learned, query)
        same(hashlib.sha256(data).hexdigest(), hashlib.sha256(copy_out(btree, query)).hexdigest(), "COPY binary out: the bytes of btree")
        same(copy_in(learned, data), copy_in(btree, data), "COPY binary in, of bytes and of values: as with btree")
        same(cursors(learned), cursors(btree), "cursors, scrolled and held over a commit: as with btree")
        same(pipeline(learned), pipeline(btree), "pipeline mode, an error within it: as with btree")
        with connect("public", autocommit=True) as monitor:
            state, seconds = cancelled(learned, monitor)
        check(state == "57014" and seconds < 1, f"cancel() ends a count within a second ({1000 * seconds:.0f} ms)", f"{state} {seconds}")
        check(learned.execute("SELECT count(*) FROM readings WHERE id > 0").fetchone() == (100000,), "and the connection goes on")
        same(error_states(learned), error_states(btree), "errors: QueryCanceled 57014, ExclusionViolation 23P01, as with btree")
    return 1 if FAILED else 0


sys.exit(main())
