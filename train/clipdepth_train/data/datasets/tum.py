"""TUM RGB-D: sequences with lists of time stamps, depth at 5000 units a metre, registered to the pictures.

    FROM/rgbd_dataset_freiburg1_desk/rgb.txt            `time rgb/time.png` a line
    FROM/rgbd_dataset_freiburg1_desk/depth.txt

J. Sturm, N. Engelhard, F. Endres, W. Burgard, D. Cremers: A Benchmark for the Evaluation of RGB-D SLAM Systems, IROS
2012. Pictures and depth are listed as they are, with what little the lenses of freiburg1 and 2 bend.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.association import associate
from clipdepth_train.data.datasets.files import read_lines, scene_name, sequences
from clipdepth_train.data.datasets.pair import Options, Pair

WIDTH, HEIGHT = 640, 480
# The colour cameras' calibration on the dataset's page; the last one is ROS's default, for sequences of other rooms.
CAMERAS = {
    "1": Intrinsics(WIDTH, HEIGHT, 517.3, 516.5, 318.6, 255.3),
    "2": Intrinsics(WIDTH, HEIGHT, 520.9, 521.0, 325.1, 249.7),
    "3": Intrinsics(WIDTH, HEIGHT, 535.4, 539.2, 320.1, 247.6),
    "": Intrinsics(WIDTH, HEIGHT, 525.0, 525.0, 319.5, 239.5),
}


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    for folder in sequences(source, "rgb.txt"):
        rgb_times, rgb = _listed(folder, "rgb.txt")
        depth_times, depth = _listed(folder, "depth.txt")
        camera = camera_of(folder.resolve().name)
        for one, other in associate(rgb_times, depth_times, options.within):
            yield Pair(scene_name(source, folder), rgb[one].stem, camera, rgb[one], depth[other])


def camera_of(sequence: str) -> Intrinsics:
    """The camera of a sequence by its name, such as rgbd_dataset_freiburg2_xyz."""
    found = re.search(r"(?:freiburg|fr)([123])", sequence)
    return CAMERAS[found[1] if found else ""]


def _listed(folder: Path, name: str) -> tuple[list[float], list[Path]]:
    found = list[tuple[float, Path]]()
    for line in read_lines(folder / name):
        time, _, file = line.partition(" ")
        try:
            found.append((float(time), folder / file.strip()))
        except ValueError:
            raise DataError(f"'{line}' in {folder / name} is not 'time file'; download it again") from None
    found.sort()
    return [time for time, _ in found], [path for _, path in found]
