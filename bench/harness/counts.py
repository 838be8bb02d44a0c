"""Lines that count: LearnedAggregate or LearnedOffset against the best of the server's own plans, from the first query of a session on.

Each measurement is a connection of its own. What the planner may use is decided before it: a committed mark hides the other method's
index, the settings come with the connection. So nothing but the query itself fills the session's caches, and it can be timed.
"""

import json
import statistics

from . import datasets
from .datasets import key_sql, prewarm, prewarm_table
from .measure import check_structure, create_indexes, drop_indexes, index_nodes
from .server import BenchError, Session, clean_environment

COUNTING = ("LearnedAggregate", "LearnedOffset")

# As a server has them that nobody has configured; the throw-away server allows no workers.
DEFAULTS = {"max_parallel_workers": 8, "max_parallel_workers_per_gather": 2}
SERIAL = {"max_parallel_workers": 0, "max_parallel_workers_per_gather": 0}
ONLY_INDEX = {"enable_seqscan": "off", "enable_bitmapscan": "off"}
NO_INDEX = {"enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_bitmapscan": "off"}

# Ways to make the server plan without us. What comes out twice is measured once.
INDEX_ONLY = {"index-only": {**SERIAL, **ONLY_INDEX}}
BEST = {**INDEX_ONLY,
        "as planned": DEFAULTS,
        "index-only, workers": {**DEFAULTS, **ONLY_INDEX},
        "sequential, workers": {**DEFAULTS, **NO_INDEX}}
RIVALS = {"index-only": INDEX_ONLY, "best": BEST}
ENOUGH = 1.0  # seconds of repetitions in one session
HOPELESS = 1.3  # a plan that takes so many times as long as the best in a trial is not measured further

SMALL_WIDTHS = (1, 10, 100, 1_000, 10_000)  # rows of a small count
LATERAL_WIDTH = 1_000
MOST_PLACES = 2_000  # small counts of a line
EACH_HUNDREDTH = 100  # block


# --- what is counted ----------------------------------------------------------------------

def small_places(rows):
    """How many counts of so many rows a line makes."""
    return min(MOST_PLACES, max(200, 1_000_000 // rows))


def lateral_places(scale):
    return max(200, scale.rows // 1000)


def key_width(data, scale, rows):
    """By how much keys differ that are so many rows apart."""
    return rows * (1 if data.name == "serial" else (1 << 62) // scale.rows)


def widths(data, scale):
    return {rows: key_width(data, scale, rows) for rows in {*SMALL_WIDTHS, LATERAL_WIDTH}}


def starts(data):
    return f"{data.table}_count_start"


def ranks(data):
    return f"{data.table}_count_rank"


def function(data, kind):
    return f"{data.table}_count_{kind}"


def load_starts(bench, data):
    """Places to count from, in random order, and how many keys are below each border of their ranges. The latter by one sequential
    scan. REQUIRES: no index is used."""
    session, scale = bench.session, bench.scale
    session.run("SET enable_hashjoin = on")
    places = max(MOST_PLACES, lateral_places(scale))
    share = min(100.0, 100.0 * (1.5 * places + 1_000) / scale.rows)
    listed = ", ".join(f"{width}::bigint" for width in widths(data, scale).values())
    session.run(f"""
        CREATE TABLE {starts(data)} AS SELECT k, row_number() OVER () AS n FROM (SELECT k FROM {data.table}
          TABLESAMPLE BERNOULLI ({share}) REPEATABLE (2) ORDER BY random() LIMIT {places}) s;
        CREATE TABLE {ranks(data)} AS
          WITH borders AS (SELECT b, row_number() OVER (ORDER BY b) AS j FROM
                 (SELECT DISTINCT k + w AS b FROM {starts(data)}, unnest(ARRAY[0::bigint, {listed}]) w) d),
               counts AS (SELECT width_bucket(k, (SELECT array_agg(b ORDER BY b) FROM borders)) AS j, count(*) AS c
                 FROM {data.table} GROUP BY 1)
          SELECT b, sum(coalesce(c, 0)) OVER (ORDER BY borders.j) AS below
            FROM borders LEFT JOIN counts ON counts.j = borders.j - 1;
        VACUUM (FREEZE, ANALYZE) {starts(data)};
        CREATE FUNCTION {function(data, 'literals')}(width bigint, places bigint) RETURNS bigint LANGUAGE plpgsql AS $$
          DECLARE x bigint; found bigint; total bigint := 0;
          BEGIN
            FOR x IN SELECT k FROM {starts(data)} WHERE n <= places LOOP
              EXECUTE format('SELECT count(*) FROM {data.table} WHERE k >= %s AND k < %s', x, x + width) INTO found;
              total := total + found;
            END LOOP;
            RETURN total;
          END $$;
        CREATE FUNCTION {function(data, 'prepared')}(width bigint, places bigint) RETURNS bigint LANGUAGE plpgsql
          SET plan_cache_mode = force_generic_plan AS $$
          DECLARE x bigint; found bigint; total bigint := 0;
          BEGIN
            FOR x IN SELECT k FROM {starts(data)} WHERE n <= places LOOP
              SELECT count(*) INTO found FROM {data.table} WHERE k >= x AND k < x + width;
              total := total + found;
            END LOOP;
            RETURN total;
          END $$;""")
    session.run("SET enable_hashjoin = off")
    if int(session.value(f"SELECT count(*) FROM {starts(data)}")) < places:
        raise BenchError("the sample of places to count from came out too small")


def drop_starts(bench, data):
    session = bench.session
    session.run("SET client_min_messages = error;")
    session.run(f"DROP TABLE IF EXISTS {starts(data)}, {ranks(data)};")
    for kind in ("literals", "prepared"):
        session.run(f"DROP FUNCTION IF EXISTS {function(data, kind)}(bigint, bigint);")
    session.run("RESET client_min_messages;")


def texts(bench, data, line):
    """(the query, what it must say, what comes before its plan is shown, what is explained)."""
    scale, table = bench.scale, data.table
    if not line.counted:
        query = line.query.format(t=table, half=scale.rows // 2)
        return query, bench.session.run(query), "", query
    width = key_width(data, scale, line.counted)
    lateral = line.query == "lateral"
    places = lateral_places(scale) if lateral else small_places(line.counted)
    bench.session.run("SET enable_hashjoin = on")
    right = bench.session.run(
        f"SELECT sum(upper.below - lower.below) FROM {starts(data)} s JOIN {ranks(data)} lower ON lower.b = s.k"
        f" JOIN {ranks(data)} upper ON upper.b = s.k + {width} WHERE n <= {places}")
    bench.session.run("SET enable_hashjoin = off")
    if lateral:
        query = (f"SELECT sum(x.c) FROM {starts(data)} s, LATERAL (SELECT count(*) AS c FROM {table} t"
                 f" WHERE t.k >= s.k AND t.k < s.k + {width}) x WHERE n <= {places}")
        return query, right, "", query
    query = f"SELECT {function(data, line.query)}({width}, {places})"
    if line.query == "prepared":
        return (query, right, "SET plan_cache_mode = force_generic_plan; PREPARE one(bigint, bigint) AS"
                f" SELECT count(*) FROM {table} WHERE k >= $1 AND k < $1 + $2", f"EXECUTE one(1, {width})")
    first = int(bench.session.value(f"SELECT k FROM {starts(data)} WHERE n = 1"))
    return query, right, "", f"SELECT count(*) FROM {table} WHERE k >= {first} AND k < {first + width}"


# --- the table's state ----------------------------------------------------------------------

def append(bench, data):
    """One row in a hundred more, in blocks of their own at the end."""
    rows = bench.scale.rows
    return (f"INSERT INTO {data.table} SELECT {key_sql(data, rows)}, {data.value}"
            f" FROM (SELECT generate_series({rows + 1}, {rows + rows // 100}::bigint) AS i) s")


def update_spread(bench, data):
    """A row in each hundredth block."""
    blocks = int(bench.session.value(f"SELECT pg_relation_size('{data.table}') / current_setting('block_size')::bigint"))
    return (f"UPDATE {data.table} SET v = v WHERE ctid = ANY (ARRAY(SELECT format('(%s,1)', b)::tid"
            f" FROM generate_series(0, {blocks - 1}, {EACH_HUNDREDTH}) b))")


def update_scattered(bench, data):
    return f"UPDATE {data.table} SET v = v WHERE random() < 0.01"


# In this order; a state begins where VACUUM has closed what the one before had opened.
STATES = {"visible": None, "last": append, "spread": update_spread, "scattered": update_scattered}


def enter(bench, data, state):
    change = STATES[state]
    if change:
        show_only(bench, data)
        bench.session.run(f"VACUUM {data.table};")
        bench.session.run("SELECT setseed(0.42) \\g /dev/null")
        bench.session.run(change(bench, data) + ";")
    # The planner knows how many blocks are open from the last VACUUM or ANALYZE.
    bench.session.run(f"ANALYZE {data.table};")
    bench.session.run("CHECKPOINT;")
    prewarm_table(bench.session, data)
    prewarm(bench.session, *(method.index(data) for method in bench.indexed))


def open_share(bench, data):
    return float(bench.session.value(
        f"SELECT 1 - relallvisible::float8 / greatest(relpages, 1) FROM pg_class WHERE oid = '{data.table}'::regclass"))


def show_only(bench, data, *methods):
    """Committed: new sessions' planners know these methods' indexes alone. All are kept up to date."""
    names = ", ".join(f"'{method.index(data)}'" for method in methods)
    bench.session.run(
        f"UPDATE pg_index SET indisvalid = (c.relname = ANY (ARRAY[{names}]::text[])) FROM pg_class c"
        f" WHERE c.oid = indexrelid AND indrelid = '{data.table}'::regclass;")


# --- measuring ------------------------------------------------------------------------------

def connect(bench, settings):
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return Session(bench.server.psql, environment=dict(clean_environment(), PGOPTIONS=options))


def nodes_of(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)


def shown_plan(bench, settings, before, explained, options=""):
    """(the top node, a short text of the shape)."""
    session = connect(bench, settings)
    try:
        if before:
            session.run(before)
        text = "\n".join(session.run(f"EXPLAIN (COSTS OFF, FORMAT JSON{options}) {explained}"))
    finally:
        session.close()
    plan = json.loads(text)[0]["Plan"]
    # A LearnedAggregate has the plan below it that it would fall back to, which is no more than shown; a LearnedOffset, what gives the rows.
    shape = " / ".join(("Parallel " if node.get("Parallel Aware") else "")
                       + (node.get("Custom Plan Provider") or node["Node Type"]) for node in nodes_of(plan))
    return plan, shape


def rival_plans(bench, data, method, line, before, explained):
    """name -> settings of plans without us that differ."""
    found, shapes = {}, {}
    for name, settings in RIVALS[line.rival].items():
        settings = {**settings, "learned_index.enable_aggregates": "off"}
        plan, shape = shown_plan(bench, settings, before, explained)
        if any(node in shape for node in COUNTING):
            raise BenchError(f"{line.name}: counted though that is off: {shape}")
        if name == "index-only":
            nodes = index_nodes(plan)
            if [node["Node Type"] for node in nodes] != ["Index Only Scan"] or nodes[0]["Index Name"] != method.index(data):
                raise BenchError(f"{line.name}: no index-only scan of {method.index(data)}: {shape}")
        if shape not in shapes.values():
            found[name], shapes[name] = settings, shape
    return found, shapes


def aggregate_plan(bench, line, before, explained):
    """Settings of a plan with us, asserted; facts about it."""
    plan, shape = shown_plan(bench, DEFAULTS, before, explained, ", ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF")
    ours = [node for node in nodes_of(plan) if node.get("Custom Plan Provider") in COUNTING]
    if line.must_aggregate and len(ours) != 1:
        raise BenchError(f"{line.name}: {len(ours)} nodes that count in the plan: {shape}")
    if plan["Shared Read Blocks"] != 0:
        raise BenchError(f"{line.name}: {plan['Shared Read Blocks']} pages were not in shared buffers")
    facts = {"plan": ours[0]["Custom Plan Provider"] if ours else shape}
    for name in ("Leaf Pages", "Segments Counted", "Entries Decoded", "Heap Fetches"):
        if ours and name in ours[0]:
            facts[name.lower()] = ours[0][name]
    return {"ours": DEFAULTS}, facts


def timed(bench, line, settings, sql, right, warm):
    """(first time in a new session, later times in it: one, then more while they are short)."""
    session = connect(bench, settings)
    try:
        times = []
        while len(times) < 1 + warm and (len(times) < 2 or sum(times) < ENOUGH):
            seconds, answer = session.timed(sql)
            if answer != right:
                raise BenchError(f"{line.name}: the answer is {answer[:3]}, that of a sequential scan {right[:3]}")
            times.append(seconds)
    finally:
        session.close()
    return times[0], times[1:]


def trial(bench, line, plans, sql, right):
    """name -> seconds of plans that are not far slower than one before: a sequential scan for each of many counts takes hours."""
    tried = {}
    for name, settings in plans.items():
        longest = 1 + 2 * min(tried.values()) if tried else 0  # 0: as long as it takes
        try:
            tried[name] = timed(bench, line, {**settings, "statement_timeout": f"{int(1000 * longest)}"}, sql, right, 0)[0]
        except BenchError as error:
            if "statement timeout" not in str(error):
                raise
    return tried


def measure_method(bench, data, method, sample, target):
    """One round of one method: each of its plans that has a chance."""
    show_only(bench, data, method)
    for name, settings in target.items():
        first, later = sample(settings)
        yield name, first, later


def count_line(bench, data, line):
    """REQUIRES: both methods' indexes exist and the table is in the state that the line is about."""
    methods = bench.methods_of([line])
    result = bench.result(line)
    show_only(bench, data)
    sql, right, before, explained = texts(bench, data, line)
    plans, shapes, times = {}, {}, {}
    for method in methods:
        show_only(bench, data, method)
        if method.access_method == "learned":
            plans[method.label], facts = aggregate_plan(bench, line, before, explained)
            result.note(method.label, **facts)
            continue
        plans[method.label], shapes[method.label] = rival_plans(bench, data, method, line, before, explained)
        if len(plans[method.label]) > 1:  # a trial
            tried = trial(bench, line, plans[method.label], sql, right)
            limit = HOPELESS * min(tried.values())
            result.note(method.label, tried=tried)
            plans[method.label] = {name: settings for name, settings in plans[method.label].items()
                                   if tried.get(name, limit + 1) <= limit}
    for _, method in bench.rounds(line):
        for name, first, later in measure_method(bench, data, method, lambda s: timed(bench, line, s, sql, right, line.warm),
                                                 plans[method.label]):
            times.setdefault(method.label, {}).setdefault(name, []).append((first, later))
    for method in methods:
        found = times[method.label]
        best = min(found, key=lambda name: statistics.median(first for first, _ in found[name]))
        for first, later in found[best]:
            for seconds in later if line.repeated else [first]:
                result.add(method.label, seconds)
            for seconds in later:
                result.count(method.label, warm_seconds=seconds)
        if method.label in shapes:
            result.note(method.label, plan=f"{best}: {shapes[method.label][best]}")
        result.note(method.label, open=open_share(bench, data))


def count_group(bench, data, lines):
    """Takes the table from state to state. REQUIRES: freshly loaded, no index exists. Ends with it in the last state."""
    if any(line.counted for line in lines):
        load_starts(bench, data)
    create_indexes(bench, data, bench.methods_of(lines))
    for state in STATES:
        wanted = [line for line in lines if line.state == state]
        if not wanted:
            continue
        enter(bench, data, state)
        for line in wanted:
            bench.say(f"  {line.name}")
            bench.guard([line], lambda line=line: count_line(bench, data, line))
    show_only(bench, data, *bench.indexed)
    for method in bench.indexed:
        check_structure(bench.session, data, method)
    drop_indexes(bench, data)


def run_counts(bench, data, lines):
    """Loads the table, measures, drops it."""
    bench.say(f"{data.name}: loading {bench.scale.rows} rows to count them")
    if bench.guard(lines, lambda: datasets.load(bench.session, data, bench.scale)):
        bench.guard(lines, lambda: count_group(bench, data, lines))
    bench.guard(lines, lambda: (drop_starts(bench, data), datasets.drop(bench.session, data)))
