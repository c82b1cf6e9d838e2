"""Trains variants of the recipe edge-nyu, each alike, and measures them on blocks of NYU's training frames held out.

    python benchmarks/experiments/nyu/experiments.py --data nyu --out benchmarks/results/nyu [--other kitchen] [NAME…]

Writes `OUT/runs/NAME`, `OUT/experiments.json` and `OUT/experiments.md`, a row for each experiment, and prints it. What
is done already is not done again; an interrupted run goes on. Test frames are not read: of `--other`, a set of another
camera that nothing is trained on, training frames are measured too.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from clipdepth.bundle.metrics import Align, mean_metrics
from clipdepth.files.atomic import write_json, write_text
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.evaluation import Crop, compare, frame_metrics, predictor
from clipdepth_train.models import EdgeConfig
from clipdepth_train.named_data import measured_data
from clipdepth_train.recipe import AugmentConfig, Recipe, with_trunk
from clipdepth_train.recipes import RECIPES
from clipdepth_train.trainer import Trainer

_EDGE = RECIPES["edge-nyu"]
WHOLE = replace(
    _EDGE,
    frames=replace(_EDGE.frames, held_out=5, other_sizes=()),
    augment=replace(_EDGE.augment, zoom=1.7, shrink=1.0, shapes=0.0),
)
"""The recipe before it learned other shapes, with frames held out: what the experiments of the time changed."""
_BASE = replace(
    WHOLE,
    model=with_trunk(_EDGE.model, name="tf_efficientnet_lite0"),
    frames=replace(WHOLE.frames, height=192, width=256),
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


SHAPES: dict[str, AugmentConfig] = {
    "": WHOLE.augment,
    "mild": replace(WHOLE.augment, zoom=1.7, shrink=0.7, shapes=0.4),
    "strong": replace(WHOLE.augment, zoom=2.2, shrink=0.6, shapes=0.5),
}


def _lite(tells: str, number: int, seed: int = 0, shapes: str = "", **model: Any) -> Experiment:
    """Another trunk, and what else is changed at once."""

    def change(recipe: Recipe) -> Recipe:
        network = with_trunk(recipe.model, name=f"tf_efficientnet_lite{number}")
        assert isinstance(network, EdgeConfig)
        changed = replace(recipe, model=replace(network, **model), seed=seed)
        if not shapes:
            return changed
        height, width = changed.frames.height, changed.frames.width
        wide = round(0.8 * height / 32) * 32
        frames = replace(changed.frames, other_sizes=((wide, width), (width, height), (width, wide)))
        return replace(changed, frames=frames, augment=SHAPES[shapes])

    return Experiment(tells, change)


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
    "lite2-seed-1": _lite("EfficientNet-Lite2, another seed", 2, seed=1),
    "lite2-narrow": _lite("EfficientNet-Lite2, a pyramid of 48 channels and 48 bins (base: 64)", 2, width=48, bins=48),
    "lite1-seed-1": _lite("EfficientNet-Lite1, another seed", 1, seed=1),
    **{
        f"lite{number}-{shapes}{f'-seed-{seed}' if seed else ''}": _lite(
            f"EfficientNet-Lite{number}, other sizes, shapes and zooms, {shapes}{', another seed' if seed else ''}",
            number,
            seed,
            shapes,
        )
        for number, shapes in ((0, "mild"), (1, "mild"), (2, "mild"), (2, "strong"))
        for seed in (0, 1)
    },
    "lite2-narrow-mild": _lite("EfficientNet-Lite2, 48 channels and bins, mild", 2, shapes="mild", width=48, bins=48),
    "rotate-10": _part("augment", "turned by up to 10° (base: 2.5°)", rotate=10.0),
    "tilt-5": _part("augment", "the camera turned up, down and aside by up to 5°", tilt=5.0),
    "tilt-10": _part("augment", "the same, 10°", tilt=10.0),
    "tilt-15": _part("augment", "the same, 15°", tilt=15.0),
    "turned": _part("augment", "tilt of 10° and turned by up to 5°", tilt=10.0, rotate=5.0),
    "zoom-2.5": _part("augment", "zoom to 2.5 (base: 1.7)", zoom=2.5),
    "wide": _part("model", "a pyramid of 128 channels (base: 64)", width=128),
    "bins-128": _part("model", "128 bins (base: 64)", bins=128),
    "no-average": _part("optim", "last weights in place of averaged ones", ema=0.0),
    "no-decay": _part("optim", "no weight decay", weight_decay=0.0),
    "gradient-1": _part("loss", "the whole gradient loss (base: half)", gradient=1.0),
    "lambda-0": _part("loss", "SILog forgives nothing", silog_lambda=0.0),
    "colours": _part(
        "augment", "jitter 0.5, tint 0.2, gamma 0.5 (base: 0.3, 0.1, 0.25)", jitter=0.5, tint=0.2, gamma=0.5
    ),
    "sensor": _part("augment", "half of the pictures blurred and noisy (base: a tenth)", sensor=0.5),
    "rates": _part("optim", "one rate of 1e-3 (base: 2e-3, trunk 5e-4)", learning_rate=1e-3, trunk_learning_rate=1e-3),
    "decay": _part("optim", "weight decay 0.2 (base: 0.05)", weight_decay=0.2),
}


def main() -> None:
    """Train, measure, note."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *EXPERIMENTS], metavar="NAME", help="default: all of them")
    parser.add_argument("--data", required=True)
    parser.add_argument("--other", help="a folder of RGB-D pairs of another camera, to measure on as well")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/nyu"))
    options = parser.parse_args()
    console = Console(stderr=True)
    for name in options.names or EXPERIMENTS:
        console.print(f"{name}: {EXPERIMENTS[name].tells}", highlight=False)
        run = options.out / "runs" / name
        report = Trainer(replace(EXPERIMENTS[name].change(_BASE), data=(options.data,)), run, console).run()
        note(options.out, name, measured(*load_run(run), options.other), report)


def measured(model: DepthModel, recipe: Recipe, other: str | None) -> dict[str, float]:
    """rel, rmse and δ1 in Eigen's crop of the frames held out, after median alignment too, and of the other camera."""
    held_out = open_set(measured_data(recipe.data), "test", recipe.frames)
    found = _errors(model, recipe, held_out, "eigen", {"none": "", "median": "aligned "})
    if other is not None:
        found |= _errors(
            model, recipe, open_set(other, "train", replace(recipe.frames, held_out=0)), "all", {"none": "other "}
        )
    return found


def _errors(
    model: DepthModel, recipe: Recipe, pairs: RgbdSet, crop: Crop, prefixes: Mapping[Align, str]
) -> dict[str, float]:
    """Of some hundred pairs, evenly spread: each is predicted once, and measured by every alignment of `prefixes`."""
    indices = range(0, len(pairs), max(1, len(pairs) // 100))
    compared = list(compare(predictor(model, recipe.frames), pairs, recipe.frames, crop, indices))
    found: dict[str, float] = {}
    for align, prefix in prefixes.items():
        metrics = mean_metrics(list(frame_metrics(compared, align).values()))
        found |= {f"{prefix}rel": metrics.rel, f"{prefix}rmse": metrics.rmse, f"{prefix}δ1": metrics.delta1}
    return found


def note(out: Path, name: str, errors: dict[str, float], report: dict[str, Any]) -> None:
    """Add what an experiment measured to `out/experiments.json`, and print its row."""
    path = out / "experiments.json"
    found = json.loads(path.read_text()) if path.is_file() else {}
    kept = {key: report[key] for key in ("training_frames", "test_frames", "training_seconds", "parameters", "flops")}
    found[name] = {"tells": EXPERIMENTS[name].tells, **errors, **kept}
    write_json(path, found)
    rows = [f"| `{each}` | {_cells(result)} |" for each, result in found.items()]
    heading = "| | what differs | rel ↓ | δ1 ↑ | rmse m ↓ | aligned rel ↓ | aligned δ1 ↑ | other rel ↓ | other δ1 ↑ |"
    rule = "| --- | --- | --: | --: | --: | --: | --: | --: | --: |"
    write_text(out / "experiments.md", "\n".join([heading, rule, *rows, ""]))
    sys.stdout.write(f"{rows[-1]}\n")
    sys.stdout.flush()


def _cells(result: dict[str, Any]) -> str:
    columns = ("rel", "δ1", "rmse", "aligned rel", "aligned δ1", "other rel", "other δ1")
    return " | ".join([result["tells"], *(f"{result[key]:.3f}" if key in result else "–" for key in columns)])


if __name__ == "__main__":
    main()
