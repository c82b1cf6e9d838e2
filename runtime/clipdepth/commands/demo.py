"""`clipdepth demo`: the whole line on procedural rooms, by the commands a user would type."""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from clipdepth.arguments import ArgumentParser
from clipdepth.atomic import make_folder, write_json, write_text
from clipdepth.commands.demo_report import markdown
from clipdepth.errors import ClipdepthError

CLIP_SECONDS = 6
FRAMES_A_SECOND = 30
TEST_ROOM = 1_000_000
"""A room that training never sees."""


@dataclass(frozen=True)
class Step:
    """A command of the demo; its report, if it writes one, is the JSON file of its name."""

    name: str
    arguments: list[str]


def demo_steps(out: Path) -> list[Step]:
    """Train a small `edge` model, evaluate it beside the constant median, export, stream a clip, bench."""
    run, bundle, video = str(out / "run"), str(out / "bundle"), str(out / "depth.mp4")
    small = (
        "--model.trunk.name RN-mini --model.trunk.weights none --model.width 64 --frames.height 96 --frames.width 128"
    )
    fast = "--frames.rooms 240 --epochs 1 --batch-size 16 --augment.rotate 0 --augment.zoom 1"
    rates = "--loss.kind l1 --optim.learning-rate 2e-3 --optim.trunk-learning-rate 2e-3"
    clip = f"--source rooms:{TEST_ROOM} --frames {CLIP_SECONDS * FRAMES_A_SECOND}"
    short = "--seconds 8 --skip compile --skip memory"
    return [
        Step("train", ["train", "edge", "--data", "rooms", "--out", run, *f"{small} {fast} {rates}".split()]),
        Step("evaluate", ["evaluate", run, "--baseline", "--json", str(out / "evaluate.json")]),
        Step("export", ["export", run, "--out", bundle]),
        Step("run", ["run", bundle, *clip.split(), "--output", video, "--json", str(out / "run.json")]),
        Step("bench", ["bench", bundle, "--run", run, *short.split(), "--json", str(out / "bench.json")]),
    ]


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth demo --help`."""
    parser = ArgumentParser("clipdepth demo", "Train, evaluate, export, stream and bench a small model, in minutes.")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="folder (default: demo)")
    out: Path = parser.parse_args(argv).out
    make_folder(out)
    console = Console(stderr=True, highlight=False)
    seconds = {}
    for step in demo_steps(out):
        console.rule(f"[bold]clipdepth {step.name}")
        console.print(f"$ clipdepth {shlex.join(step.arguments)}", markup=False, soft_wrap=True)
        seconds[step.name] = _run(step)
    report = _report(out, seconds)
    write_json(out / "report.json", report)
    write_text(out / "report.md", markdown(report))
    console.print(f"\n{out}: report.md, report.json, depth.mp4, bundle/", soft_wrap=True)
    return 0


def _run(step: Step) -> float:
    start = perf_counter()
    # A process of its own, as on a device: no step shares threads or memory with the one before.
    status = subprocess.run([sys.executable, "-m", "clipdepth", *step.arguments], check=False).returncode
    if status == 130 or status < 0:
        raise KeyboardInterrupt
    if status:
        raise ClipdepthError(f"the demo stopped at 'clipdepth {step.name}' (exit status {status}); see above")
    return perf_counter() - start


def _report(out: Path, seconds: dict[str, float]) -> dict[str, Any]:
    evaluated, run, bench = (_read(out / f"{name}.json") for name in ("evaluate", "run", "bench"))
    training = _read(out / "run" / "metrics.json")
    metrics = evaluated["metrics"]
    return {
        "steps": [
            {"name": step.name, "arguments": step.arguments, "seconds": round(seconds[step.name], 1)}
            for step in demo_steps(out)
        ],
        "seconds": round(sum(seconds.values()), 1),
        "training_frames": training["training_frames"],
        "test_frames": evaluated["frames"],
        "metrics": {"model": metrics["run"], "constant median": metrics["constant median"]},
        "rel_below_baseline": 1 - metrics["run"]["rel"] / metrics["constant median"]["rel"],
        "agreement": run["agreement"],
        "stream": {"frames": run["frames"], "latency_ms": run["latency_ms"]},
        "bench": bench["rows"],
        "environment": bench["environment"],
    }


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
