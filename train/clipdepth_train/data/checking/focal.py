"""The focal length that pictures and their poses agree on, whatever the set states.

In another picture, which was taken from a known place, points lie on lines that the camera decides (the epipolar
constraint; the distance from a line is Sampson's: Hartley and Zisserman, Multiple View Geometry, 11.4.3). The focal
length with which these distances are smallest, over many pictures, is that of the camera that took them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli.progress import follow
from clipdepth.errors import DataError
from clipdepth_train.data.checking.findings import Findings
from clipdepth_train.data.folder import read_frame
from clipdepth_train.data.poses import between, find_neighbour, pose_path, read_pose
from clipdepth_train.data.sample import evenly_spread

VIEWS = 60
"""Pictures that are compared with one that was taken from beside them."""
FEWEST_VIEWS = 10
FEWEST_POINTS = 40
WIDTH = 640
"""Pixels to which wider pictures are made smaller; all distances are in pixels of these."""
RATIO = 0.7
"""Lowe's test: how much nearer the best match has to be than the second."""
OUTLIER = 1.5
"""Pixels: what lies farther from its line by a fundamental matrix that fits any camera is a wrong match."""
CAP = 4.0
"""Pixels beyond which a distance counts no more."""
MISFIT = 2.0
"""Pixels of mean distance beyond which the best focal length fits nothing; 7-Scenes' hand-held Kinect has 1.2."""
FACTORS = np.geomspace(0.6, 1.6, 141)
RESAMPLED = 400
CONFIDENCE = 0.95
TOLERANCE = 0.05
"""By how much poses of a hand-held sensor may mislead."""

Points = NDArray[np.float64]
"""(N, 2) float64, pixels."""
Matrix = NDArray[np.float64]
"""(3, 3) or, of a pose, (4, 4) float64."""


@dataclass(frozen=True)
class FocalFromPoses:
    """The focal length as a multiple of what is stated, its interval of 95% by resampling pictures."""

    factor: float
    low: float
    high: float
    distance: float
    """Mean pixels by which points then lie beside their lines, each counted as CAP at most."""
    views: int

    @property
    def fits(self) -> bool:
        """Whether some focal length explains pictures and poses; else the poses are of another camera or convention."""
        return self.distance < MISFIT and bool(FACTORS[1] < self.factor < FACTORS[-2])

    @property
    def contradicts(self) -> bool:
        """Whether what is stated lies outside the interval, and by more than TOLERANCE."""
        return self.fits and not self.low <= 1 <= self.high and abs(self.factor - 1) > TOLERANCE


@dataclass(frozen=True)
class StatedPicture:
    """A picture, and what the set states of its camera: f, or fx, fy, cx and cy, pixels."""

    path: Path
    stated: tuple[float, ...]
    centre: tuple[float, float] | None = None
    """cx and cy where only f is stated; None for the middle."""

    def camera(self, height: int, width: int) -> Intrinsics:
        """Of a picture of that size."""
        if len(self.stated) == 1:
            centre = self.centre or ((width - 1) / 2, (height - 1) / 2)
            return Intrinsics(width, height, self.stated[0], self.stated[0], *centre)
        fx, fy, cx, cy = self.stated
        return Intrinsics(width, height, fx, fy, cx, cy)


def focal_from_poses(pictures: Sequence[StatedPicture], findings: Findings) -> FocalFromPoses | None:
    """Measure it on those of `pictures`, in the order in which they were taken, that have poses.

    What cannot be read is told in `findings` and left out. None where too few can be compared.
    """
    posed = list(_posed(pictures, findings))
    paths = [picture.path for picture in posed]
    chosen = evenly_spread(len(posed), VIEWS) if len(posed) >= FEWEST_VIEWS else []
    costs = list[NDArray[np.float64]]()
    for index in follow(chosen, "poses") if chosen else []:
        try:
            other = find_neighbour(paths, index, after=True)
            cost = None if other is None else _costs(posed[index], posed[other])
        except DataError as error:
            findings.add("file that cannot be read", str(error), "restore it or delete the line")
            continue
        if cost is not None:
            costs.append(cost)
    if len(costs) < FEWEST_VIEWS:
        return None
    table = np.stack(costs)
    drawn = np.random.default_rng(0).integers(0, len(table), (RESAMPLED, len(table)))
    factors = np.array([_best(table[rows].mean(0)) for rows in drawn])
    low, high = np.quantile(factors, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    mean = table.mean(0)
    return FocalFromPoses(_best(mean), float(low), float(high), float(mean.min()), len(table))


def _posed(pictures: Sequence[StatedPicture], findings: Findings) -> Iterator[StatedPicture]:
    for picture in pictures:
        if not pose_path(picture.path).is_file():
            continue
        try:
            read_pose(picture.path)
        except DataError as error:
            findings.add("pose that cannot be", str(error), "'neighbour' views need it", is_fault=False)
            continue
        yield picture


def _costs(here: StatedPicture, there: StatedPicture) -> NDArray[np.float64] | None:
    """The mean capped distance from the lines, pixels, for each of FACTORS; None where they share too little."""
    (grey, camera), (other_grey, other_camera) = _shrunken(here), _shrunken(there)
    matched = _matched(grey, other_grey)
    if matched is None:
        return None
    essential = _essential(between(here.path, there.path))
    costs = []
    for factor in FACTORS:
        first, second = (np.linalg.inv(_zoomed(each, factor)) for each in (camera, other_camera))
        costs.append(np.minimum(_distances(*matched, second.T @ essential @ first), CAP).mean())
    return np.array(costs)


def _shrunken(picture: StatedPicture) -> tuple[NDArray[np.uint8], Intrinsics]:
    """The picture in grey, (h, w) uint8 of at most WIDTH columns, and its camera."""
    frame = read_frame(picture.path)
    height, width = frame.shape[:2]
    camera = picture.camera(height, width)
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    if width > WIDTH:
        camera = camera.resized(WIDTH, round(height * WIDTH / width))
        grey = cv2.resize(grey, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8), camera


def _zoomed(camera: Intrinsics, factor: float) -> Matrix:
    """K, (3, 3), with focal lengths `factor` times as long."""
    return np.asarray(camera.matrix * [[factor, 1, 1], [1, factor, 1], [1, 1, 1]])


def _matched(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[Points, Points] | None:
    """Points of the first picture, and where they are in the second; None for fewer than FEWEST_POINTS."""
    sift = cv2.SIFT.create(1500)
    (places, words), (other_places, other_words) = (sift.detectAndCompute(grey, None) for grey in (first, second))
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
    return (here[kept], there[kept]) if kept.sum() >= FEWEST_POINTS else None


def _essential(move: Matrix) -> Matrix:
    """[t]ₓ R, (3, 3), of a move (4, 4) from before one camera to before the other, with t of length 1."""
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
