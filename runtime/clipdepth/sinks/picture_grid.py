"""Pictures in rows under their titles, beside a bar of the colours of depth."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.resize import resize_depth, resize_frame, resize_measured_depth
from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file
from clipdepth.sinks.depth_picture import FONT, INK, PAPER, colour_bar, colourise

TILE_WIDTH = 240


def draw_grid(
    titles: Sequence[str], rows: Sequence[Sequence[NDArray[np.uint8]]], span: tuple[float, float]
) -> NDArray[np.uint8]:
    """Rows of tiles under their titles, and a bar of the colours of depth over `span`, metres: (H, W, 3) uint8 BGR."""
    grid = draw_rows(titles, rows)
    return np.hstack([grid, colour_bar(grid.shape[0], *span)])


def draw_rows(titles: Sequence[str], rows: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Rows of tiles under their titles alone: (H, W, 3) uint8 BGR."""
    pictures = [np.hstack([_tile(picture) for picture in row]) for row in rows]
    return np.vstack([_titles(titles), *pictures])


def save_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, (H, W, 3) uint8 BGR, as a PNG or JPEG, by the suffix of `path`."""
    written, data = cv2.imencode(path.suffix, picture)
    if not written:
        raise OutputError(f"cannot encode {path}; give it the suffix .png or .jpg")
    with atomic_file(path) as partial:
        partial.write_bytes(data.tobytes())


def depth_span(depths: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """The 2nd and 98th percentile of the known values of depth, metres, over which depth is coloured."""
    known = np.concatenate([depth[depth > 0] for depth in depths] or [np.ones(1, np.float32)])
    near, far = (float(p) for p in np.percentile(known, (2, 98))) if known.size else (0.3, 10.0)
    return near, max(far, near + 0.1)


def measured_tile(depth: NDArray[np.float32], span: tuple[float, float]) -> NDArray[np.uint8]:
    """Measured depth (H, W) in colours, 0 for unknown."""
    return colourise(resize_measured_depth(depth, *tile_size(depth)), *span)


def depth_tile(depth: NDArray[np.float32], span: tuple[float, float]) -> NDArray[np.uint8]:
    """Predicted depth (H, W) in colours."""
    return colourise(resize_depth(depth, *tile_size(depth)), *span)


def tile_size(picture: NDArray[np.generic]) -> tuple[int, int]:
    """Height and width of a picture's tile, pixels."""
    return round(TILE_WIDTH * picture.shape[0] / picture.shape[1]), TILE_WIDTH


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return resize_frame(np.ascontiguousarray(picture), *tile_size(picture))


def _titles(titles: Sequence[str]) -> NDArray[np.uint8]:
    strip = np.full((22, len(titles) * TILE_WIDTH, 3), PAPER, np.uint8)
    for column, title in enumerate(titles):
        cv2.putText(strip, title, (column * TILE_WIDTH + 6, 15), FONT, 0.42, INK, 1, cv2.LINE_AA)
    return strip
