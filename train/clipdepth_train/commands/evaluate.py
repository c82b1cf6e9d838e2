"""`clipdepth evaluate RUN`: the paper's metrics of a trained run on a dataset."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track

from clipdepth.arguments import ArgumentParser
from clipdepth.atomic import write_json
from clipdepth.metrics import mean_metrics
from clipdepth_train.checkpoint import load_run
from clipdepth_train.commands.metrics_table import metrics_table
from clipdepth_train.data.loader import open_set
from clipdepth_train.evaluation import constant_median, evaluate, predictor


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth evaluate --help`."""
    arguments = _parser().parse_args(argv)
    model, recipe = load_run(arguments.run)
    model.mirror = recipe.mirror if arguments.mirror is None else arguments.mirror
    data = arguments.data or recipe.data
    tests = open_set(data, arguments.split, recipe.frames)
    predictors = {arguments.run.name: predictor(model, recipe.frames)}
    if arguments.baseline:
        predictors["constant median"] = constant_median(open_set(data, "train", recipe.frames))
    measured, counted = {}, 0
    for name, predict in predictors.items():
        indices = track(range(len(tests)), f"evaluating {name}", console=Console(stderr=True))
        images = evaluate(predict, tests, recipe.frames, arguments.crop, indices)
        measured[name], counted = asdict(mean_metrics(images)), len(images)
    how = f"{data} ({arguments.split}), {counted} frames, crop: {arguments.crop}, "
    how += "mirrored average" if model.mirror else "single pass"
    Console().print(metrics_table(measured, how))
    if arguments.json:
        report = {
            "data": data,
            "split": arguments.split,
            "frames": counted,
            "crop": arguments.crop,
            "picture": recipe.frames.picture,
            "mirrored": model.mirror,
            "metrics": measured,
        }
        write_json(arguments.json, report)
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser("clipdepth evaluate", "Measure a trained run: metrics per image, then averaged.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run")
    parser.add_argument("--data", help="folder of RGB-D pairs, or 'rooms' (default: what it was trained on)")
    parser.add_argument("--split", choices=("test", "train"), default="test")
    parser.add_argument(
        "--crop",
        choices=("all", "eigen", "paper"),
        default="all",
        help="pixels that count: all the model sees, Eigen's crop, or the paper's (default: all)",
    )
    mirror = parser.add_mutually_exclusive_group()
    mirror.add_argument("--mirror", action="store_true", default=None, help="average in the mirror image's depth")
    mirror.add_argument("--no-mirror", action="store_false", dest="mirror", help="one pass (default: as trained)")
    parser.add_argument("--baseline", action="store_true", help="measure the constant median of the training depth too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the metrics there")
    return parser
