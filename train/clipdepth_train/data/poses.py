"""Camera poses beside pictures: `pose_NAME.txt` for `rgb_NAME.jpg`, 4 × 4, camera to world, metres."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError

BASELINE = 0.05
"""Metres that the camera has to have moved for two pictures to be worth comparing."""
REACH = 10
"""How many pictures further one is looked for."""
DISTORTION = 0.02
"""By how much a rotation may change volumes, for the rounding of its file."""


def pose_path(rgb: Path) -> Path:
    """Where the pose of a picture's camera is, if it has one."""
    return rgb.with_name(f"pose_{rgb.stem.removeprefix('rgb_')}.txt")


def read_pose(rgb: Path) -> NDArray[np.float64]:
    """The pose (4, 4) of a picture's camera; raises DataError where it is missing, damaged or unknown."""
    path = pose_path(rgb)
    try:
        pose = np.array(path.read_text(encoding="utf-8").split(), np.float64).reshape(4, 4)
    except OSError:
        raise DataError(f"{rgb} has no {path.name}; 'neighbour' views need poses, 'warped' ones do not") from None
    except ValueError as error:
        raise DataError(f"{path} is not a 4×4 matrix ({error}); correct it") from None
    if not np.isfinite(pose).all():
        raise DataError(f"{path} holds {pose[~np.isfinite(pose)][0]}; take its pair off the list")
    if abs(np.linalg.det(pose[:3, :3]) - 1) > DISTORTION:
        raise DataError(f"{path} is no pose: what should be a rotation stretches or mirrors; correct it")
    return pose


_kept_pose = lru_cache(maxsize=4096)(read_pose)


def neighbour_of(pictures: Sequence[Path], index: int, after: bool) -> int:
    """The nearest picture after (or before) `index` whose camera has moved by BASELINE, in the same folder.

    Where there is none within REACH, the one on the other side; where there is none either, the farthest. Raises
    DataError where no picture was taken from another place.
    """
    found = find_neighbour(pictures, index, after)
    if found is None:
        raise DataError(f"{pictures[index]} has no neighbour that was taken from another place; use 'warped' views")
    return found


def find_neighbour(pictures: Sequence[Path], index: int, after: bool) -> int | None:
    """As `neighbour_of`, but None where no picture was taken from another place."""
    steps = (1, -1) if after else (-1, 1)
    reached = [_reached(pictures, index, step) for step in steps]
    for moved, other in reached:
        if moved >= BASELINE:
            return other
    moved, other = max(reached)
    return other if moved > 0 else None


def _reached(pictures: Sequence[Path], index: int, step: int) -> tuple[float, int]:
    """How far the camera has moved, and the picture by which it had: the first beyond BASELINE, or the farthest."""
    here, farthest = _kept_pose(pictures[index])[:3, 3], (0.0, index)
    for other in range(index + step, index + step * (REACH + 1), step):
        if not 0 <= other < len(pictures) or pictures[other].parent != pictures[index].parent:
            break
        moved = float(np.linalg.norm(_kept_pose(pictures[other])[:3, 3] - here))
        farthest = max(farthest, (moved, other))
        if moved >= BASELINE:
            break
    return farthest


def between(here: Path, there: Path) -> NDArray[np.float64]:
    """What takes points before the camera of `here` to before that of `there`: (4, 4) float64, metres."""
    return np.asarray(np.linalg.inv(_kept_pose(there)) @ _kept_pose(here))
