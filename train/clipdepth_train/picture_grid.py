"""Pictures of what models do: a row a scene, and a column each for image, ground truth, predictions, error."""

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


def picture_grid(pairs: Sequence[RgbdPair], predict: Predict) -> NDArray[np.uint8]:
    """Image, truth, prediction and relative error of each pair, a row each: (H, W, 3) uint8 BGR.

    Depth is coloured over the 2nd to 98th percentile of all true depth shown.
    """
    span = shown_span(pairs)
    titles = ("image", "ground truth", "prediction", f"error, 0 to {WORST_ERROR:.0%}")
    return draw_grid(titles, [_row(pair, predict(pair), span) for pair in pairs], span)


def draw_grid(
    titles: Sequence[str], rows: Sequence[Sequence[NDArray[np.uint8]]], span: tuple[float, float]
) -> NDArray[np.uint8]:
    """Rows of tiles under their titles, beside a bar of the colours of depth over `span`, metres."""
    pictures = [np.hstack([_tile(picture) for picture in row]) for row in rows]
    grid = np.vstack([_titles(titles), *pictures])
    return np.hstack([grid, colour_bar(grid.shape[0], *span)])


def save_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, (H, W, 3) uint8 BGR, as a PNG or JPEG, by the suffix of `path`."""
    written, data = cv2.imencode(path.suffix, picture)
    if not written:
        raise OutputError(f"cannot encode {path}; give it the suffix .png or .jpg")
    with atomic_file(path) as partial:
        partial.write_bytes(data.tobytes())


def shown_span(pairs: Sequence[RgbdPair]) -> tuple[float, float]:
    """The 2nd and 98th percentile of the pairs' true depth, metres, over which depth is coloured."""
    known = np.concatenate([pair.depth[pair.depth > 0] for pair in pairs] or [np.ones(1, np.float32)])
    near, far = (float(p) for p in np.percentile(known, (2, 98))) if known.size else (0.3, 10.0)
    return near, max(far, near + 0.1)


def truth_tile(pair: RgbdPair, span: tuple[float, float]) -> NDArray[np.uint8]:
    """The pair's true depth in colours."""
    return colourise(resize_measured_depth(pair.depth, *_size(pair.depth)), *span)


def depth_tile(depth: NDArray[np.float32], span: tuple[float, float]) -> NDArray[np.uint8]:
    """Predicted depth (H, W) in colours."""
    return colourise(resize_depth(depth, *_size(depth)), *span)


def _row(pair: RgbdPair, depth: NDArray[np.float32], span: tuple[float, float]) -> list[NDArray[np.uint8]]:
    size = _size(pair.depth)
    error = _error(resize_depth(depth, *size), resize_measured_depth(pair.depth, *size))
    return [pair.frame, truth_tile(pair, span), depth_tile(depth, span), error]


def _size(picture: NDArray[np.generic]) -> tuple[int, int]:
    return round(TILE_WIDTH * picture.shape[0] / picture.shape[1]), TILE_WIDTH


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return resize_frame(np.ascontiguousarray(picture), *_size(picture))


def _error(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = truth > 0
    relative = np.abs(predicted - truth) / np.where(known, truth, 1)
    levels = (255 * np.clip(relative / WORST_ERROR, 0, 1)).astype(np.uint8)
    picture = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    picture[~known] = INVALID
    return np.asarray(picture, np.uint8)


def _titles(titles: Sequence[str]) -> NDArray[np.uint8]:
    strip = np.full((22, len(titles) * TILE_WIDTH, 3), PAPER, np.uint8)
    for column, title in enumerate(titles):
        cv2.putText(strip, title, (column * TILE_WIDTH + 6, 15), FONT, 0.42, INK, 1, cv2.LINE_AA)
    return strip
