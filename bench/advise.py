"""Behind bench/advise.sh: measures both kinds of index on a copy of a user's columns, and recommends."""

import argparse
import os
import statistics
import sys
from dataclasses import dataclass

from harness.measure import Expected, asserted_run
from harness.server import BenchError, Session

METHODS = ("learned", "btree")
SAMPLE = "pg_temp.learned_index_sample"
KEYS = "pg_temp.learned_index_keys"
INDEX = "learned_index_trial"
ROUNDS = 5
MOST_PROBES = 100_000
MOST_MATCHES = 1_000_000  # rows that all probes together may find
MOST_BYTES = 1 << 30  # of the copy, TOAST included
SMALL_TABLE = 10_000  # rows: below, one index is as good as the other


class Refusal(Exception):
    """Why there is nothing to measure."""


def literal(text):
    return "'" + text.replace("'", "''") + "'"


@dataclass
class Column:
    name: str  # quoted
    type: str
    attnum: int


@dataclass
class Subject:
    """The table, and the index in question."""
    table: str  # quoted, with schema where needed
    keys: list
    included: list
    oid: int
    rows: int
    blocks: int
    row_bytes: float  # with TOAST

    @property
    def key_names(self):
        return ", ".join(column.name for column in self.keys)

    @property
    def definition(self):
        """What follows the access method in CREATE INDEX."""
        included = ", ".join(column.name for column in self.included)
        return f"({self.key_names})" + (f" INCLUDE ({included})" if included else "")

    @property
    def full_name(self):
        if len(self.keys) == 1 and not self.included:
            return f"{self.table}.{self.key_names}"
        return f"{self.table} {self.definition}"

    def equal(self):
        """The condition of a probe."""
        return " AND ".join(f"t.{column.name} = p.k{number}" for number, column in enumerate(self.keys, 1))


def find_column(session, oid, table, name):
    found = session.run(f"""
        SELECT quote_ident(attname), format_type(atttypid, atttypmod), attnum FROM pg_attribute
         WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped AND attname = {literal(name)};""")
    if not found:
        raise Refusal(f"{table} has no column {name}")
    quoted, kind, attnum = found[0].rsplit("|", 2)
    return Column(quoted, kind, int(attnum))


def find_subject(session, table, keys, included):
    found = session.run(f"""
        SELECT c.oid, c.relkind, c.oid::regclass, pg_relation_size(c.oid), pg_table_size(c.oid), c.reltuples
          FROM pg_class c WHERE c.oid = {literal(table)}::regclass;""")
    oid, kind, table, heap, size, rows = found[0].split("|")
    if kind not in "rm":
        raise Refusal(f"{table} is not a table: of a partitioned table name one partition")
    keys, included = ([find_column(session, oid, table, name) for name in names]
                      for names in (keys, included))
    rows = float(rows)
    if rows <= 0:  # never analyzed
        rows = float(session.value(f"SELECT count(*) FROM {table}"))
    if rows == 0 or int(heap) == 0:
        raise Refusal(f"{table} is empty")
    block = int(session.value("SHOW block_size"))
    return Subject(table, keys, included, int(oid), int(rows), int(heap) // block, int(size) / rows)


def refuse_the_impossible(session, subject):
    """The server says what cannot be a learned index, before anything is copied."""
    session.run("SAVEPOINT empty;")
    session.run(f"CREATE TEMPORARY TABLE {SAMPLE.split('.')[1]} (LIKE {subject.table});")
    try:
        session.run(f"CREATE INDEX ON {SAMPLE} USING learned {subject.definition};")
    except BenchError as problem:  # the session has ended
        raise Refusal(f"{subject.full_name}: " + str(problem).replace("ERROR:  ", "", 1)) from problem
    session.run("ROLLBACK TO SAVEPOINT empty;")


def copy_rows(session, subject, most_rows):
    """Returns what was copied, in words. Consecutive blocks keep both the order of the rows and their
    number on a page. Fewer rows mean wider gaps between random keys and narrower positions of rows,
    by the same number of bits, so that the sample's bytes per row are those of the whole."""
    most_rows = min(most_rows, max(1, int(MOST_BYTES / subject.row_bytes)))
    where, words = "", "all rows"
    if subject.rows > most_rows:
        blocks = max(1, int(subject.blocks * most_rows / subject.rows))
        first = (subject.blocks - blocks) // 2
        where = f" WHERE ctid >= '({first},0)' AND ctid < '({first + blocks},0)'"
        words = f"a sample, blocks {first:,} to {first + blocks - 1:,} of {subject.blocks:,}"
    session.run(f"CREATE TEMPORARY TABLE {SAMPLE.split('.')[1]} ON COMMIT DROP AS"
                f" SELECT * FROM ONLY {subject.table}{where}; ANALYZE {SAMPLE};")
    return words


def choose_keys(session, subject):
    """Present keys in random order; so few that duplicates do not make the probes endless."""
    name = KEYS.split(".")[1]
    keys = ", ".join(f"{column.name} AS k{number}" for number, column in enumerate(subject.keys, 1))
    present = " AND ".join(f"{column.name} IS NOT NULL" for column in subject.keys)
    session.run(f"""
        CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {keys} FROM {SAMPLE}
          WHERE {present} ORDER BY random() LIMIT {MOST_PROBES};
        ANALYZE {KEYS};""")
    found = int(session.value(f"SELECT count(*) FROM {KEYS}"))
    if found == 0:
        raise Refusal(f"{subject.full_name} has no values but NULL" if len(subject.keys) == 1 else
                      f"{subject.full_name}: no row has a value in each of {subject.key_names}")
    tried = min(100, found)
    matches = int(session.value(
        f"SELECT count(*) FROM (SELECT * FROM {KEYS} LIMIT {tried}) p"
        f" JOIN {SAMPLE} t ON {subject.equal()}"))
    wanted = max(100, min(MOST_PROBES, int(MOST_MATCHES * tried / max(1, matches))))
    session.run(f"DELETE FROM {KEYS} WHERE ctid NOT IN (SELECT ctid FROM {KEYS} LIMIT {wanted});"
                f"ANALYZE {KEYS};" if wanted < found else f"ANALYZE {KEYS};")
    return min(wanted, found)


FORCE_THE_INDEX = "".join(f"SET LOCAL enable_{name} = off;" for name in (
    "hashjoin", "mergejoin", "bitmapscan", "material", "memoize"))


def trial(session, method, subject, probes):
    """One build and one set of probes; the savepoint takes the index away again."""
    session.run("SAVEPOINT trial;")
    build, _ = session.timed(
        f"CREATE INDEX {INDEX} ON {SAMPLE} USING {method} {subject.definition}")
    size = int(session.value(f"SELECT pg_total_relation_size('pg_temp.{INDEX}')"))
    session.run(FORCE_THE_INDEX)
    # count(t.tableoid) needs the row, so that the row is fetched.
    sql = f"SELECT count(t.tableoid) FROM {KEYS} p JOIN {SAMPLE} t ON {subject.equal()}"
    expected = Expected("probe", "Index Scan", INDEX, probes, in_memory=False)
    facts = asserted_run(session, SAMPLE, sql, expected)
    probe, answer = session.timed(sql)
    result = {"size": size, "build": build, "probe": probe / probes, "answer": answer,
              "pages": facts["index_buffers_per_loop"]}
    if method == "learned":
        result["bits"] = session.value("SELECT round(bits_per_key::numeric, 1) || ' bits a row for keys, '"
                                       " || round(bits_per_tid::numeric, 1) || ' for row positions'"
                                       f" FROM learned_index_stats('pg_temp.{INDEX}')")
    session.run("ROLLBACK TO SAVEPOINT trial;")
    return result


def measure(session, subject, probes):
    trials = {method: [] for method in METHODS}
    for number in range(ROUNDS):
        for method in METHODS if number % 2 == 0 else METHODS[::-1]:
            trials[method].append(trial(session, method, subject, probes))
    answers = {result["answer"][0] for results in trials.values() for result in results}
    if len(answers) != 1:
        raise BenchError(f"the indexes answer differently: {sorted(answers)}")
    medians = {method: {name: statistics.median(result[name] for result in results)
                        for name in ("size", "build", "probe", "pages")}
               for method, results in trials.items()}
    medians["matches"] = int(answers.pop()) / probes
    return medians, trials["learned"][0]["bits"]


@dataclass
class Existing:
    name: str
    method: str
    unique: bool
    primary: bool
    keys: int
    columns: int
    size: str


def existing_indexes(session, subject):
    """Those that begin with the columns."""
    numbers = [column.attnum for column in subject.keys]
    found = session.run(f"""
        SELECT c.oid::regclass, am.amname, i.indisunique, i.indisprimary, i.indnkeyatts, i.indnatts,
               pg_size_pretty(pg_relation_size(c.oid))
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
         WHERE i.indrelid = {subject.oid} AND i.indnkeyatts >= {len(numbers)}
           AND (i.indkey::int2[])[0:{len(numbers) - 1}] = ARRAY{numbers}::int2[] ORDER BY 1;""")
    fields = [line.split("|") for line in found]
    return [Existing(name, method, unique == "t", primary == "t", int(keys), int(columns), size)
            for name, method, unique, primary, keys, columns, size in fields]


def recommendation(subject, medians, existing):
    learned, btree = medians["learned"], medians["btree"]
    smaller = btree["size"] / learned["size"]
    faster = btree["probe"] / learned["probe"]
    saved = (btree["size"] - learned["size"]) * subject.rows / medians["rows"]
    columns = len(subject.keys) + len(subject.included)
    unique = [index for index in existing if index.unique and index.keys == len(subject.keys)]
    if subject.rows < SMALL_TABLE:
        return "keep btree: so small a table gains nothing"
    if unique:
        return (f"keep btree: {unique[0].name} is"
                f" {'a primary key' if unique[0].primary else 'unique'}, and a learned index beside it"
                f" would only take more space.\n  Where nothing refers to that key, EXCLUDE USING"
                f" learned ({', '.join(f'{column.name} WITH =' for column in subject.keys)}) could keep it"
                f" unique at a size {smaller:.1f} times smaller.")
    if smaller < 1.2 and faster < 1.2:
        return f"keep btree: {smaller:.1f} times smaller and {faster:.1f} times as fast is no gain"
    if smaller < 1.2:
        text = f"use learned: {faster:.1f} times as fast, though hardly smaller ({smaller:.1f} times)"
    else:
        text = (f"use learned: {smaller:.1f} times smaller (about {size_text(saved)} less for the"
                f" whole table), lookups {faster:.1f} times as fast")
        if faster < 0.95:
            text += ": space against time"
    for index in existing:
        if index.columns > columns:
            text += (f"\n  {index.name} has {index.columns} columns: to replace it, try them all, unless the"
                     f" first {'one is' if columns == 1 else f'{columns} are'} enough")
    return text


def size_text(size):
    if size < 1e6:
        return f"{size / 1024:,.0f} kB"
    return f"{size / 1e6:,.1f} MB" if size < 1e8 else f"{size / 1e6:,.0f} MB"


def duration(seconds):
    if seconds < 0.001:
        return f"{seconds * 1e6:.2f} us"
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def show(subject, sample, medians, settings):
    learned, btree, rows = medians["learned"], medians["btree"], medians["rows"]
    types = ", ".join(column.type for column in subject.keys + subject.included)
    print(f"{subject.full_name} ({types}), about {subject.rows:,} rows")
    print(f"measured on a copy of {rows:,} rows ({sample}), medians of {ROUNDS}, {settings}\n")
    whole = subject.rows / rows
    fetched = medians["matches"]
    probe = f"one probe, {fetched:,.0f} row{'s' if fetched >= 1.5 else ''} fetched"
    lines = [("index size", "size", size_text), ("CREATE INDEX", "build", duration),
             (probe, "probe", duration),
             ("index pages per probe", "pages", lambda pages: f"{pages:.2f}")]
    print(f"  {'':28}{'learned':>14}{'btree':>14}{'btree/learned':>16}")
    for label, name, text in lines:
        print(f"  {label:28}{text(learned[name]):>14}{text(btree[name]):>14}"
              f"{btree[name] / learned[name]:>15.2f}x")
        if name == "size" and whole > 1.01:
            print(f"  {'for the whole table, about':28}{size_text(learned[name] * whole):>14}"
                  f"{size_text(btree[name] * whole):>14}")


def advise(session, args):
    # Before the first temporary table; the copy and its index stay in memory.
    session.run("SET temp_buffers = '1GB'; SET client_min_messages = warning; BEGIN;"
                "SET LOCAL statement_timeout = 0; SET LOCAL jit = off;"
                "SET LOCAL max_parallel_workers_per_gather = 0;"
                "SET LOCAL max_parallel_maintenance_workers = 0;")
    if session.value("SELECT count(*) FROM pg_extension WHERE extname = 'learned_index'") == "0":
        session.run("CREATE EXTENSION learned_index;")
    session.find_extension()
    subject = find_subject(session, args.table, args.columns, args.include)
    refuse_the_impossible(session, subject)
    sample = copy_rows(session, subject, args.rows)
    probes = choose_keys(session, subject)
    medians, bits = measure(session, subject, probes)
    medians["rows"] = int(session.value(f"SELECT count(*) FROM {SAMPLE}"))
    existing = existing_indexes(session, subject)
    memory = session.value("SHOW maintenance_work_mem")
    session.run("ROLLBACK;")
    show(subject, sample, medians,
         f"{probes:,} probes, maintenance_work_mem {memory}, no workers")
    print(f"\n  learned: {bits}")
    for index in existing:
        print(f"  there is: {index.name} ({index.method}, {index.size})")
    print(f"\nrecommendation: {recommendation(subject, medians, existing)}")


def column_names(text):
    names = text.split(",")
    if not all(names):
        raise argparse.ArgumentTypeError(f"an empty name in {text!r}")
    return names


def main():
    parser = argparse.ArgumentParser(
        prog="bench/advise.sh",
        description="Measures learned against btree on a copy of one or several columns, and recommends.")
    parser.add_argument("--rows", type=int, default=2_000_000, metavar="N",
                        help="copy at most so many rows (default 2 million)")
    parser.add_argument("--include", type=column_names, default=[], metavar="COLUMN[,COLUMN...]",
                        help="included columns")
    parser.add_argument("dbname", metavar="DBNAME")
    parser.add_argument("table", metavar="TABLE", help="as in SQL: schema.table, quoted if needed")
    parser.add_argument("columns", type=column_names, metavar="COLUMN[,COLUMN...]",
                        help="their names as they are, without quotes, in the order of the index")
    args = parser.parse_args()
    if args.rows < 1000:
        parser.error("--rows must be at least 1000")
    session = Session("psql", ["-d", args.dbname], dict(os.environ))
    try:
        advise(session, args)
        return 0
    except (BenchError, Refusal) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    finally:
        session.close()  # whatever is open is rolled back


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
