"""Hypersim: rendered rooms, whose distance along each ray becomes depth along the axis.

    FROM/ai_001_001/images/scene_cam_00_final_preview/frame.0000.tonemap.jpg
    FROM/ai_001_001/images/scene_cam_00_geometry_hdf5/frame.0000.depth_meters.hdf5      `dataset`, metres
    LISTS/metadata_camera_parameters.csv            each scene's camera, of contrib/mikeroberts3000 in ml-hypersim
    LISTS/metadata_images_split_scene_v1.csv        which pictures are public, and in which split

M. Roberts et al.: Hypersim, ICCV 2021. Scenes whose cameras are tilted against their picture (a tilt-shift lens) are
no pinholes and are left out; so is the split `val`. Without the second table, whole scenes are held out.
"""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.pair import Depth, Options, Pair
from clipdepth_train.data.sample import Split

CAMERAS, SPLITS = "metadata_camera_parameters.csv", "metadata_images_split_scene_v1.csv"
_PARTS: dict[str, Split] = {"train": "train", "test": "test"}
_UPRIGHT = 1e-6
"""How far the picture's plane may be from square to the axis, as a slope."""

Frame = tuple[str, str, str]
"""Scene, camera and number of a picture, as the tables write them."""


def read(source: Path, options: Options) -> Iterator[Pair]:
    """See `Read`."""
    lists = options.lists or source
    cameras = read_cameras(lists / CAMERAS)
    split_of = _splits(lists / SPLITS) if (lists / SPLITS).is_file() else None
    for picture in sorted(source.rglob("images/scene_*_final_preview/frame.*.tonemap.jpg")):
        folder = picture.parent.name.removesuffix("_final_preview")
        scene, camera, number = picture.parents[2].name, folder.removeprefix("scene_"), picture.name.split(".")[1]
        key = (scene, camera, str(int(number)))
        if scene not in cameras or (split_of is not None and key not in split_of):
            continue
        depth = picture.parents[1] / f"{folder}_geometry_hdf5" / f"frame.{number}.depth_meters.hdf5"
        split = split_of[key] if split_of is not None else None
        read = partial(read_depth, depth, cameras[scene])
        yield Pair(f"{scene}/{camera}", number, cameras[scene], picture, read, split, scene)


def read_depth(path: Path, camera: Intrinsics) -> Depth:
    """Depth along the axis, (H, W) float32 metres, of distances along the rays; 0 where nothing was hit."""
    try:
        with h5py.File(path, "r") as file:
            distance = np.asarray(file["dataset"], np.float32)
    except (OSError, KeyError) as error:
        raise DataError(f"{path} is missing or damaged ({error}); download it again") from None
    if distance.shape != (camera.height, camera.width):
        raise DataError(f"{path} is {distance.shape}, its camera {(camera.height, camera.width)}; download it again")
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    y = (np.arange(camera.height) - camera.cy) / camera.fy
    rays = np.sqrt(1 + x[None, :] ** 2 + y[:, None] ** 2)
    return np.asarray(np.nan_to_num(distance, posinf=0, neginf=0) / rays, np.float32)


def read_cameras(path: Path) -> dict[str, Intrinsics]:
    """The pinholes by their scenes; those of tilted pictures are not among them."""
    rows = _rows(path, "contrib/mikeroberts3000 of ml-hypersim")
    cameras = {row["scene_name"]: _camera(row, path) for row in rows}
    return {scene: camera for scene, camera in cameras.items() if camera is not None}


def _camera(row: dict[str, str], path: Path) -> Intrinsics | None:
    """Of the matrix that takes (u, v, 1), -1 to 1 to the right and up, to rays (x, y, -1)."""
    try:
        m = np.array([[float(row[f"M_cam_from_uv_{i}{j}"]) for j in range(3)] for i in range(3)])
        width, height = (round(float(row[f"settings_output_img_{side}"])) for side in ("width", "height"))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error!r}); download it again") from None
    m = m / -m[2, 2]
    tilted = np.abs([m[2, 0], m[2, 1], m[0, 1], m[1, 0]]).max() > _UPRIGHT
    if tilted:
        return None
    cx, cy = (1 - m[0, 2] / m[0, 0]) * width / 2 - 0.5, (1 + m[1, 2] / m[1, 1]) * height / 2 - 0.5
    return Intrinsics(width, height, width / 2 / m[0, 0], height / 2 / m[1, 1], cx, cy)


def _splits(path: Path) -> dict[Frame, Split]:
    rows = _rows(path, "evermotion_dataset/analysis of ml-hypersim")
    try:
        return {
            (row["scene_name"], row["camera_name"], str(int(row["frame_id"]))): _PARTS[row["split_partition_name"]]
            for row in rows
            if row["included_in_public_release"] == "True" and row["split_partition_name"] in _PARTS
        }
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error!r}); download it again") from None


def _rows(path: Path, origin: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}); take it from {origin}, and say where with --lists") from None
