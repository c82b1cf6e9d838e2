"""Pictures of many shapes in one run: each has the depth that it would have alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from pyarrow import parquet

import clipdepth
from archive_jobs import HEIGHT, WIDTH, item_of, make_job, run_stages
from clipdepth.camera.camera import Camera
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.results import Failed, Part
from clipdepth.cluster.archive.sources import Item
from clipdepth.files.quicktime import FOCAL_35MM
from clipdepth.sinks.depth_png import to_millimetres
from clips import room_frames, write_clip
from photographs import FOCAL_35, phone_video, photograph

OTHERS = ((36, 64), (64, 36), (64, 48))
SHAPES = {
    "4-3": (60, 80),
    "16-9": (90, 160),
    "upright": (80, 60),
    "phone": (160, 90),
    "square": (70, 70),
    "wide": (20, 100),
    "native": (HEIGHT, WIDTH),
    "odd": (33, 47),
}


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    made = {name: rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for name, shape in SHAPES.items()}
    for name, picture in made.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return made


def depth_of(name: str, job: Job) -> np.ndarray:
    found = cv2.imread(f"{job.out}/depth/{name}.png.png", cv2.IMREAD_UNCHANGED)
    assert found is not None, name
    return found


def rows_of(job: Job) -> dict[str, dict[str, object]]:
    rows = [row for file in Path(job.out, "index").iterdir() for row in parquet.read_table(file).to_pylist()]
    return {Path(str(row["source"])).stem: row for row in rows}


@pytest.mark.parametrize("max_batch", [1, 3])
@pytest.mark.parametrize("camera", [Camera(), Camera(fov=70), Camera(focal_px=75, side=80)], ids=str)
def test_a_pictures_depth_does_not_depend_on_the_others(
    tmp_path: Path, pictures: dict[str, np.ndarray], max_batch: int, camera: Camera
) -> None:
    """All in one chunk, in two orders, and each alone; all as the model has it."""
    job = make_job(tmp_path, camera=camera, max_batch=max_batch, other_sizes=OTHERS)
    items = [item_of(tmp_path / f"{name}.png") for name in pictures]
    with clipdepth.load(job.bundle, engine="onnxruntime", camera=camera) as model:
        expected = {name: to_millimetres(model(picture).depth) for name, picture in pictures.items()}
        groups: list[list[list[Item]]] = [[items], [items[::-1]], [[item] for item in items], [items[1::2], items[::2]]]
        for units in groups:
            for unit in units:
                (part,) = run_stages(unit, job, model.engine.infer)
                assert (part.frames, part.failed) == (len(unit), ())
            for name, depth in expected.items():
                np.testing.assert_array_equal(depth_of(name, job), depth, err_msg=name)
                (Path(job.out) / f"depth/{name}.png.png").unlink()


def test_an_upright_picture_is_left_out_where_the_calibration_is_of_lying_ones(
    tmp_path: Path, pictures: dict[str, np.ndarray]
) -> None:
    file = tmp_path / "cameras.txt"
    file.write_text("1 PINHOLE 640 480 520 520 320 240\n")
    job = make_job(tmp_path, camera=Camera(calibration=file), max_batch=2, other_sizes=OTHERS)
    names = ["4-3", "upright", "16-9", "native"]
    with clipdepth.load(job.bundle, engine="onnxruntime", camera=Camera(calibration=file)) as model:
        (part,) = run_stages([item_of(tmp_path / f"{name}.png") for name in names], job, model.engine.infer)
        for name in ("4-3", "native"):
            np.testing.assert_array_equal(depth_of(name, job), to_millimetres(model(pictures[name]).depth))
    assert isinstance(part, Part)
    assert (part.frames, set(rows_of(job))) == (2, {"4-3", "native"})
    known = "the camera is known for 640×480 pictures, but they come as"
    assert [failed.reason for failed in part.failed] == [
        f"{tmp_path / 'upright.png'}: {known} 60×80, of another shape; calibrate it at that size",
        f"{tmp_path / '16-9.png'}: {known} 160×90, of another shape; calibrate it at that size",
    ]


def test_a_video_of_another_shape_than_the_calibration_fails_by_name(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 640 480 520 520 320 240\n")
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 3, 90, 160))
    (failed,) = run_stages([item_of(path)], make_job(tmp_path, camera=Camera(calibration=tmp_path / "cameras.txt")))
    assert isinstance(failed, Failed)
    assert failed.reason.startswith(f"{path}: the camera is known for 640×480 pictures")


def test_a_photographs_own_focal_length_counts_unless_another_is_told(tmp_path: Path) -> None:
    """And it is that photograph's alone."""
    plain, photo = tmp_path / "plain.jpg", tmp_path / "photo.jpg"
    plain.write_bytes(photograph({}, grey=102))
    photo.write_bytes(photograph({FOCAL_35: 26}, grey=102))
    by_film = 26 / np.hypot(36, 24) * 80
    job = make_job(tmp_path)
    (part,) = run_stages([item_of(plain), item_of(photo)], job)
    assert part.origins == {"assumed": 1, "metadata": 1}
    rows = rows_of(job)
    assert (rows["plain"]["camera"], rows["plain"]["focal_px"]) == ("assumed", pytest.approx(57.6))
    assert (rows["photo"]["camera"], rows["photo"]["focal_px"]) == ("metadata", pytest.approx(by_film))
    assert rows["plain"]["p50"] == pytest.approx(2.5, abs=1e-3)
    assert rows["photo"]["p50"] == pytest.approx(2.5 * by_film / 57.6, abs=1e-3)

    film = phone_video(tmp_path / "film.mp4", {FOCAL_35MM.decode(): "52"})
    (part,) = run_stages([item_of(film)], job)
    assert part.origins == {"metadata": 3}

    told = make_job(tmp_path / "told", camera=Camera(focal_px=100))
    (part,) = run_stages([item_of(plain), item_of(photo)], told)
    assert part.origins == {"told": 2}
    assert [row["focal_px"] for row in rows_of(told).values()] == [100, 100]
