"""Focal lengths out of files that Pillow and FFmpeg wrote, against the angles that they stand for."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from clipdepth.files.focal_length import picture_focal
from clipdepth.files.quicktime import FOCAL_35MM, video_focal_35mm
from clipdepth.sources import open_source
from clips import write_clip
from photographs import FOCAL_35
from photographs import phone_video as video
from photographs import photograph as picture

FOCAL_LENGTH, ZOOM = 0x920A, 0xA404
PIXEL_X, PIXEL_Y = 0xA002, 0xA003
PLANE_X, PLANE_UNIT = 0xA20E, 0xA210
FORMATS = ("jpeg", "png", "webp", "tiff")


def degrees_across_diagonal(focal: float, width: int, height: int) -> float:
    return 2 * math.degrees(math.atan(math.hypot(width, height) / 2 / focal))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_angle_across_the_diagonal_is_that_of_a_35_mm_camera(kind: str) -> None:
    # A 28 mm lens sees 75.4° across the diagonal of 35 mm film, in any lens's data sheet.
    for size in ((64, 48), (64, 36), (48, 64)):
        focal = picture_focal(picture({FOCAL_35: 28, PIXEL_X: size[0], PIXEL_Y: size[1]}, kind, size), *size)
        assert focal is not None
        assert degrees_across_diagonal(focal, *size) == pytest.approx(75.4, abs=0.05)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_lens_itself_counts_where_the_sensor_is_known(kind: str) -> None:
    # A full-frame camera: 36 mm across 6000 pixels.
    sensor = {FOCAL_LENGTH: 50.0, PLANE_X: 6000 / 3.6, PLANE_UNIT: 3, PIXEL_X: 6000, PIXEL_Y: 4000}
    assert picture_focal(picture(sensor, kind, (60, 40)), 60, 40) == pytest.approx(50 / 36 * 60, rel=1e-5)
    inches = {**sensor, PLANE_X: 6000 / 36 * 25.4, PLANE_UNIT: 2}
    assert picture_focal(picture(inches, kind, (60, 40)), 60, 40) == pytest.approx(50 / 36 * 60, rel=1e-5)


def test_a_digital_zoom_is_in_the_equivalent_already_and_not_in_the_lens() -> None:
    equivalent = {FOCAL_35: 52, ZOOM: 2.0}
    assert picture_focal(picture(equivalent), 64, 48) == pytest.approx(52 / math.hypot(36, 24) * 80)
    sensor = {FOCAL_LENGTH: 50.0, PLANE_X: 6000 / 3.6, PLANE_UNIT: 3, PIXEL_X: 6000, PIXEL_Y: 4000, ZOOM: 2.0}
    assert picture_focal(picture(sensor, size=(60, 40)), 60, 40) == pytest.approx(2 * 50 / 36 * 60, rel=1e-5)


@pytest.mark.parametrize("size", [(64, 48), (48, 64)])
def test_a_smaller_copy_keeps_its_angle_and_a_cropped_one_has_none(size: tuple[int, int]) -> None:
    tags = {FOCAL_35: 28, PIXEL_X: 4000, PIXEL_Y: 3000}
    assert picture_focal(picture(tags, size=size), *size) == pytest.approx(28 / math.hypot(36, 24) * 80)
    assert picture_focal(picture({**tags, PIXEL_Y: 2250}, size=size), *size) is None


UNTOLD: dict[str, tuple[dict[int, Any], tuple[int, int]]] = {
    "nothing": ({}, (64, 48)),
    "not known to the camera": ({FOCAL_35: 0}, (64, 48)),
    "no lens": ({FOCAL_35: 65535}, (64, 48)),
    "a lens without a sensor": ({FOCAL_LENGTH: 4.2}, (64, 48)),
    "a sensor of an unknown size": ({FOCAL_LENGTH: 4.2, PLANE_X: 9000.0, PLANE_UNIT: 3}, (64, 48)),
    "a panorama": ({FOCAL_35: 28, PIXEL_X: 200, PIXEL_Y: 48}, (200, 48)),
}


@pytest.mark.parametrize(("tags", "size"), UNTOLD.values(), ids=UNTOLD.keys())
def test_what_is_not_told_is_not_made_up(tags: dict[int, Any], size: tuple[int, int]) -> None:
    assert picture_focal(picture(tags, size=size), *size) is None


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_or_damaged_anywhere_raises_nothing(kind: str) -> None:
    data = picture({FOCAL_35: 28, FOCAL_LENGTH: 4.2, PIXEL_X: 64, PIXEL_Y: 48}, kind)
    rng = np.random.default_rng(0)
    for length in range(0, len(data), 3):
        picture_focal(data[:length], 64, 48)
    for _ in range(300):
        damaged = bytearray(data)
        for place in rng.integers(0, min(len(data), 300), 4):
            damaged[place] = rng.integers(0, 256)
        found = picture_focal(bytes(damaged), 64, 48)
        assert found is None or 0 < found < math.inf


def test_a_folder_has_each_pictures_own(tmp_path: Path) -> None:
    for name, tags, orientation in (("1", {FOCAL_35: 28}, 1), ("2", {FOCAL_35: 56}, 6), ("3", {}, 1)):
        (tmp_path / f"{name}.jpg").write_bytes(picture(tags, orientation=orientation))
    with open_source(str(tmp_path)) as source:
        frames = list(source)
    assert [frame.frame.shape[:2] for frame in frames] == [(48, 64), (64, 48), (48, 64)]  # upright by Exif
    first, second, third = (frame.focal_px for frame in frames)
    assert first == pytest.approx(28 / math.hypot(36, 24) * 80)
    assert second == pytest.approx(2 * (first or 0))
    assert third is None
    with open_source(str(tmp_path / "2.jpg")) as source:
        assert next(iter(source)).focal_px == second


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_phones_video_has_its_lens(tmp_path: Path, suffix: str) -> None:
    path = video(tmp_path / f"v{suffix}", {"com.apple.quicktime.model": "a phone", FOCAL_35MM.decode(): "26"})
    assert video_focal_35mm(path) == 26
    with open_source(str(path)) as source:
        focals = [frame.focal_px for frame in source]
    assert focals == pytest.approx([26 / math.hypot(36, 24) * 80] * 3)


def test_other_videos_say_nothing(tmp_path: Path) -> None:
    plain = write_clip(tmp_path / "plain.mp4", [np.zeros((48, 64, 3), np.uint8)] * 2)
    matroska = write_clip(tmp_path / "plain.mkv", [np.zeros((48, 64, 3), np.uint8)] * 2)
    wrong = video(tmp_path / "wrong.mp4", {FOCAL_35MM.decode(): "wide"})
    assert [video_focal_35mm(path) for path in (plain, matroska, wrong, tmp_path / "missing.mp4")] == [0] * 4
    with open_source(str(wrong)) as source:
        assert [frame.focal_px for frame in source] == [None] * 3


def atom(kind: bytes, *content: bytes) -> bytes:
    return (8 + sum(map(len, content))).to_bytes(4, "big") + kind + b"".join(content)


@pytest.mark.parametrize(("kind", "value"), [(67, (27).to_bytes(4, "big")), (21, b"\x1b"), (23, b"\x41\xd8\0\0")])
def test_numbers_stand_in_a_track_as_phones_write_them(tmp_path: Path, kind: int, value: bytes) -> None:
    """By the QuickTime File Format's layout, since FFmpeg writes text alone and to the whole film alone."""
    item = atom((1).to_bytes(4, "big"), atom(b"data", kind.to_bytes(4, "big"), bytes(4), value))
    keys = atom(b"keys", bytes(4), (1).to_bytes(4, "big"), atom(b"mdta", FOCAL_35MM))
    meta = atom(b"meta", atom(b"hdlr", bytes(24)), keys, atom(b"ilst", item))
    film = atom(b"ftyp", b"qt  ", bytes(4)) + atom(b"mdat", bytes(100)) + atom(b"moov", atom(b"trak", meta))
    path = tmp_path / "v.mov"
    path.write_bytes(film)
    assert video_focal_35mm(path) == 27
    for length in range(0, len(film), 3):
        path.write_bytes(film[:length])
        assert video_focal_35mm(path) in (0, 27)
    path.write_bytes(atom(b"moov", b"") * 3 + (8).to_bytes(4, "big") + b"moov" + atom(b"moov", *[atom(b"moov")] * 9))
    assert video_focal_35mm(path) == 0


def test_opencv_turns_pictures_upright_as_these_tests_take_it() -> None:
    turned = cv2.imdecode(np.frombuffer(picture({}, orientation=6), np.uint8), cv2.IMREAD_COLOR)
    assert turned.shape[:2] == (64, 48)
