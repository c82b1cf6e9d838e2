"""RealSense recordings as folders of colour and depth that is aligned with it, with the camera's JSON.

    FROM/[RECORDING/]color/000000.jpg or .png           also rgb/
    FROM/[RECORDING/]depth/000000.png                   16 bit, aligned with colour
    FROM/[RECORDING/]camera_intrinsic.json              Open3D's recorder, or pyrealsense2's intrinsics

Open3D's realsense_recorder.py writes these. A `depth_scale` in the JSON is metres a unit; without one a unit is a
millimetre. A lens that bends is undone; of one that does not, files are listed where they lie. rs-convert's PNGs of
depth are coloured pictures for people, which no metres come from.
"""

import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from clipdepth.camera.files.content import read_content
from clipdepth.camera.files.realsense import is_realsense, read_realsense
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import DataError
from clipdepth.sources.folder import natural_order
from clipdepth_train.data.datasets.files import scene_name
from clipdepth_train.data.datasets.pair import Depth, Options, Pair, Picture
from clipdepth_train.data.datasets.straight import Straight, straight_of
from clipdepth_train.data.folder import read_depth, read_frame

COLOURS = ("color", "rgb", "colour")
SUFFIXES = (".jpg", ".jpeg", ".png")
_MILLIMETRE = 0.001


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    recordings = sorted({path.parent for path in source.rglob("depth") if path.is_dir()})
    if not recordings:
        bags = next(source.rglob("*.bag"), None)
        remedy = f"'clipdepth data prepare ros2' reads ROS's bags such as {bags.name}" if bags else "see docs/data.md"
        raise DataError(f"no folder 'depth' in {source} or below it; {remedy}")
    for folder in recordings:
        yield from _recording(folder, scene_name(source, folder))


def _recording(folder: Path, scene: str) -> Iterator[Pair]:
    about = _json(folder)
    straight = straight_of(_camera(about))
    scale = 1 / _unit(about)
    for depth in sorted((folder / "depth").glob("*.png"), key=lambda path: natural_order(path.name)):
        picture = _beside(folder, depth)
        if straight.bends or abs(scale - 1000) > 0.5:
            yield Pair(
                scene,
                depth.stem,
                straight.intrinsics,
                partial(_picture, picture, straight),
                partial(_depth, depth, scale, straight),
            )
        else:
            yield Pair(scene, depth.stem, straight.intrinsics, picture, depth)


def _picture(path: Path, straight: Straight) -> Picture:
    return straight.picture(read_frame(path))


def _depth(path: Path, scale: float, straight: Straight) -> Depth:
    return straight.depth(read_depth(path, scale, math.inf))


def _beside(folder: Path, depth: Path) -> Path:
    places = (folder / colour / f"{depth.stem}{suffix}" for colour in COLOURS for suffix in SUFFIXES)
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise DataError(f"{depth} has no picture color/{depth.stem}.jpg beside it; copy it or take the depth away")
    return found


def _json(folder: Path) -> Path:
    files = sorted(folder.glob("*.json"))
    known = [path for path in files if "intrinsic_matrix" in (text := path.read_text("utf-8")) or "ppx" in text]
    if len(known) != 1:
        found = ", ".join(path.name for path in known) or "none"
        raise DataError(
            f"{folder} needs one JSON file of the colour camera's intrinsics, and has {found}; "
            "write width, height, fx, fy, ppx, ppy of pyrealsense2's intrinsics"
        )
    return known[0]


def _camera(path: Path) -> SizedCamera:
    values = _values(path)
    if "intrinsic_matrix" not in values:
        content = read_content(path)
        if not is_realsense(content):
            raise DataError(f"{path} is no intrinsics of a camera; see docs/data.md")
        cameras = read_realsense(content)
        return cameras.get("color") or next(iter(cameras.values()))
    try:
        # Open3D writes columns.
        fx, _, _, _, fy, _, cx, cy, _ = (float(value) for value in values["intrinsic_matrix"])
        return SizedCamera(Intrinsics(int(values["width"]), int(values["height"]), fx, fy, cx, cy))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error!r}); export it again") from None


def _unit(path: Path) -> float:
    """Metres a unit of depth."""
    unit = _values(path).get("depth_scale", _MILLIMETRE)
    if not isinstance(unit, float) or not 0 < unit < 1:
        raise DataError(f"{path} has a depth_scale of {unit!r}; it is metres a unit, such as 0.001")
    return unit


def _values(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no JSON ({error}); export it again") from None
    if not isinstance(values, dict):
        raise DataError(f"{path} holds no intrinsics; export it again")
    return values
