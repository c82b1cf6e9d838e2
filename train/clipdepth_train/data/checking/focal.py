"""The focal length that pictures and their poses agree on, whatever the set states.

In another picture, which was taken from a known place, points lie on lines that the camera decides (the epipolar
constraint; the distance from a line is Sampson's: Hartley and Zisserman, Multiple View Geometry, 11.4.3). The focal
length with which these distances are smallest, over many pictures, is that of the camera that took them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.cli.progress import follow
from clipdepth_train.data.folder import read_frame
from clipdepth_train.data.poses import between, find_neighbour, pose_path
from clipdepth_train.data.sample import evenly_spread

VIEWS = 60
"""Pictures that are compared with one that was taken from beside them."""
FEWEST_VIEWS = 10
FEWEST_POINTS = 40
WIDTH = 640
RATIO = 0.7
"""Lowe's test: how much nearer the best match has to be than the second."""
OUTLIER = 1.5
"""Pixels: what lies farther from its line by a fundamental matrix that fits any camera is a wrong match."""
CAP = 4.0
"""Pixels beyond which a distance counts no more."""
FACTORS = np.geomspace(0.6, 1.6, 141)
RESAMPLED = 400
CONFIDENCE = 0.95
TOLERANCE = 0.05
"""By how much poses of a hand-held sensor may mislead."""

Points = NDArray[np.float64]
"""(N, 2) float64, pixels."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class FocalFromPoses:
    """The focal length as a multiple of what is stated, its interval of 95% by resampling pictures."""

    factor: float
    low: float
    high: float
    views: int

    @property
    def contradicts(self) -> bool:
        """Whether what is stated lies outside the interval, and by more than TOLERANCE."""
        return not self.low <= 1 <= self.high and abs(self.factor - 1) > TOLERANCE


@dataclass(frozen=True)
class PosedPicture:
    """A picture that may have a pose, and what the set states of its camera: f, or fx, fy, cx and cy, pixels."""

    path: Path
    stated: tuple[float, ...]

    def camera(self, height: int, width: int) -> tuple[float, float, float, float]:
        """fx, fy, cx and cy; the axis is central where only f is stated."""
        if len(self.stated) == 1:
            return self.stated[0], self.stated[0], (width - 1) / 2, (height - 1) / 2
        fx, fy, cx, cy = self.stated
        return fx, fy, cx, cy


def focal_from_poses(pictures: Sequence[PosedPicture]) -> FocalFromPoses | None:
    """Measure it on `pictures`, in the order in which they were taken; None where too few can be compared.

    Raises DataError for a pose that is damaged.
    """
    posed = [picture for picture in pictures if pose_path(picture.path).is_file()]
    costs = list[NDArray[np.float64]]()
    paths = [picture.path for picture in posed]
    chosen = evenly_spread(len(posed), VIEWS) if len(posed) > 1 else []
    for index in follow(chosen, "poses") if chosen else []:
        cost = _costs(posed[index], paths, index)
        if cost is not None:
            costs.append(cost)
    if len(costs) < FEWEST_VIEWS:
        return None
    table = np.stack(costs)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(table), (RESAMPLED, len(table)))
    factors = np.array([_best(table[rows].mean(0)) for rows in drawn])
    low, high = np.quantile(factors, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return FocalFromPoses(_best(table.mean(0)), float(low), float(high), len(table))


def _costs(picture: PosedPicture, paths: Sequence[Path], index: int) -> NDArray[np.float64] | None:
    """The mean capped distance from the lines for each of FACTORS; None where the pictures share too few points."""
    found = find_neighbour(paths, index, after=True)
    if found is None:
        return None
    other = paths[found]
    frame = read_frame(picture.path)
    matched = _matched(frame, read_frame(other))
    if matched is None:
        return None
    here, there = matched
    move = between(picture.path, other)
    fx, fy, cx, cy = picture.camera(*frame.shape[:2])
    costs = []
    for factor in FACTORS:
        inverse = np.linalg.inv([[fx * factor, 0, cx], [0, fy * factor, cy], [0, 0, 1]])
        costs.append(np.minimum(_distances(here, there, inverse.T @ _essential(move) @ inverse), CAP).mean())
    return np.array(costs)


def _matched(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[Points, Points] | None:
    """Points of the first picture and where they are in the second, in its own pixels."""
    scale = min(1.0, WIDTH / first.shape[1])
    sift = cv2.SIFT.create(1500)
    (places, words), (other_places, other_words) = (
        sift.detectAndCompute(cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), None, fx=scale, fy=scale), None)
        for frame in (first, second)
    )
    if words is None or other_words is None or len(other_words) < 2:
        return None
    nearest = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words, other_words, k=2)
    good = [best for best, next_best in nearest if best.distance < RATIO * next_best.distance]
    if len(good) < FEWEST_POINTS:
        return None
    here = np.array([places[match.queryIdx].pt for match in good])
    there = np.array([other_places[match.trainIdx].pt for match in good])
    cv2.setRNGSeed(0)
    _, mask = cv2.findFundamentalMat(here, there, cv2.FM_RANSAC, OUTLIER, 0.999)
    kept = np.zeros(len(good), bool) if mask is None else mask.ravel().astype(bool)
    return (here[kept] / scale, there[kept] / scale) if kept.sum() >= FEWEST_POINTS else None


def _essential(move: Matrix) -> Matrix:
    x, y, z = move[:3, 3] / np.linalg.norm(move[:3, 3])
    return np.asarray(np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ move[:3, :3])


def _distances(here: Points, there: Points, fundamental: Matrix) -> NDArray[np.float64]:
    """Sampson's distance of each match, (N,) float64 pixels."""
    a, b = (np.column_stack([points, np.ones(len(points))]) for points in (here, there))
    lines, back = a @ fundamental.T, b @ fundamental
    length = np.hypot(np.hypot(*lines[:, :2].T), np.hypot(*back[:, :2].T))
    return np.asarray(np.abs((b * lines).sum(1)) / np.maximum(length, 1e-12))


def _best(costs: NDArray[np.float64]) -> float:
    """The factor of the least cost, between two of FACTORS by the parabola through it and its neighbours."""
    at = int(np.argmin(costs))
    if not 0 < at < len(costs) - 1:
        return float(FACTORS[at])
    before, least, after = costs[at - 1 : at + 2]
    bend = before - 2 * least + after
    shift = 0.0 if bend <= 0 else 0.5 * (before - after) / bend
    return float(FACTORS[at] * (FACTORS[1] / FACTORS[0]) ** shift)
