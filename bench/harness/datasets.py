"""The tables. All have the shape (k, v int4): 44 bytes of heap a row, the key first."""

from dataclasses import dataclass

# v of the base rows is 0..999; rows added by an insert line carry this, so that they
# can be removed again.
INSERTED = -1


@dataclass(frozen=True)
class Dataset:
    name: str
    key_type: str
    key: str  # SQL for the key of row i of n, in heap order
    new_key: str  # SQL for the key of the i-th inserted row
    key_at: str  # SQL for the key below which a share {f} of the rows lies

    @property
    def table(self):
        return f"bench_{self.name}"


RANDOM_62_BIT = ("floor(random() * 2147483648)::bigint * 2147483648"
                 " + floor(random() * 2147483648)::bigint")

DATASETS = [
    # An append-only bigserial: heap order is key order, one key per row, no gaps.
    Dataset("serial", "bigint", "i", "{n} + i", "({n} * {f})::bigint + 1"),
    # A reading every 10 ms with up to 9 ms of jitter, in microseconds; heap in key order.
    Dataset("timestamps", "timestamptz",
            "timestamptz '2024-01-01 00:00:00+00'"
            " + (i * 10000 + floor(random() * 9000)) * interval '1 microsecond'",
            "timestamptz '2024-01-01 00:00:00+00'"
            " + (({n} + i) * 10000 + floor(random() * 9000)) * interval '1 microsecond'",
            "timestamptz '2024-01-01 00:00:00+00' + ({n} * {f}) * interval '10 ms'"),
    # Uniform 62-bit keys, heap in random order: the least structure there is.
    Dataset("random", "bigint", RANDOM_62_BIT, RANDOM_62_BIT,
            "(4611686018427387904::numeric * {f})::bigint"),
]


@dataclass(frozen=True)
class Scale:
    """Row counts of one run."""
    rows: int
    probes: int
    inserts: int

    @staticmethod
    def of(rows):
        """A million probes and inserts at 20 million rows; less below, for a quick run."""
        return Scale(rows, probes=min(rows, 1_000_000, max(200_000, rows // 20)),
                     inserts=min(rows, 1_000_000, max(100_000, rows // 20)))


@dataclass
class Answers:
    """What queries must return, computed by sequential scans before an index exists."""
    low: str
    high: str
    range_count: str
    probe_sum: str
    heap_bytes: int


def load(session, data, scale):
    """Creates and fills the table, its probe keys and its rows to insert."""
    table, n = data.table, scale.rows
    session.run(f"""
        CREATE TABLE {table} (k {data.key_type} NOT NULL, v int4 NOT NULL);
        SELECT setseed(0.42) \\g /dev/null
        INSERT INTO {table} SELECT {data.key.format(n=n)}, i % 1000
          FROM (SELECT generate_series(1, {n}::bigint) AS i) s;
        CREATE TABLE {table}_new AS SELECT {data.new_key.format(n=n)} AS k, {INSERTED} AS v
          FROM (SELECT generate_series(1, {scale.inserts}::bigint) AS i) s;
        VACUUM (FREEZE, ANALYZE) {table};
        VACUUM (FREEZE, ANALYZE) {table}_new;""")
    # Present keys in an order that has nothing to do with key or heap order.
    share = min(100.0, 110.0 * scale.probes / n)
    session.run(f"""
        CREATE TABLE {table}_probe AS SELECT k FROM {table}
          TABLESAMPLE BERNOULLI ({share}) REPEATABLE (1) ORDER BY random() LIMIT {scale.probes};
        VACUUM (FREEZE, ANALYZE) {table}_probe;""")
    if session.value(f"SELECT count(*) FROM {table}_probe") != str(scale.probes):
        raise RuntimeError("the sample of probe keys came out too small")


def oracle(session, data, scale):
    """REQUIRES: no index exists on the table."""
    table = data.table
    low, high = (session.value(f"SELECT {data.key_at.format(n=scale.rows, f=f)}")
                 for f in ("0.45", "0.55"))
    count = session.value(f"SELECT count(*) FROM {table} WHERE k >= '{low}' AND k < '{high}'")
    # A merge or hash join of sequential scans, whatever the session's settings are.
    probe_sum = session.value(f"""
        BEGIN; SET LOCAL enable_hashjoin = on;
        SELECT sum(t.v) FROM {table}_probe p JOIN {table} t ON t.k = p.k; COMMIT;""")
    heap = int(session.value(f"SELECT pg_relation_size('{table}')"))
    return Answers(low, high, count, probe_sum, heap)


def prewarm(session, *relations):
    for relation in relations:
        session.run(f"SELECT pg_prewarm('{relation}', 'buffer') \\g /dev/null")


def prewarm_table(session, data):
    prewarm(session, data.table, f"{data.table}_probe", f"{data.table}_new")
    # Index-only scans read the visibility map.
    session.run(f"SELECT pg_prewarm('{data.table}', 'buffer', 'vm') \\g /dev/null")


def drop(session, data):
    for suffix in ("", "_probe", "_new"):
        session.run(f"DROP TABLE IF EXISTS {data.table}{suffix}")
