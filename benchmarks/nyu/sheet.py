"""A sheet of pictures: a column a scene, a row each for the image, the true depth and what models answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.atomic import atomic_file
from clipdepth.depth_picture import FONT, INK, PAPER, colour_bar
from clipdepth.errors import OutputError
from clipdepth.resize import resize_frame

Picture = NDArray[np.uint8]
WIDTH = 1600
BAR = 90
"""About what the bar of colours takes of the width, pixels."""
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
    return np.hstack([strips, colour_bar(strips.shape[0], *span)])


def save_jpeg(path: Path, picture: Picture) -> None:
    """Write the picture as JPEG, as good as fits in 400 kB."""
    for quality in range(92, 20, -6):
        written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if written and data.size < MOST_BYTES:
            with atomic_file(path) as partial:
                partial.write_bytes(data.tobytes())
            return
    raise OutputError(f"{path} does not fit in {MOST_BYTES} bytes; show fewer frames")


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
