"""The pgbench line: TPC-B-like transactions with the index of the method on accounts."""

import os
import re
import subprocess
import time
from dataclasses import dataclass

from .measure import set_memory
from .server import BenchError, clean_environment

STATEMENTS_PER_TRANSACTION = 2  # that use the index: an UPDATE and a SELECT


@dataclass(frozen=True)
class Accounts:
    """Stands for a data set: pgbench makes its tables itself."""
    name: str = "pgbench"
    table: str = "pgbench_accounts"


def run_pgbench(server, *options):
    program = os.path.join(server.bindir, "pgbench")
    # No answer of the transaction waits for the disk: its latency would be all that is seen.
    environment = dict(clean_environment(), PGOPTIONS="-c synchronous_commit=off")
    done = subprocess.run([program, *options], capture_output=True, text=True, check=False,
                          env=environment, cwd="/")
    if done.returncode != 0:
        raise BenchError(f"pgbench {' '.join(options)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def scans_of(session, index):
    return int(session.value(f"SELECT pg_stat_get_numscans('{index}'::regclass)"))


def wait_for_scans(session, index, wanted):
    """The statistics of pgbench's backend arrive when it has gone."""
    for _ in range(100):
        found = scans_of(session, index)
        if found >= wanted:
            return
        time.sleep(0.1)
    raise BenchError(f"{index} was scanned {found} times instead of {wanted}")


def timed_transactions(bench, data, method, line, seed):
    session, index, count = bench.session, method.index(data), bench.scale.transactions
    session.run(f"CREATE INDEX {index} ON {data.table} USING {method.access_method} (aid);")
    session.run(f"SELECT pg_prewarm('{index}') \\g /dev/null\n"
                f"VACUUM pgbench_branches, pgbench_tellers; TRUNCATE pgbench_history; CHECKPOINT;")
    plan = "\n".join(session.run(
        f"EXPLAIN UPDATE {data.table} SET abalance = abalance + 1 WHERE aid = 1"))
    if f"{line.node} using {index}" not in plan:
        raise BenchError(f"{line.name}, {method.label}: another plan:\n{plan}")
    text = run_pgbench(bench.server, "-n", "-c", "1", "-M", "prepared", "-t", str(count),
                       f"--random-seed={seed}")
    found = re.search(r"^tps = ([0-9.]+)", text, re.M)
    if not found or f"{count}/{count}" not in text:
        raise BenchError(f"{line.name}: unexpected output of pgbench:\n{text}")
    bench.result(line).add(method.label, 1.0 / float(found.group(1)))
    wait_for_scans(session, index, STATEMENTS_PER_TRANSACTION * count)
    bench.result(line).count(method.label, transactions_per_second=float(found.group(1)))
    session.run(f"DROP INDEX {index};")


def pgbench_group(bench, lines):
    data, line = Accounts(), lines[0]
    scale = bench.scale.pgbench_scale
    bench.say(f"pgbench: loading scale {scale}")
    run_pgbench(bench.server, "-i", "-q", "-I", "dtgv", "-s", str(scale))
    session = bench.session
    session.run("ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid);"
                "ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid);"
                f"SELECT pg_prewarm('{data.table}') \\g /dev/null")
    set_memory(session, "1GB")
    # Each run updates rows of its own. Again and again the same ones would soon have room for their new versions beside
    # them (HOT), and no index would have anything to do.
    runs = 0
    for number, method in bench.rounds(line, times=line.samples):
        bench.say(f"  {line.name}, round {number + 1}, {method.label}")
        runs += 1
        timed_transactions(bench, data, method, line, seed=runs)
    sums = session.value("SELECT (SELECT sum(abalance) FROM pgbench_accounts) ="
                         " (SELECT sum(bbalance) FROM pgbench_branches)")
    if sums != "t":
        raise BenchError(f"{line.name}: balances of accounts and branches differ")
    run_pgbench(bench.server, "-i", "-q", "-I", "d")
