"""7-Scenes: seven rooms filmed with a Kinect, whose depth is brought to the colour camera.

    FROM/redkitchen/seq-01/frame-000000.color.png       640×480, likewise .depth.png in millimetres and .pose.txt
    FROM/redkitchen/TrainSplit.txt, TestSplit.txt       `sequence1` a line, if they are there

J. Shotton, B. Glocker, C. Zach, S. Izadi, A. Criminisi, A. Fitzgibbon: Scene Coordinate Regression Forests for Camera
Relocalization in RGB-D Images, CVPR 2013. The focal length of 585 pixels on its page is the depth camera's, and depth
is as that camera saw it. Of the colour camera nothing is published: it is taken to be a Kinect's as its drivers have
it, with 525 pixels, 25 mm to the right of the other. docs/data.md says how well this holds.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from clipdepth.camera.pinhole import Intrinsics
from clipdepth_train.data.datasets.files import read_lines, scene_name, sequences
from clipdepth_train.data.datasets.pair import Options, Pair
from clipdepth_train.data.datasets.registered import read_registered
from clipdepth_train.data.layout import MILLIMETRES
from clipdepth_train.data.sample import Split

DEPTH_CAMERA = Intrinsics(640, 480, 585.0, 585.0, 320.0, 240.0)
COLOUR_CAMERA = Intrinsics(640, 480, 525.0, 525.0, 320.0, 240.0)
BASELINE = 0.025
"""Metres that a Kinect's colour camera is to the right of its depth camera."""
_LISTS: dict[str, Split] = {"TrainSplit.txt": "train", "TestSplit.txt": "test"}
_PICTURES, _DEPTHS = "frame-*.color.png", "frame-*.depth.png"


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    for folder in sequences(source, _PICTURES):
        split = _split(folder)
        for depth in sorted(folder.glob(_DEPTHS)):
            name = depth.name.removesuffix(".depth.png")
            picture = depth.with_name(f"{name}.color.png")
            read = partial(read_registered, depth, MILLIMETRES, DEPTH_CAMERA, COLOUR_CAMERA, BASELINE)
            yield Pair(scene_name(source, folder), name, COLOUR_CAMERA, picture, read, split)


def _split(folder: Path) -> Split | None:
    """Of sequence seq-01, which the room's lists name sequence1."""
    folder = folder.absolute()
    number = re.search(r"(\d+)$", folder.name)
    for name, split in _LISTS.items():
        path = folder.parent / name
        if number and path.is_file() and f"sequence{int(number[1])}" in read_lines(path):
            return split
    return None
