"""`clipdepth demo`: the model in the box on real frames, then the whole line on procedural rooms."""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from clipdepth.bundle.box import DEFAULT
from clipdepth.bundle.folder import open_bundle
from clipdepth.cli.arguments import ArgumentParser
from clipdepth.cli.demo_frames import show_frames
from clipdepth.cli.demo_report import markdown
from clipdepth.errors import ClipdepthError, VerificationError
from clipdepth.files.atomic import make_folder, write_json, write_text

CLIP_SECONDS = 6
FRAMES_A_SECOND = 30
TEST_ROOM = 1_000_000
"""A room that training never sees."""
LEAST_BELOW = 0.4
"""How far below the constant median's rel the model of rooms has to be."""


@dataclass(frozen=True)
class Step:
    """A command of the demo; its report, if it writes one, is the JSON file of its name."""

    name: str
    arguments: list[str]


def demo_steps(out: Path) -> list[Step]:
    """Train the model in the box on rooms, evaluate it beside the constant median, export, verify, stream, bench."""
    run, bundle, video = str(out / "run"), str(out / "bundle"), str(out / "depth.mp4")
    small = "--frames.height 120 --frames.width 160 --frames.rooms 30 --epochs 1 --batch-size 8 --channels-last"
    plain = "--augment.rotate 0 --augment.zoom 1 --augment.jitter 0 --optim.ema 0.99"
    rates = "--loss.silog-lambda 0.5 --loss.gradient 0.5 --optim.learning-rate 2e-3 --optim.trunk-learning-rate 5e-4"
    clip = f"--source rooms:{TEST_ROOM} --frames {CLIP_SECONDS * FRAMES_A_SECOND}"
    short = "--seconds 8 --skip compile --skip memory"
    train = ["train", "edge", "--start", DEFAULT, "--data", "rooms", "--out", run]
    return [
        Step("train", [*train, *f"{small} {plain} {rates}".split()]),
        Step("evaluate", ["evaluate", run, "--baseline", "--json", str(out / "evaluate.json")]),
        Step("export", ["export", run, "--out", bundle]),
        Step("verify", ["verify", bundle]),
        Step("run", ["run", bundle, *clip.split(), "--output", video, "--json", str(out / "run.json")]),
        Step("bench", ["bench", bundle, "--run", run, *short.split(), "--json", str(out / "bench.json")]),
    ]


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth demo --help`. Raises VerificationError where the rooms' model is too bad."""
    out: Path = parser().parse_args(argv).out
    make_folder(out)
    console = Console(stderr=True, highlight=False)
    frames, seconds = _show(out, console)
    for step in demo_steps(out):
        console.rule(f"[bold]clipdepth {step.name}")
        console.print(f"$ clipdepth {shlex.join(step.arguments)}", markup=False, soft_wrap=True)
        seconds[step.name] = _run(step)
    report = {"frames": frames, **_report(out, seconds)}
    write_json(out / "report.json", report)
    write_text(out / "report.md", markdown(report))
    below = report["rel_below_baseline"]
    minutes = f"{report['seconds'] / 60:.1f} minutes, {seconds[FRAMES]:.0f} s of them for the frames"
    console.print(f"\n{minutes}; rel {below:.0%} below the constant median", soft_wrap=True)
    console.print(f"{out}: report.md, report.json, frames.png, depth.mp4, bundle/", soft_wrap=True)
    if below < LEAST_BELOW:
        raise VerificationError(
            f"the demo's model is {below:.0%} below the constant median's rel, it has to be {LEAST_BELOW:.0%} below; "
            f"see {out / 'run' / 'predictions.png'}"
        )
    return 0


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    about = "Show the model in the box, then train, export and stream one of rooms."
    parser = ArgumentParser("clipdepth demo", about, "clipdepth demo --out demo")
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="folder (default: demo)")
    return parser


FRAMES = "frames"


def _show(out: Path, console: Console) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Draw what every engine answers to real frames."""
    start = perf_counter()
    console.rule(f"[bold]{DEFAULT} on real frames")
    shown = show_frames(open_bundle(DEFAULT), out / "frames.png")
    for each in shown:
        if each.trial.passed:
            console.print(f"{each.trial}, {each.difference:.1e} from PyTorch's depth", markup=False, soft_wrap=True)
    console.print(f"{out / 'frames.png'}", soft_wrap=True)
    rows = [{**asdict(each.trial), "difference": each.difference} for each in shown if each.trial.passed]
    return rows, {FRAMES: perf_counter() - start}


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
        "frames_seconds": round(seconds[FRAMES], 1),
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
