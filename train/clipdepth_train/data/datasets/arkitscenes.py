"""ARKitScenes: an iPad's low-resolution pictures with the depth of its LiDAR, a camera each.

    FROM/Training/40753679/[40753679_frames/]lowres_wide/40753679_6791.123.png              256×192
    FROM/Training/40753679/[40753679_frames/]lowres_depth/40753679_6791.123.png             millimetres
    FROM/Training/40753679/[40753679_frames/]lowres_wide_intrinsics/40753679_6791.123.pincam

G. Baruch et al.: ARKitScenes, NeurIPS Datasets and Benchmarks 2021. `Validation` is what is tested on. Files are
listed where they lie, whatever ARKit's confidence; a camera's file may be a millisecond off its picture's name.
"""

from collections.abc import Iterator
from pathlib import Path

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.files import read_numbers, scene_name, sequences
from clipdepth_train.data.datasets.pair import Options, Pair
from clipdepth_train.data.sample import Split

FOLDS: dict[str, Split] = {"Training": "train", "Validation": "test"}
PICTURES, DEPTH, CAMERAS = "lowres_wide", "lowres_depth", "lowres_wide_intrinsics"
_STEPS = (0.0, -0.001, 0.001)
"""Seconds by which the time in a camera's name may differ."""


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    for folder in sequences(source, DEPTH):
        parts = folder.resolve().parts
        split = next((FOLDS[part] for part in reversed(parts) if part in FOLDS), None)
        for picture in sorted((folder / PICTURES).glob("*.png"), key=lambda path: _time(path.stem)):
            depth = folder / DEPTH / picture.name
            # Not every picture has depth.
            if depth.is_file():
                yield Pair(
                    scene_name(source, folder), picture.stem, _camera(folder, picture.stem), picture, depth, split
                )


def _camera(folder: Path, stem: str) -> Intrinsics:
    video, time = stem.rpartition("_")[0], _time(stem)
    places = [folder / CAMERAS / f"{video}_{time + step:.3f}.pincam" for step in _STEPS]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        raise DataError(f"{places[0]} is missing; download {CAMERAS} of the video too")
    width, height, fx, fy, cx, cy = read_numbers(path, [6])
    return Intrinsics(round(width), round(height), fx, fy, cx, cy)


def _time(stem: str) -> float:
    try:
        return float(stem.rpartition("_")[2])
    except ValueError:
        raise DataError(f"{stem}.png is not named VIDEO_SECONDS.png; download the video again") from None
