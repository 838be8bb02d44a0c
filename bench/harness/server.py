"""The settings of the throw-away server, and one long-lived psql session on it."""

import glob
import os
import re
import subprocess


class BenchError(Exception):
    """Something that makes a measurement meaningless (or the server's own error)."""


def clean_environment():
    """Of the PG* variables only those that name the server: none may change a plan."""
    wanted = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE")
    return {k: v for k, v in os.environ.items() if not k.startswith("PG") or k in wanted}


def server_settings(rows):
    """Everything stays in memory, in one process, without background work in the way.

    fsync (which the scripts' throw-away servers switch off), full_page_writes and wal_level
    have their defaults: durability is part of the cost of a build or an insert.
    """
    # One data set is alive at a time: heap 44 bytes a row (78 with varying width), B-tree 22.5,
    # learned at most as much, hash about 40, helper tables, splits. Four times the heap plus a
    # reserve also keeps the heap below a quarter, where sequential scans do not use a small ring.
    # (Where that is more than there is, two thirds of the memory.)
    shared_mb = min(512 + rows * 200 // 1_000_000, int(machine()["memory_kb"]) // 1024 * 2 // 3)
    large = rows > 4_000_000
    return {
        "shared_buffers": f"{shared_mb}MB",
        "effective_cache_size": f"{shared_mb}MB",
        "work_mem": "256MB",
        "max_connections": "10",
        "fsync": "on",
        "autovacuum": "off",
        "jit": "off",
        "max_parallel_workers": "0",
        "max_parallel_workers_per_gather": "0",
        "max_parallel_maintenance_workers": "0",
        "bgwriter_lru_maxpages": "0",
        "checkpoint_timeout": "1d",
        # Checkpoints happen only where the driver asks for one.
        "max_wal_size": "32GB" if large else "8GB",
        # Segments are recycled, so that later rounds do not pay for creating them.
        "min_wal_size": "4GB" if large else "1GB",
        "synchronize_seqscans": "off",
        "statement_timeout": "30min",
        "timezone": "UTC",
        "logging_collector": "off",
        "log_checkpoints": "off",
    }


class Server:
    """The throw-away server that run.sh started, as its environment describes it."""

    def __init__(self):
        try:
            self.bindir = os.environ["BENCH_BINDIR"]
            self.data = os.environ["BENCH_DATA"]
            self.user = os.environ["BENCH_SERVER_USER"]  # empty: the one who runs this
            self.log_file = os.environ["BENCH_SERVER_LOG"]
            self.psql = os.path.join(self.bindir, "psql")
        except KeyError as missing:
            raise BenchError(f"{missing} is not set: start bench/run.sh") from missing

    def session(self):
        return Session(self.psql)

    def restart(self, shared_buffers):
        """With another amount of shared buffers; None: what it was started with.
        REQUIRES: no session is open (it would be ended)."""
        session = self.session()
        session.run(f"ALTER SYSTEM SET shared_buffers = '{shared_buffers}'" if shared_buffers
                    else "ALTER SYSTEM RESET shared_buffers")
        session.close()
        command = [os.path.join(self.bindir, "pg_ctl"), "-D", self.data, "-l", self.log_file,
                   "-m", "fast", "-w", "-t", "600", "restart"]
        if self.user:  # the server does not run as root
            command = ["runuser", "-u", self.user, "--", "env", "HOME=" + self.data, *command]
        # No pipes: the server would inherit them, and their end would never come.
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, cwd="/",
                              env=clean_environment())
        if done.returncode != 0:
            raise BenchError("the server did not restart:\n" + self.log_tail())

    def log_tail(self, lines=15):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""


class Session:
    """One psql process, so that every measurement runs in a backend that has already
    mapped the shared memory and filled its caches. An error ends the session."""

    def __init__(self, psql, arguments=(), environment=None):
        self.count = 0
        self.process = subprocess.Popen(
            [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environment or clean_environment(), cwd="/")

    def run(self, sql):
        """Runs SQL (the last semicolon may be missing) or psql commands; returns the lines
        that psql printed."""
        self.count += 1
        sql = sql.rstrip()
        if not sql.endswith(";") and "\\" not in sql.splitlines()[-1]:
            sql += ";"
        mark = f"__end_of_command_{self.count}__"
        try:
            self.process.stdin.write(f"{sql}\n\\echo {mark}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the reason is in what psql printed
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == mark:
                return lines
            lines.append(line)
        self.process.wait()
        lines = [line for line in lines if not line.startswith("Time: ")]
        raise BenchError("\n".join(lines) or "the server closed the connection")

    def value(self, sql):
        lines = self.run(sql)
        if len(lines) != 1:
            raise BenchError(f"expected one value from: {sql}\ngot: {lines}")
        return lines[0]

    def find_extension(self):
        """Its functions are found by their names, whatever schema it is in. (Behind those that search_path has.)"""
        self.run("""SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), quote_ident(nspname)), false)
                      FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'learned_index'""")

    def timed(self, statement):
        """Runs one statement; returns (seconds, output lines without the time)."""
        lines = self.run(f"\\timing on\n{statement};\n\\timing off")
        times = [line for line in lines if re.match(r"Time: [0-9.]+ ms", line)]
        if len(times) != 1:
            raise BenchError(f"no time from psql: {lines}")
        return (float(times[0].split()[1]) / 1000.0,
                [line for line in lines if line is not times[0]])

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait(timeout=60)


def machine():
    """What a reader needs to judge the figures."""
    def first_match(path, pattern):
        try:
            with open(path, encoding="utf-8") as file:
                match = re.search(pattern, file.read(), re.M)
                return match.group(1).strip() if match else "unknown"
        except OSError:
            return "unknown"

    sizes = {}
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        level = first_match(index + "/level", r"(\d+)")
        kind = first_match(index + "/type", r"(\w+)")
        if kind != "Instruction":
            sizes[f"L{level}"] = first_match(index + "/size", r"(\w+)")
    return {
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "cpus": os.cpu_count(),
        "caches": sizes,
        "memory_kb": first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)"),
        "kernel": os.uname().release,
        "architecture": os.uname().machine,
    }
