"""A picture of a set for people: pairs side by side, one colour scale for all, and the histogram of depth below."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.sinks.depth_picture import FONT, INK, PAPER, colour_bar, colourise
from clipdepth_train.data.checking.registration import depth_edges
from clipdepth_train.data.checking.statistics import DepthStatistics

COLUMNS = 3
TILE = (180, 240)
"""Height and width of the room for a picture, and for its depth."""
GAP = 12
LABEL = 20
HISTOGRAM = 200
OUTLINE = (60, 60, 255)
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200)
APART = 48
"""Pixels from one tick to the next, at least."""


@dataclass(frozen=True)
class Shown:
    """A pair on the sheet: what it is called, its picture (H, W, 3) uint8 BGR and depth (H, W) float32 metres."""

    title: str
    frame: NDArray[np.uint8]
    depth: NDArray[np.float32]


def contact_sheet(pairs: list[Shown], statistics: DepthStatistics, lines: list[str]) -> NDArray[np.uint8]:
    """The sheet, (H, W, 3) uint8 BGR: `pairs` three in a row, the histogram, and `lines` of text."""
    near, far = _span(statistics)
    tiles = [_tile(pair, near, far) for pair in pairs]
    blank = np.full_like(tiles[0], PAPER)
    tiles += [blank] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    grid = np.vstack(rows)
    bar = colour_bar(grid.shape[0], near, far)
    grid = np.hstack([grid, bar])
    below = np.hstack([_histogram(statistics, grid.shape[1] // 2), _text(lines, grid.shape[1] - grid.shape[1] // 2)])
    return np.asarray(np.vstack([grid, below]), np.uint8)


def _span(statistics: DepthStatistics) -> tuple[float, float]:
    """The depth that the first and the last colour stand for."""
    near, far = statistics.quantile(0.01), statistics.quantile(0.99)
    return (near, max(far, near * 1.1)) if np.isfinite(near) else (0.0, 1.0)


def _tile(pair: Shown, near: float, far: float) -> NDArray[np.uint8]:
    """A picture with the outlines of its depth, and the depth, over their title."""
    height, width = TILE
    scale = min(height / pair.frame.shape[0], width / pair.frame.shape[1])
    size = (max(1, round(pair.frame.shape[1] * scale)), max(1, round(pair.frame.shape[0] * scale)))
    frame = cv2.resize(pair.frame, size, interpolation=cv2.INTER_AREA)
    # Edges are found at full size: a hole of the small depth is none of the whole one.
    edges = cv2.resize(depth_edges(pair.depth).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.15
    frame[edges] = OUTLINE
    depth = colourise(np.asarray(cv2.resize(pair.depth, size, interpolation=cv2.INTER_NEAREST), np.float32), near, far)
    tile = np.full((height + LABEL + GAP, 2 * width + 2 * GAP, 3), PAPER, np.uint8)
    for left, picture in ((GAP, frame), (GAP + width, depth)):
        top, start = GAP + (height - size[1]) // 2, left + (width - size[0]) // 2
        tile[top : top + size[1], start : start + size[0]] = picture
    # The end of a long name tells more than its beginning.
    title = pair.title if len(pair.title) <= _letters(2 * width) else f"...{pair.title[3 - _letters(2 * width) :]}"
    return _written(tile, title, GAP, height + GAP + LABEL - 6)


def _histogram(statistics: DepthStatistics, width: int) -> NDArray[np.uint8]:
    """How often each depth is, over the logarithm of metres."""
    picture = np.full((HISTOGRAM + 2 * GAP + LABEL, width, 3), PAPER, np.uint8)
    used = np.nonzero(statistics.counts)[0]
    if len(used) == 0:
        return _written(picture, "no depth is known", GAP, HISTOGRAM // 2)
    first, last = max(int(used[0]) - 2, 0), min(int(used[-1]) + 3, len(statistics.counts))
    columns = np.arange(GAP, width - GAP)
    edge_at = np.interp(columns, (columns[0], columns[-1] + 1), (first, last))
    counts = statistics.counts[np.minimum(edge_at.astype(int), last - 1)]
    heights = np.rint(counts / counts.max() * HISTOGRAM).astype(int)
    near, far = _span(statistics)
    metres = np.exp(np.interp(edge_at, np.arange(len(statistics.edges)), np.log(statistics.edges)))
    colours = colourise(metres[None].astype(np.float32), near, far)[0]
    base, last_tick = GAP + HISTOGRAM, -APART
    for column, height, colour in zip(columns, heights, colours, strict=True):
        picture[base - height : base, column] = colour
    for tick in TICKS:
        at = float(np.interp(np.log(tick), np.log(statistics.edges), np.arange(len(statistics.edges))))
        if first < at < last:
            at_column = int(np.interp(at, (first, last), (columns[0], columns[-1])))
            if at_column - last_tick < APART:
                continue
            last_tick = at_column
            picture[base : base + 4, at_column] = INK
            _written(picture, f"{tick:g} m", max(at_column - 12, 0), base + LABEL - 2)
    return picture


def _text(lines: list[str], width: int) -> NDArray[np.uint8]:
    picture = np.full((HISTOGRAM + 2 * GAP + LABEL, width, 3), PAPER, np.uint8)
    most = _letters(width - 2 * GAP)
    for index, line in enumerate(lines[: HISTOGRAM // LABEL]):
        _written(picture, line if len(line) <= most else f"{line[: most - 3]}...", GAP, GAP + LABEL * (index + 1))
    return picture


def _letters(width: int) -> int:
    """How many letters fit into so many pixels."""
    return width // 8


def _written(picture: NDArray[np.uint8], text: str, left: int, base: int) -> NDArray[np.uint8]:
    # OpenCV's letters are ASCII.
    plain = text.replace("×", "x").replace("°", " deg").encode("ascii", "replace").decode()
    cv2.putText(picture, plain, (left, base), FONT, 0.42, INK, 1, cv2.LINE_AA)
    return picture
