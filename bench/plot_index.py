"""Behind bench/plot_index.sh: draws what the functions learned_index_pages(), _segments() and _entries() tell."""

import argparse
import bisect
import datetime
import math
import os
import re
import struct
import sys
from dataclasses import dataclass, field

import matplotlib

from harness.server import BenchError, Session

matplotlib.use("Agg")
# Reproducible files with text that can be searched.
matplotlib.rcParams.update({"svg.hashsalt": "learned", "svg.fonttype": "none", "font.size": 8})
from matplotlib import pyplot  # noqa: E402 (the backend must be chosen first)

LEAVES = 200  # that are read
POINTS = 4000  # of keys that are drawn
KEYS, LINES, DELTAS, DEAD = "#6a7fb5", "#1b7f5c", "#c0453b", "#8a8f98"


def literal(text):
    return "'" + text.replace("'", "''") + "'"


# ---- keys as numbers: steps of the type, in which lines are lines -----------------------------------


def float_code(float_format, int_format):
    """The order of floats, as an integer."""
    def convert(text):
        bits = struct.unpack(int_format, struct.pack(float_format, float(text)))[0]
        low = (1 << (8 * struct.calcsize(int_format) - 1)) - 1
        return bits if bits >= 0 else -(bits & low)
    return convert


def code_float(float_format, int_format):
    """And back."""
    def convert(code):
        highest = (1 << (8 * struct.calcsize(int_format) - 1)) - 1
        value = struct.unpack(float_format, struct.pack(int_format, min(abs(int(code)), highest)))[0]
        return value if code >= 0 else -value
    return convert


@dataclass
class Kind:
    """How a type's values become numbers: by SQL, from the text x, then here."""
    sql: str
    number: object = float
    shown: object = None  # from such numbers to what the axis has; None: they are that
    words: int = 1


def moment(unit):
    def convert(number):
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(**{unit: number})
    return convert


KINDS = {
    **{name: Kind("x::numeric", int) for name in ("smallint", "integer", "bigint", "oid", "xid8", "oid8")},
    "double precision": Kind("x", float_code(">d", ">q"), code_float(">d", ">q")),
    "real": Kind("x", float_code(">f", ">i"), code_float(">f", ">i")),
    "date": Kind("CASE WHEN isfinite(x::date) THEN x::date - date '1970-01-01' END", int, moment("days")),
    **{name: Kind(f"CASE WHEN isfinite(x::{name}) THEN (extract(epoch FROM x::{name}) * 1000000)::numeric(40, 0) END",
                  int, moment("microseconds"))
       for name in ("timestamp without time zone", "timestamp with time zone")},
    "time without time zone": Kind("(extract(epoch FROM x::time) * 1000000)::numeric(40, 0)", int,
                                   lambda number: number / 3.6e9),
    "boolean": Kind("x::boolean::int", int),
    "pg_lsn": Kind("x::pg_lsn - '0/0'::pg_lsn", int),
    # The first of its two words.
    "uuid": Kind("left(replace(x, '-', ''), 16)", lambda text: int(text, 16), words=2),
}
# Of those that are not drawn. (Of types that are kept as others a column has two.)
ONE_WORD = ('"char"', "money", "macaddr", "macaddr8")


def words_of(name):
    return KINDS[name].words if name in KINDS else 1 if name in ONE_WORD else 2


# ---- what is drawn -----------------------------------------------------------------------------------


@dataclass
class Leaf:
    block: int
    encoded: int
    entries: int
    deltas: int
    dead: int
    begin: int = 0  # encoded entries in front of it
    segments: list = field(default_factory=list)


@dataclass
class Line:
    rank: int  # in its leaf
    count: int
    first: object  # None: a NULL, or nothing that is drawn
    model: str
    start: float
    slope: float
    reach: object
    key_bits: float
    tid_bits: float


class Index:
    def __init__(self, session, name, column):
        self.session, self.name = session, name
        self.oid = session.value(f"SELECT {literal(name)}::regclass::oid")
        self.shown_name = session.value(f"SELECT {self.oid}::regclass")
        words = int(session.value(f"SELECT key_words FROM learned_index_metapage({self.oid})"))
        columns = [line.split("|") for line in session.run(f"""
            SELECT attname, format_type(atttypid, NULL), CASE WHEN attnum <= indnkeyatts THEN indoption[attnum - 1] & 1 END
              FROM pg_attribute JOIN pg_index ON indexrelid = attrelid WHERE attrelid = {self.oid} ORDER BY attnum;""")]
        keys = [c for c in columns if c[2] != ""]
        if not 1 <= column <= len(keys):
            raise BenchError(f"index {self.shown_name} has no key column {column}")
        self.column = column
        self.column_name, self.type, descends = keys[column - 1]
        self.kind = KINDS.get(self.type)
        self.word = sum(words_of(c[1]) for c in keys[:column - 1]) + 1
        # (On one column of one word it is stored ascending whatever it says.)
        self.sign = -1 if words > 1 and descends == "1" else 1

    def number(self, text):
        return None if text == "" or self.kind is None else self.kind.number(text)

    def sql(self, key):
        """The plotted column of a key, as KINDS has it."""
        if self.kind is None:
            return "NULL"
        expression = re.sub(r"\bx\b", f"({key})[{self.column}]", self.kind.sql)
        return expression

    def leaves(self):
        """In their order."""
        found = {}
        begin = None
        for line in self.session.run(f"""SELECT block, encoded, entries, deltas, dead, left_block IS NULL, right_block
                FROM learned_index_pages({self.oid}) WHERE kind = 'leaf' AND tree = 'keys';"""):
            block, encoded, entries, deltas, dead, leftmost, right = line.split("|")
            found[int(block)] = (Leaf(int(block), int(encoded), int(entries), int(deltas), int(dead)), right)
            if leftmost == "t":
                begin = int(block)
        leaves, rank = [], 0
        while begin in found:  # (a leaf may be gone meanwhile: the rest is not drawn)
            leaf, right = found.pop(begin)
            leaf.begin = rank
            rank += leaf.encoded
            leaves.append(leaf)
            begin = int(right) if right else None
        return leaves

    def read_segments(self, leaves):
        by_block = {leaf.block: leaf for leaf in leaves}
        blocks = ",".join(str(leaf.block) for leaf in leaves)
        for line in self.session.run(f"""
                SELECT b, first_rank, entries, {self.sql('first_key')}, key_model[{self.word}], key_start[{self.word}], key_slope[{self.word}],
                       key_reach[{self.word}], bits_per_key, bits_per_tid
                  FROM unnest(ARRAY[{blocks}]::int8[]) b, learned_index_segments({self.oid}, b) ORDER BY b, segment;"""):
            block, rank, count, first, model, start, slope, reach, key_bits, tid_bits = line.split("|")
            by_block[int(block)].segments.append(
                Line(int(rank), int(count), self.number(first), model, float(start), float(slope),
                     float(reach) if reach else None, float(key_bits), float(tid_bits)))

    def read_points(self, leaves, most):
        """(rank, key) of some entries."""
        by_block = {leaf.block: leaf for leaf in leaves}
        step = max(1, sum(leaf.encoded for leaf in leaves) // most)
        blocks = ",".join(str(leaf.block) for leaf in leaves)
        points = []
        for line in self.session.run(f"""
                SELECT b, entry, {self.sql('key')} FROM unnest(ARRAY[{blocks}]::int8[]) b, learned_index_entries({self.oid}, b)
                 WHERE NOT delta AND entry % {step} = 0;"""):
            block, rank, key = line.split("|")
            if key != "":
                points.append((by_block[int(block)].begin + int(rank), self.number(key)))
        return points

    def read_leaf(self, leaf):
        """(rank, key) of its encoded entries, and the same of those that are dead, and deltas: by where they
        belong if the column is the first, else behind the others."""
        encoded, dead, deltas, order = [], [], [], []
        for line in self.session.run(f"""SELECT entry, delta, dead OR killed, {self.sql('key')}
                FROM learned_index_entries({self.oid}, {leaf.block}) ORDER BY entry;"""):
            rank, delta, gone, key = line.split("|")
            if key == "":
                continue
            key = self.number(key)
            if delta == "t":
                place = bisect.bisect_left(order, self.sign * key) if self.column == 1 else int(rank)
                deltas.append((place, key))
            else:
                encoded.append((int(rank), key))
                order.append(self.sign * key)
                if gone == "t":
                    dead.append((int(rank), key))
        return encoded, dead, deltas


# ---- drawing -----------------------------------------------------------------------------------------


def evenly(items, most):
    if len(items) <= most:
        return items
    return [items[(2 * i + 1) * len(items) // (2 * most)] for i in range(most)]


class Picture:
    def __init__(self, index, leaves, sample):
        self.index, self.leaves, self.sample = index, leaves, sample

    def shown(self, number):
        convert = self.index.kind.shown
        return convert(number) if convert else float(number)

    @staticmethod
    def points(axes, points, shown, **style):
        """shown(rank, number): what the axis has."""
        drawn = []
        for rank, number in points:
            try:
                value = shown(rank, number)
                if not isinstance(value, float) or math.isfinite(value):
                    drawn.append((rank, value))
            except (OverflowError, ValueError):  # (a moment beyond what the library knows)
                pass
        if drawn:
            axes.plot(*zip(*drawn), linestyle="none", **style)

    def line(self, axes, origin, line, shown, band=False):
        """A segment's line; of floats it is bent."""
        if line.first is None:
            return
        steps = sorted({round((line.count - 1) * i / 16) for i in range(17)})
        lower = [line.first + self.index.sign * (line.start + line.slope * step) for step in steps]
        ranks = [origin + line.rank + step for step in steps]
        try:
            below = [shown(rank, y) for rank, y in zip(ranks, lower)]
            axes.plot(ranks, below, "--" if line.model == "elias-fano" else "-", color=LINES, linewidth=1, zorder=3)
            if band and line.reach is not None:
                above = [shown(rank, y + self.index.sign * line.reach) for rank, y in zip(ranks, lower)]
                axes.fill_between(ranks, below, above, color=LINES, alpha=0.15, linewidth=0)
        except (OverflowError, ValueError):
            pass

    def draw_keys(self, axes):
        for leaf in self.sample:
            for line in leaf.segments:
                self.line(axes, leaf.begin, line, lambda _, number: self.shown(number))
        self.points(axes, self.index.read_points(self.sample, POINTS), lambda _, number: self.shown(number), marker=".", markersize=2, color=KEYS)
        axes.set_title(f"keys and the lines through them: {len(self.sample):,} of {len(self.leaves):,} leaves", fontsize=8)
        axes.set_xlabel("rank in the index")

    def draw_leaf(self, axes):
        changed = max(self.sample, key=lambda leaf: leaf.deltas + leaf.dead)
        leaf = changed if changed.deltas + changed.dead > 0 else self.sample[len(self.sample) // 2]
        encoded, dead, deltas = self.index.read_leaf(leaf)
        # By how much keys miss the straight line through the leaf's ends: on the keys themselves nobody would see it.
        first, last = (encoded[0], encoded[-1]) if encoded else ((0, 0), (1, 0))
        slope = (last[1] - first[1]) / max(1, last[0] - first[0])

        def off(rank, number):
            return float(number - first[1] - slope * (rank - first[0]))
        for line in leaf.segments:
            self.line(axes, 0, line, off, band=True)
        self.points(axes, evenly(encoded, POINTS), off, marker=".", markersize=2, color=KEYS)
        self.points(axes, dead, off, marker="x", markersize=4, color=DEAD)
        self.points(axes, deltas, off, marker="+", markersize=5, color=DELTAS)
        axes.set_ylabel("steps off the line through the ends")
        lines = len(leaf.segments)
        axes.set_title(f"block {leaf.block}: {leaf.encoded:,} entries under {lines:,} line{'s' if lines != 1 else ''} (bands: what residuals span), "
                       f"{leaf.deltas:,} deltas (+), {len(dead):,} dead (x)", fontsize=8)
        axes.set_xlabel("rank in the leaf")

    def draw_bits(self, axes):
        for name, colour, bits in (("key", LINES, lambda line: line.key_bits), ("row position", KEYS, lambda line: line.tid_bits)):
            xs, ys = [], []
            for leaf in self.sample:
                for line in leaf.segments:
                    xs += [leaf.begin + line.rank, leaf.begin + line.rank + line.count, None]
                    ys += [bits(line), bits(line), None]
            xs = [float("nan") if x is None else x for x in xs]
            ys = [float("nan") if y is None else y for y in ys]
            axes.plot(xs, ys, color=colour, linewidth=1, label=name)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        axes.set_title("bits for each entry", fontsize=8)
        axes.set_xlabel("rank in the index")

    def draw_changes(self, axes):
        for name, colour, count in (("deltas", DELTAS, lambda leaf: leaf.deltas), ("dead", DEAD, lambda leaf: leaf.dead)):
            axes.plot([leaf.begin + leaf.encoded / 2 for leaf in self.leaves],
                      [100 * count(leaf) / max(1, leaf.entries + leaf.dead) for leaf in self.leaves],
                      color=colour, linewidth=0.8, marker=".", markersize=2, label=name)
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        axes.set_title("of a leaf's entries, per cent", fontsize=8)
        axes.set_xlabel("rank in the index")

    def draw(self):
        figure, axes = pyplot.subplots(4, 1, figsize=(9, 12), height_ratios=(3, 3, 1.3, 1.3)) if matplotlib.__version_info__ >= (3, 6) \
            else pyplot.subplots(4, 1, figsize=(9, 12), gridspec_kw={"height_ratios": (3, 3, 1.3, 1.3)})
        figure.suptitle(f"{self.index.shown_name}, column {self.index.column_name} ({self.index.type})", fontsize=10)
        if self.index.kind is None:
            for panel in axes[:2]:
                panel.set_axis_off()
                panel.text(0.5, 0.5, f"keys of type {self.index.type} are not drawn", ha="center")
        else:
            self.draw_keys(axes[0])
            self.draw_leaf(axes[1])
        self.draw_bits(axes[2])
        self.draw_changes(axes[3])
        for panel in (axes[0], axes[2], axes[3]):
            panel.set_xlim(0, max(1, self.leaves[-1].begin + self.leaves[-1].encoded))
        figure.tight_layout(rect=(0, 0, 1, 0.99))
        return figure


def main():
    parser = argparse.ArgumentParser(prog="bench/plot_index.sh", description=__doc__)
    parser.add_argument("--output", default=".", help="directory for the files (default: this one)")
    parser.add_argument("--column", type=int, default=1, help="key column whose values are drawn (default: the first)")
    parser.add_argument("--leaves", type=int, default=LEAVES, help=f"leaves that are read (default: {LEAVES})")
    parser.add_argument("dbname")
    parser.add_argument("index")
    arguments = parser.parse_args()
    if arguments.leaves < 1:
        parser.error("--leaves must be 1 at least")
    session = Session("psql", ["-d", arguments.dbname], dict(os.environ))
    try:
        session.run("SET TimeZone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1; SET intervalstyle = 'iso_8601';")
        session.find_extension()
        # One file, one moment each: writers go on, and what they change between two looks is drawn as it is then.
        index = Index(session, arguments.index, arguments.column)
        leaves = [leaf for leaf in index.leaves() if leaf.entries + leaf.dead > 0]
        if not leaves:
            raise BenchError(f"index {index.shown_name} has no entries to draw")
        sample = evenly(leaves, arguments.leaves)
        index.read_segments(sample)
        figure = Picture(index, leaves, sample).draw()
    except BenchError as problem:
        lines = [line for line in str(problem).split("\n") if not re.match(r"LINE \d+:|\s*\^$", line)]
        print("error: " + re.sub(r"^(psql: )?(error: )?(ERROR:  |FATAL:  )?", "", "\n".join(lines)), file=sys.stderr)
        return 1
    session.close()
    os.makedirs(arguments.output, exist_ok=True)
    name = os.path.join(arguments.output, re.sub(r"[^A-Za-z0-9_.-]+", "_", index.shown_name).strip("_") or "index")
    figure.savefig(name + ".svg", metadata={"Date": None})
    figure.savefig(name + ".png", dpi=110)
    print(f"{name}.svg\n{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
