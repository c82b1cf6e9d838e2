"""Hypersim, in its own layout."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from train.dataset_files import listed, picture, prepare, refused, write, write_text

WIDTH, HEIGHT = 64, 48
FOV = math.pi / 3
# Hypersim's usual camera, one whose axis is off the picture's middle, and one that is tilted.
USUAL = [[math.tan(FOV / 2), 0, 0], [0, math.tan(FOV / 2) * HEIGHT / WIDTH, 0], [0, 0, -1]]
SHIFTED = [[0.6, 0, 0.03], [0, 0.45, -0.05], [0, 0, -1]]
TILTED = [[0.6, 0, 0], [0, 0.45, 0], [0, 0.1, -1]]
CAMERAS = {"ai_001_001": USUAL, "ai_001_002": SHIFTED, "ai_001_003": TILTED}
PLANE = 3.25


def distances(matrix: list[list[float]]) -> np.ndarray:
    """The distance along each ray to a plane across the axis, by the toolkit's own way of casting rays."""
    u = np.linspace(-1 + 1 / WIDTH, 1 - 1 / WIDTH, WIDTH)
    v = np.linspace(1 - 1 / HEIGHT, -1 + 1 / HEIGHT, HEIGHT)
    uv = np.stack([*np.meshgrid(u, v), np.ones((HEIGHT, WIDTH))], -1)
    rays = uv @ np.array(matrix).T
    return PLANE * np.linalg.norm(rays, axis=-1) / -rays[..., 2]


def write_scene(top: Path, scene: str, frames: int = 2) -> None:
    images = top / scene / "images"
    for number in range(frames):
        write(images / "scene_cam_00_final_preview" / f"frame.{number:04d}.tonemap.jpg", picture(99, WIDTH, HEIGHT))
        folder = images / "scene_cam_00_geometry_hdf5"
        folder.mkdir(parents=True, exist_ok=True)
        distance = distances(CAMERAS[scene])
        distance[0, 0] = np.inf
        distance[0, 1] = np.nan
        with h5py.File(folder / f"frame.{number:04d}.depth_meters.hdf5", "w") as file:
            file["dataset"] = distance.astype(np.float32)


def write_tables(top: Path) -> None:
    names = [f"M_cam_from_uv_{i}{j}" for i in range(3) for j in range(3)]
    rows = [",".join(["scene_name", "settings_output_img_width", "settings_output_img_height", *names])]
    rows += [
        f"{scene},{WIDTH}.0,{HEIGHT}.0,{','.join(str(x) for row in m for x in row)}" for scene, m in CAMERAS.items()
    ]
    write_text(top / "metadata_camera_parameters.csv", "\n".join(rows) + "\n")
    header = "scene_name,camera_name,frame_id,included_in_public_release,exclude_reason,split_partition_name\n"
    rows = [f"ai_001_001,cam_00,{n},{n == 0},,train" for n in (0, 1)] + [
        f"ai_001_002,cam_00,{n},True,,test" for n in (0, 1)
    ]
    write_text(top / "metadata_images_split_scene_v1.csv", header + "\n".join(rows) + "\n")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for scene in CAMERAS:
        write_scene(tmp_path / "scenes", scene)
    write_tables(tmp_path / "tables")
    return tmp_path / "scenes"


def test_distance_becomes_depth_by_each_scenes_camera(source: Path, tmp_path: Path) -> None:
    assert prepare("hypersim", source, tmp_path / "out", "--lists", str(tmp_path / "tables")) == 0
    (train,), (test, _) = (listed(tmp_path / "out", split) for split in ("train", "test"))
    for line in (train, test):
        assert (line.units.ravel()[2:] == 3250).all()
        assert line.units[0, :2].tolist() == [0, 0]
    assert train.camera == pytest.approx((WIDTH / 2 / math.tan(FOV / 2),) * 2 + (31.5, 23.5), abs=1e-4)
    fx, fy, cx, cy = test.camera
    # Where the toolkit's ray through a pixel's centre goes: x to the right, y down.
    ray = np.array(SHIFTED) @ [2 * 10.5 / WIDTH - 1, 1 - 2 * 20.5 / HEIGHT, 1]
    assert ((10 - cx) / fx, (20 - cy) / fy) == pytest.approx((ray[0], -ray[1]), abs=1e-5)


def test_without_the_split_scenes_are_held_out_and_tilted_ones_left_out(source: Path, tmp_path: Path) -> None:
    (tmp_path / "tables" / "metadata_images_split_scene_v1.csv").unlink()
    assert prepare("hypersim", source, tmp_path / "out", "--lists", str(tmp_path / "tables")) == 0
    scenes = [{line.rgb.parents[2].name for line in listed(tmp_path / "out", split)} for split in ("train", "test")]
    assert scenes == [{"ai_001_001"}, {"ai_001_002"}]


def test_missing_tables_and_damage_are_told(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--lists" in refused(capsys, "hypersim", source, tmp_path / "out")
    next(source.rglob("*.hdf5")).write_bytes(b"x")
    options = ("--lists", str(tmp_path / "tables"))
    next((source / "ai_001_001").rglob("frame.0000.*.hdf5")).write_bytes(b"x")
    assert "depth_meters.hdf5 is missing or damaged" in refused(capsys, "hypersim", source, tmp_path / "out", *options)
    write_text(tmp_path / "tables" / "metadata_camera_parameters.csv", "scene_name\nai_001_001\n")
    assert "metadata_camera_parameters.csv is damaged" in refused(capsys, "hypersim", source, tmp_path / "o", *options)
