"""Frames a second of `clipdepth archive` with one and two workers, on one core and two, and where the time goes.

    python benchmarks/experiments/archive/throughput.py edge-nyu --out benchmarks/results/archive [--rounds 2]
        [--films 4] [--frames 600]

Films of 640×480 are drawn into a temporary folder. Results go to `OUT/throughput.json` and, as a table, to stdout.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from films import write_films

from clipdepth.files.atomic import write_json

HEIGHT, WIDTH = 480, 640
CASES = ((1, 1), (2, 1), (2, 2))
"""Cores and workers."""
STAGES = ("decoding", "inference", "encoding", "joining")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/archive"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--films", type=int, default=4)
    parser.add_argument("--frames", type=int, default=600, help="of each film")
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--precision", default="int8")
    options = parser.parse_args()
    engine = ["--engine", options.engine, "--precision", options.precision]
    runs = []
    with TemporaryDirectory() as scratch:
        films = Path(scratch, "films")
        write_films(films, options.films, options.frames, HEIGHT, WIDTH)
        for number in range(options.rounds):
            for cores, workers in CASES:
                out = Path(scratch, f"{cores}-{workers}-{number}")
                runs.append(_run([options.bundle, str(films), "--out", str(out), *engine], cores, workers))
                _say(runs[-1])
    found = {
        "films": options.films,
        "frames": options.films * options.frames,
        "height": HEIGHT,
        "width": WIDTH,
        "runs": runs,
    }
    write_json(options.out / "throughput.json", found)


def _run(arguments: list[str], cores: int, workers: int) -> dict[str, Any]:
    films, out = Path(arguments[1]), Path(arguments[3])
    command = [sys.executable, "-m", "clipdepth", "archive", *arguments, "--workers", str(workers)]
    # The cores of the process, and of Ray below it.
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    bind = ["taskset", "--cpu-list", ",".join(map(str, allowed))]
    subprocess.run([*bind, *command], check=True, stdout=subprocess.DEVNULL)
    report = json.loads((out / "report.json").read_text())
    after = report["seconds"] - report["seconds_to_first"]
    frames = report["frames"]
    written = sum(file.stat().st_size for file in out.rglob("*.mkv"))
    index = sum(file.stat().st_size for file in out.rglob("*.parquet"))
    return {
        "cores": cores,
        "workers": workers,
        "rate": frames / after,
        "seconds": report["seconds"],
        "seconds_to_first": report["seconds_to_first"],
        "milliseconds": {stage: report["stage_seconds"][stage] / frames * 1e3 for stage in STAGES},
        "store_peak_bytes": report["store_peak_bytes"],
        "bytes_a_frame": written / frames,
        "index_bytes_a_frame": index / frames,
        "source_bytes_a_frame": sum(film.stat().st_size for film in films.iterdir()) / frames,
    }


def _say(run: dict[str, Any]) -> None:
    times = ", ".join(f"{stage} {run['milliseconds'][stage]:.2f}" for stage in STAGES)
    sys.stdout.write(
        f"{run['cores']} cores, {run['workers']} workers: {run['rate']:.1f} frames/s; ms a frame: {times}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
