"""Driver of bench/run.sh, which builds the extension and starts the server."""

import argparse
import dataclasses
import datetime
import os
import re
import signal
import subprocess
import sys

from harness import datasets, measure, report, scale, tables
from harness.lines import lines_for
from harness.server import BenchError, Server, machine, server_settings

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORE_METHODS = ("btree", "hash", "brin", "gist", "spgist", "gin")
# The access method of floor/floor.c; it answers what the server asks for 8-byte integers.
CREATE_FLOOR = """
    CREATE FUNCTION floor_handler(internal) RETURNS index_am_handler AS '{library}' LANGUAGE C;
    CREATE ACCESS METHOD floor TYPE INDEX HANDLER floor_handler;
    CREATE OPERATOR CLASS floor_ops DEFAULT FOR TYPE int8 USING floor AS
      OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >;"""


def options():
    parser = argparse.ArgumentParser(
        prog="bench/run.sh", description="Compares access methods on the same tables in one run.")
    parser.add_argument("--rows", type=int, default=20_000_000,
                        help="rows per table (default 20 million; 1 million takes about two minutes)")
    parser.add_argument("--repeat", type=int, default=5, metavar="R",
                        help="interleaved runs of which the median counts (default 5)")
    parser.add_argument("--only", default="", metavar="PATTERN",
                        help="regular expression: only lines whose name contains it")
    parser.add_argument("--methods",
                        default=os.environ.get("BENCH_METHODS", "learned,btree,brin,hash"),
                        help="access methods: the subject, the baseline, then others"
                             " (default learned,btree,brin,hash; btree,btree shows the noise)")
    parser.add_argument("--no-build", action="store_true",
                        help="take the installed extension as it is")
    parser.add_argument("--no-plots", action="store_true", help="Markdown and JSON only")
    parser.add_argument("--output", default="", metavar="DIR",
                        help="where to write (default bench/results/<date>-<commit>)")
    parser.add_argument("--scale", nargs="?", const=",".join(map(str, scale.ROWS)), metavar="ROWS,...",
                        help="instead of all that: how sizes and times grow with the rows (default"
                             " 2000000,20000000,200000000: an hour, 30 GB of disk, 24 GB of memory)")
    parser.add_argument("--list", action="store_true", help="list the lines and exit")
    parser.add_argument("--plan", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rows < 100_000:
        parser.error("--rows must be at least 100000")
    if args.repeat < 1:
        parser.error("--repeat must be at least 1")
    if args.scale:
        try:
            args.scale = sorted(int(rows) for rows in args.scale.split(","))
        except ValueError:
            parser.error("--scale wants numbers of rows, separated by commas")
        if args.scale[0] < 100_000:
            parser.error("--scale wants at least 100000 rows")
        args.rows = args.scale[-1]
        args.methods = methods(args.methods, parser)[:2]
        args.lines = []
        return args
    try:
        args.lines = [line for line in lines_for(args.rows) if re.search(args.only, line.name)]
    except re.error as error:
        parser.error(f"--only is not a regular expression: {error}")
    if not args.lines:
        parser.error("--only matches no line (see --list)")
    args.methods = methods(args.methods, parser)
    return args


def methods(text, parser):
    names = [name.strip() for name in text.split(",")]
    if len(names) < 2 or any(not re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names):
        parser.error("--methods needs at least two access methods, separated by commas")
    found = []
    for number, name in enumerate(names):
        earlier = names[:number].count(name)
        found.append(measure.Method(f"{name}#{earlier + 1}" if earlier else name, name))
    return found


def with_sources(args):
    """A companion line is counted by another one, which must then run too."""
    names = {line.name for line in args.lines} | {line.of for line in args.lines}
    return [line for line in lines_for(args.rows) if line.name in names]


def commit():
    def git(*args):
        return subprocess.run(["git", "-C", ROOT, *args], capture_output=True, text=True,
                              check=False)
    head = git("rev-parse", "--short=10", "HEAD")
    if head.returncode != 0:
        return "nocommit"
    changed = git("status", "--porcelain", "--untracked-files=no").stdout.strip()
    return head.stdout.strip() + ("-dirty" if changed else "")


def output_directory(args, meta):
    if args.output:
        return os.path.join(os.environ.get("BENCH_CALLED_FROM", ""), args.output)
    name = os.path.join(ROOT, "bench", "results", f"{meta['date'][:10]}-{meta['commit']}")
    # An earlier run of the day stays as it is.
    if os.path.exists(os.path.join(name, "results.json")):
        name += "-" + meta["date"][11:19].replace(":", "")
    return name


def load_average():
    return f"{os.getloadavg()[0]:.1f}"


def describe(args, counts):
    return {
        "date": datetime.datetime.now().isoformat(timespec="seconds"),
        "commit": commit(),
        **dataclasses.asdict(counts),
        "repeat": args.repeat, "only": args.only,
        "methods": [method.label for method in args.methods],
        "machine": machine(),
        "load_before": load_average(), "load_after": load_average(),
    }


def settings_in_force(session):
    listed = session.run(
        "SELECT name || '=' || current_setting(name) FROM pg_settings"
        " WHERE source IN ('configuration file', 'session') AND name !~"
        " '^(lc_|default_text|log_|DateStyle|dynamic_shared|listen|unix_socket|port|data_dir|client_)'"
        " ORDER BY name;")
    return dict(line.split("=", 1) for line in listed)


def plot(directory, say):
    """By another Python where this one has no matplotlib; no plots are no failure."""
    plotter = os.environ.get("BENCH_PLOTTER")
    if not plotter:
        return
    script = os.path.join(ROOT, "bench", "harness", "plots.py")
    done = subprocess.run([plotter, script, directory], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"no plots:\n{done.stderr}")


def verdict(results, bench, directory, say):
    """The exit status; says where the results are."""
    verdicts = [report.judge(r, bench.subject, bench.baseline)[1] for r in results]
    if "ERROR" in verdicts:
        say("the end of the server's log:\n" + bench.server.log_tail(40))
    say(f"results in {directory}: {verdicts.count('pass')} pass,"
        f" {verdicts.count('FAIL')} fail, {verdicts.count('ERROR')} not measured")
    return 1 if "FAIL" in verdicts or "ERROR" in verdicts else 0


def main():
    args = options()
    if args.list:
        for line in args.lines:
            print(f"{line.name:32} {line.what}" + (f"  [{line.target}]" if line.target else ""))
        return 0
    floor = any(m.access_method == "floor" for m in args.methods)
    extension = any(m.access_method not in (*CORE_METHODS, "floor") for m in args.methods)
    if args.plan:
        if extension and not args.no_build:
            print("build")
        if floor:
            print("floor")
        for name, value in server_settings(args.rows).items():
            print(f"{name}={value}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = datetime.datetime.now()

    def say(text):
        seconds = int((datetime.datetime.now() - started).total_seconds())
        print(f"[{seconds // 60:3}:{seconds % 60:02}] {text}", file=sys.stderr, flush=True)

    counts = datasets.Scale.of(args.rows)
    meta = describe(args, counts)
    directory = output_directory(args, meta)
    lines = with_sources(args)
    server = Server()
    bench = measure.Bench(server, args.methods, counts, args.repeat, say)
    bench.connect()
    bench.session.run("CREATE EXTENSION pg_prewarm;")
    if extension:
        bench.session.run("CREATE EXTENSION learned_index;")
    if floor:
        bench.session.run(CREATE_FLOOR.format(library=os.environ["BENCH_FLOOR"]))
    meta["server"] = "PostgreSQL " + bench.session.value("SHOW server_version")
    meta["settings"] = settings_in_force(bench.session)

    def meta_of(grown, sizes):
        return {**describe(args, sizes), "server": meta["server"], "settings": meta["settings"], "repeat": grown.repeat}

    if args.scale:
        bench.session.close()
        results = scale.run(server, args, meta_of, directory, say)
        plot(directory, say)
        with open(os.path.join(directory, "growth.md"), encoding="utf-8") as file:
            print(file.read())
        return verdict(results, bench, directory, say)

    def write(shown):
        meta["load_after"] = load_average()
        meta["seconds"] = int((datetime.datetime.now() - started).total_seconds())
        results = [bench.result(line) for line in shown]
        report.write(directory, meta, results, args.methods)
        return results

    for data in datasets.DATASETS:
        wanted = [line for line in lines if line.dataset == data.name]
        if wanted:
            tables.run_dataset(bench, data, wanted)
            write([line for line in lines if line.name in bench.results])
    tables.run_pgbench_lines(bench, [line for line in lines if line.kind == "pgbench"])
    bench.session.close()
    results = write(lines)
    plot(directory, say)
    with open(os.path.join(directory, "results.md"), encoding="utf-8") as file:
        print(file.read())
    return verdict(results, bench, directory, say)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, subprocess.CalledProcessError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
