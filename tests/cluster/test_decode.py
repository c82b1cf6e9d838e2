"""Pictures of spans, decoded from key frames: against PyAV from start to end, and OpenCV."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from archive_jobs import HEIGHT, OPEN_GOP, WIDTH, item_of, make_job, planned, small_chunks
from clipdepth.camera.camera import Camera
from clipdepth.camera.resize import resize_frame
from clipdepth.cluster.archive.chunk import Chunk, pack, unpack
from clipdepth.cluster.archive.decode import decode
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.results import Failed
from clipdepth.cluster.archive.sources import Item
from clips import decoded, room_frames, write_clip


def chunks_of(items: list[Item], job: Job) -> list[tuple[Chunk, np.ndarray]]:
    rows = [row for span in planned(items, job) for row in decode(pack(span), job)]
    return [(unpack(row), row["array"]) for row in rows]


def sizes_of(chunk: Chunk) -> list[tuple[int, int]]:
    return [(box.height, box.width) for box in chunk.letterboxes]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.mp4", {}),
        ("x.mp4", OPEN_GOP),
        ("x.mkv", OPEN_GOP),
        ("x.ts", {}),
        ("x.ts", OPEN_GOP),
        ("x.avi", {}),
        ("x.avi", {"bf": "0"}),
    ],
)
def test_spans_give_what_the_whole_video_gives(
    tmp_path: Path, name: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / name, room_frames(1, 60), options=options)
    job = small_chunks(make_job(tmp_path, stride=2), 10, monkeypatch)
    found = chunks_of([item_of(path)], job)
    assert not any(chunk.lost for chunk, _ in found)
    expected = [picture for _, picture in decoded(path)][::2]
    np.testing.assert_array_equal(np.concatenate([pictures for _, pictures in found]), expected)


def test_pictures_come_at_the_networks_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 5, 96, 160))
    ((chunk, pictures),) = chunks_of([item_of(path)], make_job(tmp_path))
    assert pictures.shape == (5, HEIGHT, WIDTH, 3)
    assert sizes_of(chunk) == [(96, 160)] * 5
    small = resize_frame(decoded(path)[2][1], 38, WIDTH)
    np.testing.assert_array_equal(pictures[2], np.pad(small, ((5, 5), (0, 0), (0, 0)), "edge"))


def test_a_camera_scales_depth_and_each_video_has_its_own_size(tmp_path: Path) -> None:
    job = make_job(tmp_path, camera=Camera(focal_px=100.0))
    small = write_clip(tmp_path / "small.mp4", room_frames(1, 3))
    large = write_clip(tmp_path / "large.mp4", room_frames(1, 3, 96, 128))
    trained = 0.9 * WIDTH
    for path, expected in ((small, 100 / trained), (large, 50 / trained), (small, 100 / trained)):
        ((chunk, _),) = chunks_of([item_of(path)], job)
        assert [each.scale for each in chunk.conversions] == pytest.approx([expected] * 3)


def turn(path: Path, degrees: int) -> None:
    """Tell players of an MP4 to turn it clockwise (ISO/IEC 14496-12, 8.3.2: the matrix of the track's header)."""
    one = 1 << 16
    matrix = {90: (0, one, 0, -one, 0, 0), 180: (-one, 0, 0, 0, -one, 0), 270: (0, -one, 0, one, 0, 0)}[degrees]
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    assert data[at : at + 24] == struct.pack(">6i", one, 0, 0, 0, one, 0)
    data[at : at + 24] = struct.pack(">6i", *matrix)
    path.write_bytes(data)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_upright_as_opencv_has_it(tmp_path: Path, degrees: int) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 3))
    turn(path, degrees)
    ((chunk, pictures),) = chunks_of([item_of(path)], make_job(tmp_path))
    seen = cv2.VideoCapture(str(path)).read()[1]
    assert sizes_of(chunk) == [seen.shape[:2]] * 3
    small = resize_frame(np.asarray(seen, np.uint8), chunk.letterboxes[0].rows, chunk.letterboxes[0].columns)
    difference = chunk.letterboxes[0].inside(pictures[0]).astype(int) - small
    assert np.abs(difference).mean() < 2


def test_frames_that_are_damaged_are_lost_and_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.avi", room_frames(1, 20), codec="mjpeg")
    data = bytearray(path.read_bytes())
    pictures = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"]
    assert len(pictures) == 20
    data[pictures[7] : pictures[8] - 8] = bytes(pictures[8] - 8 - pictures[7])
    path.write_bytes(data)
    ((chunk, left),) = chunks_of([item_of(path)], make_job(tmp_path))
    assert [frame.index for frame in chunk.frames] == [*range(7), *range(8, 20)]
    assert chunk.lost == ((str(path), "could not be decoded"),)
    assert len(left) == 19


def test_images_of_any_size_come_together_without_the_bad_ones(tmp_path: Path) -> None:
    good = {"a.png": (30, 40), "c.jpg": (96, 128), "e.webp": (20, 30), "f.tiff": (40, 30)}
    for name, (height, width) in good.items():
        cv2.imwrite(str(tmp_path / name), np.full((height, width, 3), 120, np.uint8))
    (tmp_path / "b.png").write_bytes(b"not a picture")
    cv2.imwrite(str(tmp_path / "depth.png"), np.full((9, 9), 1000, np.uint16))
    items = [item_of(tmp_path / name) for name in ("a.png", "b.png", "c.jpg", "depth.png", "e.webp", "f.tiff")]
    ((chunk, pictures),) = chunks_of(items, make_job(tmp_path))
    assert [frame.item.name for frame in chunk.frames] == list(good)
    assert sizes_of(chunk) == list(good.values())
    assert pictures.shape == (4, HEIGHT, WIDTH, 3)
    reasons = dict(chunk.lost)
    assert "b.png is damaged or no image" in reasons[str(tmp_path / "b.png")]
    assert "is a 16-bit grey PNG, which looks like depth" in reasons[str(tmp_path / "depth.png")]


def test_a_video_that_goes_away_fails_and_leaves_the_rest(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 5))
    job = make_job(tmp_path)
    (span,) = planned([item_of(path)], job)
    path.unlink()
    (row,) = decode(pack(span), job)
    failed = unpack(row)
    assert isinstance(failed, Failed)
    assert failed.source == str(path)
    assert "cannot be read" in failed.reason


def test_a_result_passes(tmp_path: Path) -> None:
    (row,) = decode(pack(Failed("x", "why")), make_job(tmp_path))
    assert unpack(row) == Failed("x", "why")
