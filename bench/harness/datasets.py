"""The tables: (k, v int4) with 44 bytes of heap a row, or (k, l, v int4) where the key has two columns; unless
they say otherwise."""

from dataclasses import dataclass

# v of the base rows is 0..999; rows added by an insert line carry this, so that they
# can be removed again.
INSERTED = -1

AGEING_ROUNDS = 3


@dataclass(frozen=True)
class Dataset:
    name: str
    label: str
    key: str  # SQL for the key of row i of n, in heap order
    key_type: str = "bigint"
    second: str = ""  # SQL for a second key column, l
    second_type: str = ""
    value: str = "i % 1000"  # SQL for v
    included: bool = False  # v is an included column of the indexes
    new_key: str = ""  # SQL for the key of the i-th inserted row
    next_key: str = ""  # SQL for another key like it, made from k
    key_at: str = ""  # SQL for the key below which a share {f} of the rows lies
    padding: str = ""  # SQL for a third column
    shuffled: bool = False  # rows are laid down in random order of i
    aged: bool = False

    @property
    def table(self):
        return f"bench_{self.name}"

    @property
    def key_columns(self):
        return "k, l" if self.second else "k"

    @property
    def index_columns(self):
        return f"({self.key_columns})" + (" INCLUDE (v)" if self.included else "")


RANDOM_62_BIT = ("(floor(random() * 2147483648)::bigint * 2147483648"
                 " + floor(random() * 2147483648)::bigint)")
# Standard normal, by Box and Muller; 1 - random() is never 0.
NORMAL = "(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))"


def instant(microseconds):
    return f"timestamptz '2024-01-01 00:00:00+00' + ({microseconds}) * interval '1 microsecond'"


ANY_VARIANT = "substr('89ab', floor(random() * 4)::int + 1, 1)"


def uuid4(text):
    """122 bits of a hash, and those that version and variant prescribe."""
    return f"overlay(overlay(md5({text}) PLACING '4' FROM 13) PLACING {ANY_VARIANT} FROM 17)::uuid"


def uuid7(nanoseconds):
    """As uuidv7() of PostgreSQL 18: 48 bits of milliseconds, 12 bits for the part of a millisecond, 62 bits of a hash."""
    return (f"(lpad(to_hex(1704067200000 + {nanoseconds} / 1000000), 12, '0')"
            f" || '7' || lpad(to_hex({nanoseconds} % 1000000 * 4096 / 1000000), 3, '0')"
            f" || {ANY_VARIANT} || substr(md5(i::text), 1, 15))::uuid")


DATASETS = [
    # An append-only bigserial: heap order is key order, one key per row, no gaps.
    Dataset("serial", "serial bigint", "i", new_key="{n} + i", next_key="k + {inserts}",
            key_at="({n} * {f})::bigint + 1"),
    # The same with 0 to 63 more bytes a row, so that each heap page holds another number of rows.
    Dataset("widths", "serial bigint, rows of varying width", "i",
            padding="substr(repeat('x', 63), 1, floor(random() * 64)::int)"),
    # A reading every 10 ms with up to 9 ms of jitter, in microseconds; heap in key order.
    Dataset("timestamps", "timestamps, 10 ms steps, 9 ms jitter",
            instant("i * 10000 + floor(random() * 9000)"), key_type="timestamptz",
            key_at="timestamptz '2024-01-01 00:00:00+00' + ({n} * {f}) * interval '10 ms'"),
    # Eight writers take turns to insert, every 10 ms. What each inserts is late by a delay of its own
    # (0 to 70 ms) and 0 to 20 ms more: neighbours in time are up to nine rows apart.
    Dataset("writers", "timestamps of 8 writers, slightly out of order",
            instant("i * 10000 - (i * 5 % 8) * 10000 - floor(random() * 20000)"),
            key_type="timestamptz"),
    # Uniform 62-bit keys, heap in random order: the least structure there is.
    Dataset("random", "random 62-bit", RANDOM_62_BIT, new_key=RANDOM_62_BIT, next_key="k + 1",
            key_at="(4611686018427387904::numeric * {f})::bigint"),
    Dataset("lognormal", "lognormal (0, 2), random order", f"(exp(2 * {NORMAL}) * 1e9)::bigint"),
    # A thousand clusters, each far narrower than their distances; one key in a thousand is anywhere.
    Dataset("clusters", "1,000 clusters, 0.1 % far outliers, random order",
            f"CASE WHEN random() < 0.001 THEN {RANDOM_62_BIT} ELSE floor(random() * 1000)::bigint"
            f" * 4611686018427387 + ({NORMAL} * 1e9)::bigint END"),
    Dataset("distinct", "1,000 distinct values, random order", "floor(random() * 1000)::bigint"),
    # Rank r of a million values comes with a probability of about 1/r.
    Dataset("zipf", "Zipf duplicates of a million values, random order",
            "floor(power(1000000.0, random()))::bigint"),
    # Serial once; then a tenth of the rows, at random, is updated and the table vacuumed, thrice.
    Dataset("aged", "serial bigint, aged by updates and vacuums", "i", aged=True),
    # The gaps between neighbours double forty times, then begin anew: a line through many keys
    # misses nearly all of them, one through few costs its own bytes. In random order.
    Dataset("adversarial", "adversarial: gaps that double, random order",
            "((i / {period}) << {shift}) + (1::bigint << (i % {period})::int)", shuffled=True),
    # A thousand devices report by turns, one every 10 ms plus up to 9 ms, in microseconds; heap in the order of time.
    Dataset("devices", "(device, time), 1,000 devices by turns", "i % 1000", key_type="int4",
            second=instant("i * 10000 + floor(random() * 9000)"), second_type="timestamptz"),
    # Ids of one sequence, each of any of 100,000 tenants. In random order.
    Dataset("tenants", "(tenant, id), 100,000 tenants, random order", "floor(random() * 100000)::bigint",
            second="i", second_type="bigint", shuffled=True),
    Dataset("uuid4", "uuid v4", uuid4("i::text"), key_type="uuid", new_key=uuid4("({n} + i)::text"),
            next_key=uuid4("k::text")),
    # One every 10 ms plus up to 9 ms, in nanoseconds (of which 18 keeps 250 apart); heap in key order.
    Dataset("uuid7", "uuid v7", uuid7("(i * 10000000 + (hashint8extended(i, 7) & 9223372036854775807) % 9000000)"),
            key_type="uuid"),
    # What an index carries along: four bits of key behind a serial one, and one of a hundred values.
    Dataset("included", "(serial, small) with an included column", "i", key_type="int4",
            second="floor(random() * 16)", second_type="int4", value="floor(random() * 100)", included=True,
            key_at="({n} * {f})::bigint + 1"),
]


def by_name(name):
    return next(data for data in DATASETS if data.name == name)


@dataclass(frozen=True)
class Scale:
    """Row counts of one run, in proportion to the tables."""
    rows: int
    probes: int
    starts: int  # of ORDER BY .. LIMIT
    lists: int  # IN-lists of 1,000 keys
    inserts: int
    copied: int
    small_buffers_mb: int
    pgbench_scale: int
    transactions: int

    @staticmethod
    def of(rows):
        """A million probes and inserts at 20 million rows."""
        probes = min(1_000_000, max(10_000, rows // 20))
        return Scale(rows=rows, probes=probes, starts=probes // 100, lists=max(2, probes // 5000),
                     inserts=rows // 20, copied=rows // 4,
                     small_buffers_mb=max(2, 64 * rows // 20_000_000),
                     pgbench_scale=max(1, rows // 100_000),
                     transactions=min(20_000, max(2_000, rows // 1000)))


@dataclass
class Answers:
    """What queries must return, computed by sequential scans before an index exists."""
    low: str = ""
    high: str = ""
    heap_bytes: int = 0
    range_count: str = ""
    range_sum: str = ""
    probe_count: str = ""
    probe_sum: str = ""
    order_keys: str = ""
    order_sum: str = ""
    list_count: str = ""
    list_sum: str = ""
    page_ends: str = ""
    page_sum: str = ""
    hour_count: str = ""


def key_sql(data, n):
    # The largest group that leaves room for all groups below 2^62.
    shift = min(43, 62 - (n // 40).bit_length())
    return data.key.format(n=n, shift=shift, period=shift - 3)


def insert_sql(data, table, n):
    columns = ", ".join(sql for sql in (key_sql(data, n), data.second, data.value, data.padding) if sql)
    return (f"INSERT INTO {table} SELECT {columns}"
            f" FROM (SELECT generate_series(1, {n}::bigint) AS i) s"
            + (" ORDER BY random()" if data.shuffled else ""))


def create_table_sql(data, table):
    second = f", l {data.second_type} NOT NULL" if data.second else ""
    padding = ", pad text NOT NULL" if data.padding else ""
    return f"CREATE TABLE {table} (k {data.key_type} NOT NULL{second}, v int4 NOT NULL{padding})"


def load(session, data, scale):
    session.run(f"""
        {create_table_sql(data, data.table)};
        SELECT setseed(0.42) \\g /dev/null
        {insert_sql(data, data.table, scale.rows)};
        VACUUM (FREEZE, ANALYZE) {data.table};""")


def load_new(session, data, scale):
    """What the insert lines insert: two batches."""
    table = data.table
    first = data.new_key.format(n=scale.rows)
    second = data.next_key.format(inserts=scale.inserts)
    session.run(f"""
        CREATE TABLE {table}_new AS SELECT {first} AS k, {INSERTED} AS v
          FROM (SELECT generate_series(1, {scale.inserts}::bigint) AS i) s;
        CREATE TABLE {table}_new2 AS SELECT {second} AS k, v FROM {table}_new;
        VACUUM (FREEZE, ANALYZE) {table}_new;
        VACUUM (FREEZE, ANALYZE) {table}_new2;""")


def load_probes(session, data, scale):
    """Present keys in an order that has nothing to do with key or heap order; lists of them, and
    some to begin an ordered scan at."""
    table, probes = data.table, f"{data.table}_probe"
    share = min(100.0, 115.0 * scale.probes / scale.rows)
    session.run(f"""
        CREATE TABLE {probes} AS SELECT {data.key_columns} FROM {table}
          TABLESAMPLE BERNOULLI ({share}) REPEATABLE (1) ORDER BY random() LIMIT {scale.probes};
        CREATE TABLE {table}_start AS SELECT {data.key_columns} FROM {probes} LIMIT {scale.starts};
        CREATE TABLE {table}_list AS SELECT array_agg(k) AS keys
          FROM (SELECT k, (row_number() OVER () - 1) / 1000 AS g
                  FROM (SELECT k FROM {probes} LIMIT {scale.lists * 1000}) s) s GROUP BY g;
        VACUUM (FREEZE, ANALYZE) {probes};
        VACUUM (FREEZE, ANALYZE) {table}_start;
        VACUUM (FREEZE, ANALYZE) {table}_list;""")
    if session.value(f"SELECT count(*) FROM {probes}") != str(scale.probes):
        raise RuntimeError("the sample of probe keys came out too small")


def oracle(session, data, scale, answers):
    """Of range and probe lines. REQUIRES: no index exists on the table."""
    table = data.table
    if data.key_at:
        answers.low, answers.high = (
            session.value(f"SELECT {data.key_at.format(n=scale.rows, f=f)}") for f in ("0.45", "0.55"))
        answers.range_count, answers.range_sum = session.value(
            f"SELECT count(*), sum(v) FROM {table} WHERE k >= '{answers.low}' AND k < '{answers.high}'"
        ).split("|")
    # Hash joins of sequential scans, whatever the session's settings are.
    session.run("BEGIN; SET LOCAL enable_hashjoin = on;")
    answers.probe_count, answers.probe_sum = session.value(
        f"SELECT count(*), sum(t.v) FROM {table}_probe p JOIN {table} t USING ({data.key_columns})").split("|")
    session.run("COMMIT;")


def oracle_of_unique_keys(session, data, answers):
    """Of ORDER BY and IN-list lines. REQUIRES: as above, and that no key comes twice."""
    table = data.table
    session.run("BEGIN; SET LOCAL enable_hashjoin = on;")
    answers.order_keys, answers.order_sum = session.value(f"""
        SELECT sum(r.last - r.k), sum(r.total) FROM {table}_start p JOIN
          (SELECT k, coalesce(lead(k, 99) OVER w, max(k) OVER ()) AS last,
                  sum(v) OVER (w ROWS BETWEEN CURRENT ROW AND 99 FOLLOWING) AS total
             FROM {table} WINDOW w AS (ORDER BY k)) r ON r.k = p.k""").split("|")
    answers.list_count, answers.list_sum = session.value(f"""
        SELECT count(*), sum(t.v) FROM (SELECT unnest(keys) AS k FROM {table}_list) p
          JOIN {table} t ON t.k = p.k""").split("|")
    session.run("COMMIT;")


def oracle_of_pairs(session, data, answers):
    """Of lines that page through keys of two columns, or read an hour of the first one. REQUIRES: as above."""
    table = data.table
    hour = ("count(*) OVER (PARTITION BY k ORDER BY l RANGE BETWEEN CURRENT ROW"
            " AND interval '59:59.999999' FOLLOWING)" if data.second_type == "timestamptz" else "0")
    session.run("BEGIN; SET LOCAL enable_hashjoin = on;")
    answers.page_ends, answers.page_sum, answers.hour_count = session.value(f"""
        SELECT sum(r.ends - r.l), sum(r.total), sum(r.hour) FROM {table}_start p JOIN
          (SELECT k, l, {hour} AS hour, max(l) OVER page AS ends, sum(v) OVER page AS total FROM {table}
           WINDOW page AS (ORDER BY k, l ROWS BETWEEN 1 FOLLOWING AND 100 FOLLOWING)) r USING (k, l)""").split("|")
    session.run("COMMIT;")


def age(session, data):
    """Each round moves another tenth of the rows, picked by a hash of the key."""
    for number in range(AGEING_ROUNDS):
        session.run(f"""
            UPDATE {data.table} SET v = v WHERE (hashint8(k) & 2147483647) % 10 = {number};
            VACUUM {data.table};""")


def helpers(data):
    return [f"{data.table}_{suffix}" for suffix in ("probe", "start", "list", "new", "new2")]


def prewarm(session, *relations):
    for relation in relations:
        session.run(f"SELECT pg_prewarm('{relation}', 'buffer') \\g /dev/null")


def prewarm_table(session, data):
    """The table, its visibility map (index-only scans read it), and what there is of its helpers."""
    prewarm(session, data.table)
    session.run(f"SELECT pg_prewarm('{data.table}', 'buffer', 'vm') \\g /dev/null")
    for helper in helpers(data):
        session.run(f"SELECT pg_prewarm(c.oid, 'buffer') FROM pg_class c"
                    f" WHERE c.oid = to_regclass('{helper}') \\g /dev/null")


def drop(session, data):
    session.run("SET client_min_messages = error;")
    session.run(f"DROP TABLE IF EXISTS {', '.join([data.table] + helpers(data))};")
    session.run("RESET client_min_messages;")
