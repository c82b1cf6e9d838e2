"""The picture of a model card: golden frames, their measured depth where there is one, and PyTorch's depth."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.kind import METRIC
from clipdepth.sinks.depth_picture import colourise
from clipdepth.sinks.picture_grid import depth_span, depth_tile, draw_grid, draw_rows, measured_tile, save_picture
from clipdepth.sinks.relative import FARTHEST, NEAREST, spread

PICTURED = 4
"""Frames in the picture, at most."""


def save_card_picture(bundle: Bundle, path: Path) -> None:
    """Write the picture to `path`, a JPEG or PNG: a row for each of up to four golden frames."""
    save_picture(path, _picture(bundle))


def _picture(bundle: Bundle) -> NDArray[np.uint8]:
    golden, kind = bundle.golden(), bundle.manifest.kind
    indices = np.linspace(0, len(golden.frames) - 1, min(PICTURED, len(golden.frames))).round().astype(int)
    chosen = golden.at(indices.tolist())
    if kind != METRIC:
        coloured = [colourise(spread(depth, kind), NEAREST, FARTHEST) for depth in chosen.depth]
        return draw_rows(["image", kind], list(zip(chosen.frames, coloured, strict=True)))
    measured = chosen.truth.any()
    span = depth_span(list(chosen.truth if measured else chosen.depth))
    titles = ["image", *(["measured"] if measured else []), "PyTorch's depth"]
    rows = [
        [frame, *([measured_tile(truth, span)] if measured else []), depth_tile(depth, span)]
        for frame, truth, depth in zip(chosen.frames, chosen.truth, chosen.depth, strict=True)
    ]
    return draw_grid(titles, rows, span)
