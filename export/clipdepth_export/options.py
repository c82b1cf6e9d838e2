"""The options of `clipdepth export`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import get_args

from clipdepth.bundle.agreement import MOST_LOOSENED, TOLERANCES, Tolerance, largest_mean
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import PRECISIONS, Precision
from clipdepth.cli.arguments import ArgumentParser, picture_size, positive_float, positive_int
from clipdepth_export.sources import UNKNOWN


def tolerance(text: str) -> tuple[Precision, Tolerance]:
    """Read 'PRECISION=MEAN' or 'PRECISION=MEAN,POINTS'; for `add_argument(type=…)`."""
    name, _, limits = text.partition("=")
    try:
        mean, *points = (float(part) for part in limits.split(","))
        found = next(precision for precision in PRECISIONS if precision == name)
    except (ValueError, StopIteration):
        mean, points = -1.0, []
    if len(points) > 1 or not all(0 <= value < float("inf") for value in (mean, *points)):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not PRECISION=MEAN[,POINTS], such as int8=0.03,1: the mean relative difference of depth "
            "from PyTorch's, and the change of δ1 in points"
        )
    if mean > largest_mean(found):
        raise argparse.ArgumentTypeError(
            f"'{text}' allows more than {largest_mean(found):g}, {MOST_LOOSENED} times what {found} may differ by"
        )
    usual = TOLERANCES[found]
    return found, replace(usual, mean=mean, delta1=points[0] / 100 if points else usual.delta1)


def focal(text: str) -> float | str:
    """Read a focal length, or 'unknown'; for `add_argument(type=…)`."""
    return UNKNOWN if text == UNKNOWN else positive_float(text)


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    about = "Export a depth model to a bundle, verified against PyTorch."
    parser = ArgumentParser("clipdepth export", about, "clipdepth export runs/edge --precision fp32 fp16 int8")
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a trained run's folder, hf:OWNER/NAME[@REVISION], a folder that transformers loads, or "
        "python:PACKAGE.MODULE:FUNCTION, which returns a PyTorch module",
    )
    add("--out", type=Path, metavar="BUNDLE", help="folder to write (default: MODEL's name with .bundle)")
    add(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["fp32"],
        help="the graphs to write (default: fp32); int8 is calibrated on up to 64 frames",
    )
    add(
        "--data",
        metavar="DATA",
        help="dataset for golden and calibration frames (default: what the run learned from)",
    )
    add("--frames", metavar="PICTURES", help="the same for a model that is no run: a folder of pictures or a video")
    add(
        "--size",
        type=picture_size,
        action="append",
        metavar="HxW",
        help="the input's height and width in pixels (default: the model's own, all that a run was trained on); given "
        "more than once, the bundle has graphs of each, from one set of weights, and a device takes the one of the "
        "nearest shape",
    )
    add("--kind", choices=get_args(DepthKind), help="what the model answers (default: what its config says)")
    add("--max-depth", type=positive_float, metavar="METRES", help="the largest depth of a metric model, likewise")
    add(
        "--focal",
        type=focal,
        metavar=f"PIXELS|{UNKNOWN}",
        help="the training camera's focal length in pixels of the input, where the model does not say it",
    )
    add("--licence", metavar="TEXT", help="what the model may be used for, where its card does not say it")
    add("--weights", action="store_true", help="put the weights in, in half, for 'clipdepth train --start BUNDLE'")
    add(
        "--accuracy",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="state what 'clipdepth evaluate RUN --json FILE' measured, with --uncertainty also of confidence",
    )
    add("--description", default="", metavar="TEXT", help="state the trunk and the data in a line")
    add("--sam-weights", metavar="PATH", help="SAM's weights, for a model that was trained with its masks")
    add(
        "--max-batch",
        type=positive_int,
        default=1,
        metavar="N",
        help="frames at once, at most (default: 1, every shape static)",
    )
    add(
        "--tolerance",
        type=tolerance,
        action="append",
        default=[],
        metavar="P=MEAN[,POINTS]",
        help="allow precision P another mean relative difference, and change of δ1, than "
        "fp32=1e-4, fp16=5e-3,0.2 and int8=3e-2,1; at most ten times that mean, and said wherever a verdict is",
    )
    return parser
