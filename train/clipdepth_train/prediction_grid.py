"""Pictures of what models do: a row a scene, and a column each for image, ground truth, predictions, error."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.resize import resize_depth, resize_measured_depth
from clipdepth.sinks.depth_picture import INVALID
from clipdepth.sinks.picture_grid import depth_span, depth_tile, draw_grid, measured_tile, tile_size
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import Predict

WORST_ERROR = 0.5
"""The relative error that is white in the error picture."""


def prediction_grid(pairs: Sequence[RgbdPair], predict: Predict) -> NDArray[np.uint8]:
    """Image, truth, prediction and relative error of each pair, a row each: (H, W, 3) uint8 BGR.

    Depth is coloured over the 2nd to 98th percentile of all true depth shown.
    """
    span = depth_span([pair.depth for pair in pairs])
    titles = ("image", "ground truth", "prediction", f"error, 0 to {WORST_ERROR:.0%}")
    return draw_grid(titles, [_row(pair, predict(pair), span) for pair in pairs], span)


def _row(pair: RgbdPair, depth: NDArray[np.float32], span: tuple[float, float]) -> list[NDArray[np.uint8]]:
    size = tile_size(pair.depth)
    error = _error(resize_depth(depth, *size), resize_measured_depth(pair.depth, *size))
    return [pair.frame, measured_tile(pair.depth, span), depth_tile(depth, span), error]


def _error(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = truth > 0
    relative = np.abs(predicted - truth) / np.where(known, truth, 1)
    levels = (255 * np.clip(relative / WORST_ERROR, 0, 1)).astype(np.uint8)
    picture = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    picture[~known] = INVALID
    return np.asarray(picture, np.uint8)
