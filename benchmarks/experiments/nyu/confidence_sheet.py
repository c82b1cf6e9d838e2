"""What a bundle with confidence says of NYU's test frames, beside where it is right: a picture.

    python benchmarks/experiments/nyu/confidence_sheet.py edge-nyu --data nyu --out confidence.jpg

A column a frame, evenly spread: the image, depth, confidence from black, which is 20% or less, to white, which is 70%
or more, and in white the pixels whose depth is within 10% of the truth.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sheet import Picture, Row, draw_sheet, log_colours, save_jpeg

import clipdepth
from clipdepth.cli.arguments import ArgumentParser, positive_int
from clipdepth.errors import ClipdepthError, UsageError
from clipdepth.sinks.picture_grid import depth_span
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import evenly_spread
from clipdepth_train.recipe import DataConfig

LEAST, MOST = 0.2, 0.7
"""Of confidence, black and white."""


def main(argv: Sequence[str]) -> None:
    """Draw the picture."""
    options = _parser().parse_args(argv)
    pairs = open_set(options.data, "test", DataConfig())
    chosen = [pairs[index] for index in evenly_spread(len(pairs), options.frames)]
    with clipdepth.load(options.bundle, camera=None) as model:
        if not model.bundle.manifest.confidence:
            raise UsageError(f"{options.bundle} does not state confidence; run 'clipdepth confidence' and export again")
        answers = [model(pair.frame) for pair in chosen]
    span = depth_span([pair.depth for pair in chosen])
    confidences = [answer.confidence for answer in answers if answer.confidence is not None]
    right = [_within(answer.depth, pair.depth) for answer, pair in zip(answers, chosen, strict=True)]
    rows = [
        Row("image", [pair.frame for pair in chosen], [""] * len(chosen)),
        Row("depth", [log_colours(answer.depth, span) for answer in answers], [""] * len(chosen)),
        Row(
            "confidence: how likely depth is within 10%",
            [_grey((confidence - LEAST) / (MOST - LEAST)) for confidence in confidences],
            [f"mean {confidence.mean():.0%}" for confidence in confidences],
        ),
        Row("white: depth is within 10%", [_grey(each) for each in right], [f"{each.mean():.0%}" for each in right]),
    ]
    save_jpeg(options.out, draw_sheet(rows, span))


def _within(depth: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
    known = np.where(truth > 0, truth, np.inf)
    return (np.abs(depth / known - 1) <= 0.1).astype(np.float32)


def _grey(share: NDArray[np.float32]) -> Picture:
    grey = (255 * np.clip(share, 0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser("confidence_sheet.py", "Confidence on NYU's test frames beside where depth is right.")
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="NYU's frames")
    parser.add_argument("--frames", type=positive_int, default=8, help="frames in the picture (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JPEG")
    return parser


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ClipdepthError as error:
        raise SystemExit(f"confidence_sheet.py: error: {error}") from None
