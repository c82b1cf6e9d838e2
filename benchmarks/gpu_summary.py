"""One short table of what `benchmarks/gpu.sh` found, and the last line of each step that failed.

python benchmarks/gpu_summary.py RESULTS
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from clipdepth_bench.report.record import Row, read_report

_WIDTH = 160


def main() -> None:
    """Print what there is; results that a step did not write are left out."""
    results = Path(sys.argv[1])
    for lines in (_doctor(results), _benchmarks(results), _training(results), _failed(results / "work")):
        for line in lines:
            sys.stdout.write(line[:_WIDTH] + "\n")


def _doctor(results: Path) -> Iterator[str]:
    path = results / "doctor.json"
    for engine in json.loads(path.read_text(encoding="utf-8"))["engines"] if path.is_file() else []:
        times = [f"{t['precision']} {t['milliseconds']:.3f} ms" for t in engine["trials"] if not t["problem"]]
        problems = dict.fromkeys(t["problem"] for t in engine["trials"] if t["problem"])
        yield f"doctor {engine['engine']}: {'; '.join([*times, *problems])}"


def _benchmarks(results: Path) -> Iterator[str]:
    for path in sorted(results.glob("*/report.json")):
        report = read_report(path)
        yield f"{path.parent.name} {report.input.height}x{report.input.width}, {report.method.rounds} rounds"
        yield from map(_row, report.rows)
        yield from report.notes


def _row(row: Row) -> str:
    if row.latency_ms is None:
        return f"  {row.key}: {row.verdict}"
    inside = "" if row.without_transfers_ms is None else f", without transfers {row.without_transfers_ms.p50:.3f}"
    difference = "" if row.agreement is None else f", differs by {row.agreement.mean:.1e}"
    stream = "" if row.streaming is None else f", {row.streaming.fps:.0f} frames/s"
    return f"  {row.key}: p50 {row.latency_ms.p50:.3f} ms{inside}{stream}{difference}: {row.verdict}"


def _training(results: Path) -> Iterator[str]:
    path = results / "training_steps.json"
    for row in json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []:
        step = f"{row['recipe']} {row['precision']} {row['height']}x{row['width']}, batch {row['batch']}"
        yield f"training {step}: {row['p50']:.1f} ms, {1000 / row['p50']:.1f} steps/s"
    yield from (f"train-nyu: {line}" for line in _lines(results / "work" / "train-nyu.log") if "stopped at" in line)


def _failed(work: Path) -> Iterator[str]:
    for line in (work / "failed").read_text(encoding="utf-8").splitlines():
        log = work / f"{line.partition(' ')[0]}.log"
        yield f"{line}: {' '.join(_lines(log)[-1:])}"


def _lines(log: Path) -> list[str]:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return [line.strip() for line in text.split("\n") if line.strip()]


if __name__ == "__main__":
    main()
