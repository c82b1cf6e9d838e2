"""Trains variants of the recipe edge-nyu, each alike, and measures them on blocks of NYU's training frames held out.

    python benchmarks/nyu/experiments.py --data nyu --out benchmarks/results/nyu [NAME…]

Writes `OUT/runs/NAME`, `OUT/experiments.json` and `OUT/experiments.md`, a row for each experiment, and prints it. What
is done already is not done again; an interrupted run goes on. Test frames are not read.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from clipdepth.atomic import write_json, write_text
from clipdepth.metrics import mean_metrics
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.loader import open_set
from clipdepth_train.evaluation import evaluate, predictor
from clipdepth_train.recipe import Recipe, with_trunk
from clipdepth_train.recipes import RECIPES
from clipdepth_train.trainer import Trainer

_EDGE = RECIPES["edge-nyu"]
_BASE = replace(
    _EDGE,
    model=with_trunk(_EDGE.model, name="tf_efficientnet_lite0"),
    frames=replace(_EDGE.frames, height=192, width=256, held_out=5),
    epochs=8,
)
"""Smaller, shorter and with the smallest trunk, so that an experiment takes minutes; it ranks, and no more."""


@dataclass(frozen=True)
class Experiment:
    """A change to the base, and what it is."""

    tells: str
    change: Callable[[Recipe], Recipe] = lambda recipe: recipe


def _part(part: str, tells: str, **changes: Any) -> Experiment:
    return Experiment(tells, lambda recipe: replace(recipe, **{part: replace(getattr(recipe, part), **changes)}))


def _trunk(name: str, weights: str, tells: str) -> Experiment:
    return Experiment(tells, lambda recipe: replace(recipe, model=with_trunk(recipe.model, name=name, weights=weights)))


EXPERIMENTS = {
    "base": Experiment("EfficientNet-Lite0, 192×256, 8 epochs"),
    "seed-1": Experiment("another seed", lambda recipe: replace(recipe, seed=1)),
    "lite2": _trunk("tf_efficientnet_lite2", "imagenet", "EfficientNet-Lite2"),
    "no-zoom": _part("augment", "no zoom", zoom=1.0),
    "no-gradient": _part("loss", "no gradient loss", gradient=0.0),
    "lambda-0.85": _part("loss", "SILog forgives more of the mean log error (base: 0.5)", silog_lambda=0.85),
    "plain-colours": _part(
        "augment", "no tint, no tone curve, no sensor, jitter of 0.2", jitter=0.2, tint=0.0, gamma=0.0, sensor=0.0
    ),
    "long": Experiment("16 epochs", lambda recipe: replace(recipe, epochs=16)),
    "trunk-rate": _part("optim", "the trunk learns at the decoder's rate", trunk_learning_rate=2e-3),
    "random": _trunk("tf_efficientnet_lite0", "none", "random weights in place of ImageNet's"),
    "lite1": _trunk("tf_efficientnet_lite1", "imagenet", "EfficientNet-Lite1"),
}


def main() -> None:
    """Train, measure, note."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], metavar="NAME", help="default: all of them")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/nyu"))
    options = parser.parse_args()
    console = Console(stderr=True)
    for name in options.names or EXPERIMENTS:
        console.print(f"{name}: {EXPERIMENTS[name].tells}", highlight=False)
        run = options.out / "runs" / name
        report = Trainer(replace(EXPERIMENTS[name].change(_BASE), data=options.data), run, console).run()
        _note(options.out, name, _measured(run), report)


def _measured(run: Path) -> dict[str, float]:
    """rel, rmse and δ1 in Eigen's crop of the frames held out, and after median alignment."""
    model, recipe = load_run(run)
    pairs = open_set(recipe.data, "test", recipe.frames)
    found: dict[str, float] = {}
    for align, prefix in (("none", ""), ("median", "aligned ")):
        images = evaluate(predictor(model, recipe.frames), pairs, recipe.frames, "eigen", range(len(pairs)), align)  # type: ignore[arg-type]
        metrics = mean_metrics(images)
        found |= {f"{prefix}rel": metrics.rel, f"{prefix}rmse": metrics.rmse, f"{prefix}δ1": metrics.delta1}
    return found


def _note(out: Path, name: str, measured: dict[str, float], report: dict[str, Any]) -> None:
    path = out / "experiments.json"
    found = json.loads(path.read_text()) if path.is_file() else {}
    kept = {key: report[key] for key in ("training_frames", "test_frames", "training_seconds", "parameters", "flops")}
    found[name] = {"tells": EXPERIMENTS[name].tells, **measured, **kept}
    write_json(path, found)
    rows = [f"| `{each}` | {_cells(result)} |" for each, result in found.items()]
    heading = "| | what differs | rel ↓ | δ1 ↑ | rmse m ↓ | aligned rel ↓ | aligned δ1 ↑ |"
    write_text(out / "experiments.md", "\n".join([heading, "| --- | --- | --: | --: | --: | --: | --: |", *rows, ""]))
    sys.stdout.write(f"{rows[-1]}\n")
    sys.stdout.flush()


def _cells(result: dict[str, Any]) -> str:
    figures = (f"{result[key]:.3f}" for key in ("rel", "δ1", "rmse", "aligned rel", "aligned δ1"))
    return " | ".join([result["tells"], *figures])


if __name__ == "__main__":
    main()
