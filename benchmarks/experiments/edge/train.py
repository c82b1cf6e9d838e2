"""Trains variants of `edge` on one dataset, each for as long, and notes what came of them.

    python benchmarks/experiments/edge/train.py --data kitchen --out benchmarks/results/edge [NAME…]

Writes `OUT/runs/NAME` and `OUT/experiments.json`, and prints a line each. What is done already is not done again; an
interrupted run goes on. Trunks start from random weights, so that nothing is downloaded.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_experiments import EXPERIMENTS, recipe_of
from rich.console import Console

from clipdepth.files.atomic import write_json
from clipdepth_train.trainer import Trainer

RESULTS = "experiments.json"


def main() -> None:
    """Train, note, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], metavar="NAME", help="default: all of them")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/edge"))
    options = parser.parse_args()
    console = Console(stderr=True)
    for name in options.names or EXPERIMENTS:
        console.print(f"{name}: {EXPERIMENTS[name].tells}", highlight=False)
        recipe = replace(recipe_of(EXPERIMENTS[name]), data=(options.data,))
        if recipe.teacher:
            recipe = replace(recipe, teacher=str(options.out / "runs" / recipe.teacher))
        report = Trainer(recipe, options.out / "runs" / name, console).run()
        _note(options.out / RESULTS, name, report)


def _note(path: Path, name: str, report: dict[str, Any]) -> None:
    found = json.loads(path.read_text()) if path.is_file() else {}
    found[name] = {
        "tells": EXPERIMENTS[name].tells,
        "rel": report["metrics"]["rel"],
        "delta1": report["metrics"]["delta1"],
        "rmse": report["metrics"]["rmse"],
        "epochs": report["recipe"]["epochs"],
        "training_seconds": report["training_seconds"],
        "parameters": report["parameters"],
        "gflop": report["flops"] / 1e9,
    }
    write_json(path, found)
    sys.stdout.write(f"{name} {json.dumps(found[name], ensure_ascii=False)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
