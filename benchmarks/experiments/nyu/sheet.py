"""A sheet of pictures: a column a scene, a row each for the image, the true depth and what models answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.resize import resize_frame
from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file
from clipdepth.sinks.depth_picture import FONT, INK, PAPER, colourise

Picture = NDArray[np.uint8]
WIDTH = 1600
BAR = 96
"""Width of the bar of colours and its figures, pixels."""
TICKS = (0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 6, 8, 10)
"""What stands beside the bar, metres."""
GAP = 4
STRIP = 26
MOST_BYTES = 400_000


@dataclass(frozen=True)
class Row:
    """A title, and a picture (H, W, 3) uint8 BGR for each scene, with a few words on it."""

    title: str
    pictures: Sequence[Picture]
    words: Sequence[str]


def draw_sheet(rows: Sequence[Row], span: tuple[float, float]) -> Picture:
    """All rows under their titles, (H, W, 3) uint8 BGR, beside a bar of the colours of depth over `span`, metres."""
    tile = (WIDTH - BAR) // len(rows[0].pictures) - GAP
    strips = np.vstack([_row(row, tile) for row in rows])
    return np.hstack([strips, _bar(strips.shape[0], span)])


def log_colours(depth: NDArray[np.float32], span: tuple[float, float]) -> Picture:
    """Depth (H, W), metres, in colours by its logarithm, so that one scale serves a nook and a hall."""
    near, far = span
    known = np.isfinite(depth) & (depth > 0)
    # From 1 on, since `colourise` takes what is not above 0 for unknown.
    scaled = np.where(known, 1 + np.log(np.maximum(np.where(known, depth, near), near) / near), 0)
    return colourise(scaled.astype(np.float32), 1.0, 1 + float(np.log(far / near)))


def save_jpeg(path: Path, picture: Picture) -> None:
    """Write the picture as JPEG, as good as fits in 400 kB."""
    for quality in range(92, 20, -6):
        written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if written and data.size < MOST_BYTES:
            with atomic_file(path) as partial:
                partial.write_bytes(data.tobytes())
            return
    raise OutputError(f"{path} does not fit in {MOST_BYTES} bytes; show fewer frames")


def _bar(height: int, span: tuple[float, float]) -> Picture:
    bar = np.full((height, BAR, 3), PAPER, np.uint8)
    near, far = span
    length = height - 2 * STRIP
    ramp = np.geomspace(near, far, length, dtype=np.float32)
    bar[STRIP : STRIP + length, 14:40] = log_colours(ramp[:, None], span)
    for metres in (tick for tick in TICKS if near <= tick <= far):
        row = STRIP + round(np.log(metres / near) / np.log(far / near) * (length - 1))
        cv2.line(bar, (40, row), (45, row), INK, 1)
        cv2.putText(bar, f"{metres:g} m", (49, row + 6), FONT, 0.5, INK, 1, cv2.LINE_AA)
    return bar


def _row(row: Row, width: int) -> Picture:
    tiles = [_tile(picture, words, width) for picture, words in zip(row.pictures, row.words, strict=True)]
    pictures = np.hstack(tiles)
    strip = np.full((STRIP, pictures.shape[1], 3), PAPER, np.uint8)
    cv2.putText(strip, row.title, (4, STRIP - 8), FONT, 0.56, INK, 1, cv2.LINE_AA)
    return np.vstack([strip, pictures])


def _tile(picture: Picture, words: str, width: int) -> Picture:
    height = round(width * picture.shape[0] / picture.shape[1])
    tile = resize_frame(np.ascontiguousarray(picture), height, width).copy()
    if words:
        (wide, _), _ = cv2.getTextSize(words, FONT, 0.44, 1)
        corner = tile[height - 20 :, : wide + 8]
        corner[:] = (corner * 0.25).astype(np.uint8)
        cv2.putText(tile, words, (4, height - 6), FONT, 0.44, INK, 1, cv2.LINE_AA)
    return np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=PAPER)
