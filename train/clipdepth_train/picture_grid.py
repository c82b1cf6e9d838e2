"""A picture of what a model does: rows of image, ground truth, prediction and error."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.atomic import atomic_file
from clipdepth.depth_picture import FONT, INK, INVALID, PAPER, colour_bar, colourise
from clipdepth.errors import OutputError
from clipdepth.resize import resize_depth, resize_frame, resize_measured_depth
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import Predict

TILE_WIDTH = 240
WORST_ERROR = 0.5
"""The relative error that is white in the error picture."""
TITLES = ("image", "ground truth", "prediction", f"error, 0 to {WORST_ERROR:.0%}")


def picture_grid(pairs: Sequence[RgbdPair], predict: Predict) -> NDArray[np.uint8]:
    """Image, truth, prediction and relative error of each pair, a row each: (H, W, 3) uint8 BGR.

    Depth is coloured over the 2nd to 98th percentile of all true depth shown.
    """
    known = np.concatenate([pair.depth[pair.depth > 0] for pair in pairs] or [np.ones(1, np.float32)])
    near, far = (float(p) for p in np.percentile(known, (2, 98))) if known.size else (0.3, 10.0)
    rows = [_row(pair, predict(pair.frame), near, max(far, near + 0.1)) for pair in pairs]
    grid = np.vstack([_titles(rows[0].shape[1]), *rows])
    bar = colour_bar(grid.shape[0], near, max(far, near + 0.1))
    return np.hstack([grid, bar])


def save_picture_grid(path: Path, pairs: Sequence[RgbdPair], predict: Predict) -> None:
    """Write the grid as a PNG or JPEG, by the suffix of `path`."""
    written, data = cv2.imencode(path.suffix, picture_grid(pairs, predict))
    if not written:
        raise OutputError(f"cannot encode {path}; give it the suffix .png or .jpg")
    with atomic_file(path) as partial:
        partial.write_bytes(data.tobytes())


def _row(pair: RgbdPair, predicted: NDArray[np.float32], near: float, far: float) -> NDArray[np.uint8]:
    height = round(TILE_WIDTH * pair.frame.shape[0] / pair.frame.shape[1])
    truth = resize_measured_depth(pair.depth, height, TILE_WIDTH)
    predicted = resize_depth(predicted, height, TILE_WIDTH)
    frame = resize_frame(np.ascontiguousarray(pair.frame), height, TILE_WIDTH)
    tiles = [frame, colourise(truth, near, far), colourise(predicted, near, far), _error(predicted, truth)]
    return np.hstack(tiles)


def _error(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = truth > 0
    relative = np.abs(predicted - truth) / np.where(known, truth, 1)
    levels = (255 * np.clip(relative / WORST_ERROR, 0, 1)).astype(np.uint8)
    picture = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    picture[~known] = INVALID
    return np.asarray(picture, np.uint8)


def _titles(width: int) -> NDArray[np.uint8]:
    strip = np.full((22, width, 3), PAPER, np.uint8)
    for column, title in enumerate(TITLES):
        cv2.putText(strip, title, (column * TILE_WIDTH + 6, 15), FONT, 0.42, INK, 1, cv2.LINE_AA)
    return strip
