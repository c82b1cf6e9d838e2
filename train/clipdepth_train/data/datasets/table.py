"""The datasets that are read, by their names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from clipdepth.errors import DataError, SourceError
from clipdepth_train.data.datasets.pair import Options, Pair
from clipdepth_train.data.datasets.writer import Target, write_dataset
from clipdepth_train.data.layout import MILLIMETRES

Read = Callable[[Path, Options], Iterable[Pair]]
"""What reads a dataset's folder; raises DataError."""


@dataclass(frozen=True)
class Dataset:
    """One entry: the function `read` of a module of this folder, imported when it is asked for."""

    title: str
    page: str
    terms: str
    module: str
    scale: float = MILLIMETRES
    """Units of its depth PNGs a metre."""
    options: tuple[str, ...] = ()
    """The fields of Options that it has a use for."""

    takes_files: bool = False
    """Whether a single file may be read."""

    def read(self, source: Path, options: Options) -> Iterable[Pair]:
        """The pairs in folder `source`; raises MissingExtraError where a package is needed that is not here."""
        read: Read = import_module(f"{__package__}.{self.module}").read
        return read(source, options)


def prepare(name: str, source: Path, out: Path, options: Options, every: int = 1) -> dict[str, int]:
    """Write dataset `name`, in folder `source`, to `out` in our layout; return how many pairs are in each split.

    Raises DataError for what is missing or damaged, in a line that begins with the name.
    """
    dataset = DATASETS[name]
    if not source.is_dir() and not (source.is_file() and dataset.takes_files):
        raise DataError(f"{name}: no folder {source}; get the dataset from {dataset.page}")
    folder = source if source.is_dir() else source.parent
    target = Target(out, name, folder, dataset.scale, every, options.told)
    try:
        return write_dataset(target, dataset.read(source, options))
    except (DataError, SourceError) as error:
        raise DataError(f"{name}: {error}") from error


DATASETS: Mapping[str, Dataset] = {
    "nyu-raw": Dataset(
        "NYU Depth v2, the 24,231 pairs of BTS's lists",
        "https://github.com/cleinc/bts",
        "for research; made by N. Silberman, D. Hoiem, P. Kohli and R. Fergus",
        "nyu_raw",
        options=("lists",),
    ),
    "tum": Dataset(
        "TUM RGB-D, sequences of a Kinect and an Xtion",
        "https://cvg.cit.tum.de/data/datasets/rgbd-dataset",
        "CC BY 4.0",
        "tum",
        scale=5000.0,
        options=("within",),
    ),
    "7scenes": Dataset(
        "7-Scenes, seven rooms filmed with a Kinect",
        "https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes",
        "Microsoft Research's: non-commercial",
        "seven_scenes",
    ),
    "scannet": Dataset(
        "ScanNet, frames that its SensReader exported",
        "http://www.scan-net.org",
        "ScanNet terms of use: non-commercial research, by agreement",
        "scannet",
    ),
    "sunrgbd": Dataset(
        "SUN RGB-D, 10,335 pictures of four cameras",
        "https://rgbd.cs.princeton.edu",
        "for research; its parts (NYU Depth v2, B3DO, SUN3D) have terms of their own",
        "sunrgbd",
        options=("with_nyu",),
    ),
    "hypersim": Dataset(
        "Hypersim, 77,400 rendered pictures of 461 rooms",
        "https://github.com/apple/ml-hypersim",
        "CC BY-SA 3.0",
        "hypersim",
        options=("lists",),
    ),
    "arkitscenes": Dataset(
        "ARKitScenes, an iPad's pictures and LiDAR",
        "https://github.com/apple/ARKitScenes",
        "Apple's licence: non-commercial, with attribution",
        "arkitscenes",
    ),
    "diode": Dataset(
        "DIODE, a laser scanner's depth indoors and outdoors",
        "https://diode-dataset.org",
        "MIT",
        "diode",
        # To 512 m, in steps of 8 mm.
        scale=128.0,
    ),
    "kitti": Dataset(
        "KITTI by Eigen's split, depth to 80 m",
        "https://www.cvlibs.net/datasets/kitti",
        "CC BY-NC-SA 3.0",
        "kitti",
        scale=256.0,
        options=("lists",),
    ),
    "realsense": Dataset(
        "RealSense recordings: folders of colour and aligned depth",
        "https://github.com/IntelRealSense/librealsense",
        "yours",
        "realsense",
    ),
    "stray": Dataset(
        "Stray Scanner's recordings: an iPhone's video and LiDAR",
        "https://github.com/strayrobots/scanner",
        "yours",
        "stray",
    ),
    "ros2": Dataset(
        "bags of ROS 2 (SQLite and MCAP) and of ROS 1",
        "https://docs.ros.org",
        "yours",
        "bags",
        options=("picture_topic", "depth_topic", "within"),
        takes_files=True,
    ),
    "unregistered": Dataset(
        "pairs in our layout whose depth comes from a camera beside the picture's",
        "docs/data.md",
        "yours",
        "unregistered",
        options=("camera", "baseline"),
    ),
    "videos": Dataset(
        "videos with depth videos of 'clipdepth archive'",
        "docs/data.md",
        "yours; depth that a model made has that model's too",
        "videos",
        options=("depth", "camera"),
    ),
}
