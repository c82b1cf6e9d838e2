"""Trains variants of the recipe edge-nyu at its own size, all at once on one GPU, and measures them on frames held out.

    python benchmarks/experiments/nyu/sweep.py --data nyu --out sweep [--other kitchen] [--epochs 24] [NAME…]

The experiments are those of experiments.py, at the recipe's own size. Fourteen of one size took six minutes on an H100;
eighteen of four sizes took 136 steps a second together and kept it busy. Writes `OUT/experiments.json`,
`OUT/experiments.md` and `OUT/runs/NAME/checkpoint.safetensors`; it cannot be resumed.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from graphed_training import GraphedTraining
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clipdepth_train.checkpoint import CHECKPOINT, save_checkpoint
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdPair, RgbdSet
from clipdepth_train.trainer import input_focal
from experiments import EXPERIMENTS, WHOLE, measured, note


class Decoded:
    """A set whose pictures are decoded once and kept in memory, which all loading processes share."""

    def __init__(self, pairs: RgbdSet) -> None:
        self._pairs = pairs
        with ThreadPoolExecutor() as threads:
            self._kept = list(threads.map(pairs.__getitem__, range(len(pairs))))

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> RgbdPair:
        return self._kept[index]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pairs, name)


def main() -> None:
    """Capture, train in turns, measure, note."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], metavar="NAME", help="default: all of them")
    parser.add_argument("--data", required=True)
    parser.add_argument("--other", help="a folder of RGB-D pairs of another camera, to measure on as well")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    console = Console(stderr=True)
    # Not cudnn.benchmark: its search took 80 s on an H100 for the first network of four sizes.
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    base = replace(WHOLE, data=(options.data,), epochs=options.epochs)
    pairs = Decoded(open_set(options.data, "train", base.frames))
    tests = open_set(options.data, "test", base.frames)
    trainings = {}
    for name in options.names or EXPERIMENTS:
        console.print(f"{name}: {EXPERIMENTS[name].tells}", highlight=False)
        trainings[name] = GraphedTraining(EXPERIMENTS[name].change(base), pairs, device)
    started = time.perf_counter()
    train(trainings, console)
    seconds = time.perf_counter() - started
    for name, training in trainings.items():
        recipe, model = training.recipe, training.model
        report = {
            "training_frames": len(pairs),
            "test_frames": len(tests),
            "training_seconds": seconds,
            "parameters": model.parameter_count(),
            "flops": model.flops(recipe.frames.height, recipe.frames.width),
        }
        state = {"report": report, "camera": input_focal(tests, recipe.frames)}
        save_checkpoint(options.out / "runs" / name / CHECKPOINT, model.state_dict(), recipe, state)
        note(options.out, name, measured(model, recipe, options.other), report)


def train(trainings: dict[str, GraphedTraining], console: Console) -> None:
    """A step of each in turn until all are done."""
    for training in trainings.values():
        training.begin()
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=sum(training.steps for training in trainings.values()))
        while left := [training for training in trainings.values() if training.step < training.steps]:
            for training in left:
                training.advance()
                progress.advance(bar)
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
