"""Shows what a teacher does: a small student with labels, with a teacher and more pictures, with the teacher alone.

    python benchmarks/experiments/nyu/taught.py --data nyu --other kitchen --out taught [--teacher edge-nyu] [NAME…]

The students are alike but for what they learn from. `labels` has NYU's measured depth; `taught` that, the teacher's
answers to NYU's pictures, and its answers to the kitchen's training pictures, whose depth nobody reads; `alone` the
same without any measured depth. They take about as many steps. `teacher` is measured as well; edge-nyu has seen the
blocks of NYU that are held out here, a run with `--frames.held-out 5` has not.

Writes `OUT/runs/NAME` and `OUT/taught.json`: rel, rmse and δ1 of NYU's training blocks held out (Eigen's crop) and of
the kitchen's test frames (all pixels), aligned too. What is done is not done again; an interrupted run goes on. The
teacher's answers are kept in the data's folders.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from clipdepth.bundle.metrics import Align, mean_metrics
from clipdepth.files.atomic import write_json
from clipdepth_train.candidate import open_candidate
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import Split
from clipdepth_train.evaluation import Crop, Predict, compare, frame_metrics
from clipdepth_train.recipe import DataConfig, LossConfig, Recipe, with_trunk
from clipdepth_train.recipes import RECIPES
from clipdepth_train.trainer import Trainer
from clipdepth_train.training_data import open_training

NAMES = ("teacher", "labels", "taught", "alone")
RESULTS = "taught.json"


def main() -> None:
    """Train each student, measure it, note it."""
    options = _parser().parse_args()
    console = Console(stderr=True)
    for name in options.names or NAMES:
        if name == "teacher":
            named, seconds = options.teacher, None
        else:
            named = str(options.out / "runs" / name)
            seconds = Trainer(student(name, options), Path(named), console).run()["training_seconds"]
        _note(options.out / RESULTS, name, {**measured(named, options), "training_seconds": seconds})


def student(name: str, options: argparse.Namespace) -> Recipe:
    """The recipe of one of the students: edge-nyu's, at a smaller size and with a smaller trunk."""
    edge = RECIPES["edge-nyu"]
    height, width = options.size
    base = replace(
        edge,
        model=with_trunk(edge.model, name=options.trunk, weights=options.trunk_weights),
        frames=replace(edge.frames, height=height, width=width, other_sizes=(), held_out=5, workers=options.workers),
        data=(options.data,),
        epochs=options.epochs,
        mixed_precision=options.mixed_precision,
    )
    if name == "labels":
        return base
    loss = replace(base.loss, distillation=options.weight)
    if name == "alone":
        loss = LossConfig("none", distillation=options.weight)
    taught = replace(base, data=(options.data, f"{options.other}/train"), teacher=options.teacher, loss=loss)
    return replace(taught, epochs=_epochs(base, taught))


def _epochs(base: Recipe, taught: Recipe) -> int:
    """Epochs of the larger set that take the steps which the base's take."""
    shown = [sum(share.shown for share in open_training(recipe).pairs.shares) for recipe in (base, taught)]
    return max(1, round(base.epochs * shown[0] / shown[1]))


def measured(named: str, options: argparse.Namespace) -> dict[str, float]:
    """The errors of a run or a bundle on NYU's blocks held out and on the kitchen's test frames."""
    held_out = DataConfig(held_out=5)
    with open_candidate(named) as candidate:
        found = _errors(candidate.predict, options.data, "test", held_out, "eigen", "none", "")
        found |= _errors(candidate.predict, options.data, "test", held_out, "eigen", "median", "aligned ")
        found |= _errors(candidate.predict, options.other, "test", DataConfig(), "all", "none", "kitchen ")
        return found | _errors(
            candidate.predict, options.other, "test", DataConfig(), "all", "median", "kitchen aligned "
        )


def _errors(
    predict: Predict, data: str, split: Split, frames: DataConfig, crop: Crop, align: Align, prefix: str
) -> dict[str, float]:
    pairs = open_set(data, split, frames)
    compared = compare(predict, pairs, frames, crop, range(len(pairs)))
    metrics = asdict(mean_metrics(list(frame_metrics(compared, align).values())))
    return {f"{prefix}{name}": metrics[name] for name in ("rel", "rmse", "delta1")}


def _note(path: Path, name: str, found: dict[str, Any]) -> None:
    noted = json.loads(path.read_text()) if path.is_file() else {}
    noted[name] = found
    write_json(path, noted)
    sys.stdout.write(f"{name} {json.dumps(found, ensure_ascii=False)}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("names", nargs="*", choices=[[], *NAMES], metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    add("--data", required=True, help="NYU, with depth")
    add("--other", required=True, help="the kitchen: train/, whose depth is not read, and test frames to measure on")
    add("--teacher", default="edge-nyu", help="a run, a bundle or a model that ships (default: %(default)s)")
    add("--out", type=Path, default=Path("benchmarks/results/nyu/taught"))
    add("--size", type=int, nargs=2, default=(192, 256), metavar=("H", "W"), help="the student's input")
    add("--epochs", type=int, default=8, help="of 'labels'; the others take as many steps (default: %(default)s)")
    add("--weight", type=float, default=1.0, help="of the teacher's answers (default: %(default)s)")
    add("--trunk", default="tf_efficientnet_lite0", help="the student's (default: %(default)s)")
    add("--trunk-weights", default="imagenet", help="its first weights (default: %(default)s)")
    add("--mixed-precision", default="no", choices=("no", "bf16", "fp16"))
    add("--workers", type=int, default=1, help="processes that load data (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
