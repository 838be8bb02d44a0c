"""Markdown and JSON of a run."""

import json
import math
import os


def amount(value, unit, rows):
    if value is None:
        return "-"
    if unit == "bytes":
        if value < 1e6:
            return f"{value / 1024:.1f} kB"
        return f"{value / 1e6:.2f} MB ({value / rows:.3f} B/row)"
    if unit == "bytes/row":
        return f"{value:.1f} B"
    if unit == "s":
        if value < 0.001:
            return f"{value * 1e6:.1f} us"
        return f"{value:.3f} s" if value >= 0.1 else f"{value * 1000:.1f} ms"
    return f"{value:.3f}"


def spread(samples):
    """Half the distance of the extremes, in percent of the middle: how noisy the run was."""
    if len(samples) < 2 or min(samples) == max(samples):
        return ""
    middle = (max(samples) + min(samples)) / 2
    return f" ±{100 * (max(samples) - min(samples)) / 2 / middle:.0f}%"


def judge(result, subject, baseline):
    """(ratio, verdict). Ratio: baseline / subject, above 1 is better than the baseline."""
    value, base = result.median(subject.label), result.median(baseline.label)
    line = result.line
    if line.reason_against(subject.access_method):
        return None, "-"
    needs_base = not line.reason_against(baseline.access_method)
    if result.error or value is None or (needs_base and base is None):
        return None, "ERROR"
    ratio = base / value if value and base is not None else None
    if line.target is None or subject.access_method != "learned":
        return ratio, "-"
    return ratio, "pass" if line.target.met(ratio, value) else "FAIL"


def counted(result, label):
    """What was asserted and counted for one method."""
    facts = result.facts.get(label, {})

    def fact(name):
        return result.median_fact(label, name)

    said = []
    if "node" in facts:
        said.append(f"{facts['node']} {facts['index']}")
        said.append(f"{fact('index_buffers_per_loop'):.3f} index buffers a loop"
                    if facts["loops"] > 1 else f"{facts['index_buffers']} index buffers")
    if "pages_read_per_loop" in facts:
        said.append(f"{fact('pages_read_per_loop'):.2f} pages read a loop")
    if "workers" in facts:
        said.append(f"{facts['workers']} workers")
    if "wal_bytes" in facts:
        said.append(f"{fact('wal_bytes') / 1e6:.1f} MB of WAL")
    if "seconds" in facts:
        said.append(f"{fact('seconds'):.3f} s")
    if "wal_bytes_per_row" in facts:
        said.append(f"{fact('wal_bytes_per_row'):.1f} B of WAL a row")
    if "index_buffers_per_probe_after" in facts:
        said.append(f"{fact('index_buffers_per_probe_after'):.3f} index buffers a probe after it")
    if "delete_seconds" in facts:
        said.append(f"DELETE {fact('delete_seconds'):.2f} s,"
                    f" VACUUM {fact('vacuum_seconds'):.2f} s")
    if "transactions_per_second" in facts:
        said.append(f"{fact('transactions_per_second'):.0f} transactions a second")
    if "plan" in facts:
        said.append(facts["plan"])
    for name in ("leaf pages", "segments counted", "entries decoded", "heap fetches"):
        if name in facts:
            said.append(f"{facts[name]:,} {name}")
    if facts.get("open"):
        said.append(f"{100 * facts['open']:.1f} % of the blocks open")
    if len(facts.get("tried", {})) > 1:
        said.append("tried: " + ", ".join(f"{name} {amount(seconds, 's', 0)}" for name, seconds in facts["tried"].items()))
    if "copies" in facts:
        said.append(f"{facts['copies']} {'copy' if facts['copies'] == 1 else 'copies'}")
    return f"{label}: {', '.join(said)}" if said else ""


def plan_cell(result, subject, baseline):
    if result.error:
        # Markdown would end the cell at a bar.
        return result.error.replace("|", "\\|")
    cells = [counted(result, label) for label in (subject.label, baseline.label, "no index")]
    return "; ".join(cell for cell in cells if cell)


def method_cell(result, method, verdict, rows):
    if result.line.reason_against(method.access_method):
        return "not applicable"
    if verdict == "ERROR":  # what was sampled before an error is in the JSON only
        return "-"
    return (amount(result.median(method.label), result.line.unit, rows)
            + spread(result.samples.get(method.label, [])))


def header(meta, subject, baseline):
    machine = meta["machine"]
    return [
        f"# {subject.label} against {', '.join(meta['methods'][1:])}: {meta['rows']:,} rows",
        "",
        f"{meta['date']}, commit {meta['commit']}, {meta['server']}; {machine['cpu']},"
        f" {machine['cpus']} CPUs, {int(machine['memory_kb']) // 1048576} GiB,"
        f" Linux {machine['kernel']} ({machine['architecture']}).",
        f"Medians of {meta['repeat']} interleaved runs; {meta['probes']:,} probes,"
        f" {meta['inserts']:,} inserted rows, {meta['copied']:,} copied ones,"
        f" {meta['transactions']:,} transactions at pgbench scale {meta['pgbench_scale']}."
        " Everything in shared buffers but for the small.* lines, where they have"
        f" {meta['small_buffers_mb']} MB; no workers unless a line says so."
        f" Load average {meta['load_before']} before, {meta['load_after']} after.",
        "",
        f"Ratio: {baseline.label} divided by {subject.label}: above 1, {subject.label} is smaller"
        " or faster.",
        ""]


def markdown(meta, results, methods):
    subject, baseline = methods[0], methods[1]
    out = header(meta, subject, baseline)
    out += [
        f"| line | what | {' | '.join(m.label for m in methods)} | ratio | target | result |"
        " asserted and counted |",
        "|---" * (6 + len(methods)) + "|",
    ]
    reasons = {}
    for result in results:
        ratio, verdict = judge(result, subject, baseline)
        line = result.line
        cells = [method_cell(result, m, verdict, meta["rows"]) for m in methods]
        target = str(line.target) if line.target else ""
        # Rounded down: what is shown as the target has reached it.
        ratio_text = f"{math.floor(ratio * 100) / 100:.2f}x" if ratio is not None else "-"
        out.append(f"| {line.name} | {line.what} | {' | '.join(cells)} | {ratio_text} |"
                   f" {target} | {verdict} | {plan_cell(result, subject, baseline)} |")
        for method in methods:
            reason = line.reason_against(method.access_method)
            if reason:
                reasons.setdefault((method.label, reason), []).append(line.name.split(".")[0])
    if reasons:
        out += ["", "Not applicable:", ""]
        out += [f"* {label}: {reason} ({', '.join(dict.fromkeys(names))})"
                for (label, reason), names in reasons.items()]
    out += ["", "Settings that differ from the defaults:", ""]
    out += [f"    {name} = {value}" for name, value in meta["settings"].items()]
    return "\n".join(out) + "\n"


def as_json(meta, results, methods):
    subject, baseline = methods[0], methods[1]
    lines = []
    for result in results:
        ratio, verdict = judge(result, subject, baseline)
        line = result.line
        lines.append({
            "name": line.name, "what": line.what, "dataset": line.dataset, "unit": line.unit,
            "ratio": ratio, "result": verdict, "error": result.error,
            "target": {"ratio": line.target.ratio, "value": line.target.value}
                      if line.target else None,
            "methods": {m.label: {"not_applicable": line.reason_against(m.access_method),
                                  "median": result.median(m.label),
                                  "samples": result.samples.get(m.label, []),
                                  "facts": result.facts.get(m.label, {})} for m in methods},
            "without_index": result.facts.get("no index", {}),
        })
    return {"meta": meta, "lines": lines}


def write(directory, meta, results, methods):
    """REQUIRES: meta complete. Called after each data set: a stopped run leaves what it had."""
    os.makedirs(directory, exist_ok=True)
    for name, text in (("results.md", markdown(meta, results, methods)),
                       ("results.json", json.dumps(as_json(meta, results, methods), indent=1))):
        path = os.path.join(directory, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
