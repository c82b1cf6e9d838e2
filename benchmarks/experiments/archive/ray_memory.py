"""Memory of `clipdepth archive` over 50,000 frames: all of Ray's processes and its object store, every second.

    python benchmarks/experiments/archive/ray_memory.py edge.bundle --out benchmarks/results/archive

Writes `OUT/memory.json` and `OUT/memory.svg`. Films of 320×240 are drawn into a temporary folder.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from films import write_films
from matplotlib.figure import Figure

from clipdepth.files.atomic import write_json
from clipdepth_bench.report.figures import INK, SERIES, house_style

FILMS, FRAMES, HEIGHT, WIDTH = 10, 5000, 240, 320


def main() -> None:
    """Run, watch, keep and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/archive"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--precision", default="int8")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        films, out = Path(scratch, "films"), Path(scratch, "out")
        write_films(films, FILMS, FRAMES, HEIGHT, WIDTH)
        command = [sys.executable, "-m", "clipdepth", "archive", options.bundle, str(films), "--out", str(out)]
        engine = ["--engine", options.engine, "--precision", options.precision, "--workers", str(options.workers)]
        with subprocess.Popen([*command, *engine], stdout=subprocess.DEVNULL) as driver:
            samples, driver_seconds = _watch(driver)
        if driver.returncode:
            sys.exit(driver.returncode)
        report = json.loads((out / "report.json").read_text())
    found = {name: report[name] for name in ("frames", "seconds", "seconds_to_first", "store_peak_bytes")}
    found["driver_cpu_seconds"] = driver_seconds
    write_json(options.out / "memory.json", {**found, "samples": samples})
    _plot(samples).savefig(options.out / "memory.svg")
    sys.stdout.write(_summary(samples, report["frames"]))


def _watch(driver: "subprocess.Popen[bytes]") -> tuple[list[dict[str, float]], float]:
    """Every second, the bytes that processes have for themselves and those they share (the object store); and the
    driver's own CPU seconds."""
    start, used = time.monotonic(), 0.0
    samples = []
    while driver.poll() is None:
        try:
            first = psutil.Process(driver.pid)
            used = sum(first.cpu_times()[:2])
            processes = [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        memory = [found for process in processes if (found := _memory(process))]
        samples.append(
            {
                "seconds": time.monotonic() - start,
                "private": float(sum(private for private, _ in memory)),
                "store": float(max((shared for _, shared in memory), default=0)),
                "processes": float(len(memory)),
            }
        )
        time.sleep(1)
    return samples, used


def _memory(process: psutil.Process) -> tuple[int, int] | None:
    try:
        info = process.memory_info()
    except psutil.Error:
        return None
    return info.rss - info.shared, info.shared


def _halves(samples: list[dict[str, float]], name: str) -> tuple[float, float]:
    """The medians of the second quarter and of the last one: the first is the workers' start."""
    values = np.array([sample[name] for sample in samples])
    quarter = len(values) // 4
    return float(np.median(values[quarter : 2 * quarter])), float(np.median(values[3 * quarter : -2]))


def _summary(samples: list[dict[str, float]], frames: int) -> str:
    early, late = _halves(samples, "private")
    most = max(sample["private"] for sample in samples)
    return (
        f"{frames} frames in {samples[-1]['seconds']:.0f} s: {early / 1e6:.0f} MB in the second quarter, "
        f"{late / 1e6:.0f} in the last ({late / early - 1:+.1%}), {most / 1e6:.0f} at most\n"
    )


def _plot(samples: list[dict[str, Any]]) -> Figure:
    with house_style():
        figure = Figure(figsize=(6.4, 2.8), layout="constrained")
        axes = figure.add_subplot()
        seconds = [sample["seconds"] for sample in samples]
        axes.plot(seconds, [sample["private"] / 1e6 for sample in samples], color=INK, label="all processes")
        axes.plot(seconds, [sample["store"] / 1e6 for sample in samples], color=SERIES[0], label="mapped object store")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("seconds")
        axes.set_ylabel("MB")
        axes.legend()
    return figure


if __name__ == "__main__":
    main()
