"""Markdown and JSON of a run."""

import json
import os


def amount(value, unit, rows):
    if value is None:
        return "-"
    if unit == "bytes":
        return f"{value / 1e6:.2f} MB ({value / rows:.3f} B/row)"
    if unit == "s":
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
    if result.error or value is None or base is None:
        return None, "ERROR"
    ratio = base / value if value else None
    target = result.line.target
    if target is None or subject.access_method != "learned":
        return ratio, "-"
    return ratio, "pass" if target.met(ratio, value) else "FAIL"


def plan_cell(result, subject, baseline):
    """What was asserted: node and index buffers of each method."""
    if result.error:
        # Markdown would end the cell at a bar.
        return result.error.replace("|", "\\|")
    cells = []
    for method in (subject, baseline):
        facts = result.facts.get(method.label, {})
        if "index_buffers_per_loop" in facts and "node" in facts:
            count = (f"{facts['index_buffers_per_loop']:.3f} per probe" if facts["loops"] > 1
                     else f"{facts['index_buffers']}")
            cells.append(f"{facts['node']} {facts['index']}, index buffers: {count}")
        elif "index_buffers_per_row" in facts:
            cells.append(f"{method.label}: {facts['index_buffers_per_row']:.2f} index buffers"
                         f" and {facts['wal_bytes_per_row']:.0f} B of WAL a row")
        elif "wal_bytes" in facts:
            cells.append(f"{method.label}: {facts['wal_bytes'] / 1e6:.1f} MB of WAL")
    return "; ".join(cells)


def markdown(meta, results, methods):
    subject, baseline = methods[0], methods[-1]
    rows = meta["rows"]
    machine = meta["machine"]
    out = [
        f"# {subject.label} against {baseline.label}, {rows:,} rows",
        "",
        f"{meta['date']}, commit {meta['commit']}, {meta['server']}; {machine['cpu']},"
        f" {machine['cpus']} CPUs, {int(machine['memory_kb']) // 1048576} GiB,"
        f" Linux {machine['kernel']} ({machine['architecture']}).",
        f"Medians of {meta['repeat']} interleaved runs; {meta['probes']:,} probes,"
        f" {meta['inserts']:,} inserted rows; everything in shared buffers, no workers."
        f" Load average {meta['load_before']} before, {meta['load_after']} after.",
        "",
        f"Ratio: {baseline.label} divided by {subject.label}: above 1, {subject.label} is smaller"
        " or faster.",
        "",
        f"| line | what | {' | '.join(m.label for m in methods)} | ratio | target | result |"
        " asserted and counted |",
        "|---" * (6 + len(methods)) + "|",
    ]
    for result in results:
        ratio, verdict = judge(result, subject, baseline)
        line = result.line
        # What was sampled before an error is in the JSON only.
        cells = [amount(result.median(m.label), line.unit, rows)
                 + spread(result.samples.get(m.label, [])) if verdict != "ERROR" else "-"
                 for m in methods]
        target = str(line.target) if line.target else ""
        ratio_text = f"{ratio:.2f}x" if ratio is not None else "-"
        out.append(f"| {line.name} | {line.what} | {' | '.join(cells)} | {ratio_text} |"
                   f" {target} | {verdict} | {plan_cell(result, subject, baseline)} |")
    out += ["", "Settings that differ from the defaults:", ""]
    out += [f"    {name} = {value}" for name, value in meta["settings"].items()]
    return "\n".join(out) + "\n"


def as_json(meta, results, methods):
    subject, baseline = methods[0], methods[-1]
    lines = []
    for result in results:
        ratio, verdict = judge(result, subject, baseline)
        line = result.line
        lines.append({
            "name": line.name, "what": line.what, "dataset": line.dataset, "unit": line.unit,
            "ratio": ratio, "result": verdict, "error": result.error,
            "target": {"ratio": line.target.ratio, "value": line.target.value}
                      if line.target else None,
            "methods": {m.label: {"median": result.median(m.label),
                                  "samples": result.samples.get(m.label, []),
                                  "facts": result.facts.get(m.label, {})} for m in methods},
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
