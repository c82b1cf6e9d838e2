import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import monotonic_ns
from typing import Any

import cv2
import numpy as np
import pytest

from clipdepth.errors import SourceError, UsageError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sources import open_source
from clipdepth.sources.folder import IMAGE_SUFFIXES, open_folder, read_image
from clipdepth.sources.frames import FramesSource


def flat(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


def write_video(path: Path, levels: list[int], codec: str = "mp4v", fps: float = 25) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (64, 48))
    for level in levels:
        writer.write(flat(level))
    writer.release()
    return path


def names(folder: Path) -> list[int]:
    with open_folder(folder) as source:
        return [int(captured.frame[0, 0, 0]) for captured in source]


def test_video_gives_every_frame_in_order_with_its_time(tmp_path: Path) -> None:
    levels = [20, 60, 100, 140, 180]
    path = write_video(tmp_path / "v.mp4", levels)
    with open_source(str(path)) as source:
        assert (source.fps, source.frame_count, source.name) == (25, 5, str(path))
        captured = list(source)
    assert [one.index for one in captured] == [0, 1, 2, 3, 4]
    assert [one.time for one in captured] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-3)
    for one, level in zip(captured, levels, strict=True):
        assert one.frame.shape == (48, 64, 3)
        assert one.frame.dtype == np.uint8
        assert abs(float(one.frame.mean()) - level) < 4


@pytest.mark.parametrize("content", [b"", b"no video" * 100], ids=["empty", "text"])
def test_a_file_that_is_no_video_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"v\.mp4 has no frame"):
        open_source(str(path))


def test_an_mp4_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [10] * 20)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match="cut short"):
        open_source(str(path))


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no frame"):
        open_source(str(write_video(tmp_path / "v.mp4", [])))


def test_a_video_that_ends_early_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_video(tmp_path / "v.avi", list(range(0, 200, 5)), codec="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_source(str(path)) as source, caplog.at_level(logging.WARNING):
        frames = len(list(source))
    assert 0 < frames < 39
    assert f"ended after {frames} of 40 frames" in caplog.text


def test_a_whole_video_is_not_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_source(str(write_video(tmp_path / "v.mp4", [10] * 12))) as source:
        assert len(list(source)) == 12
    assert not caplog.records


def test_folder_is_in_natural_order_and_leaves_out_depth_and_other_files(tmp_path: Path) -> None:
    for level, name in enumerate(["f2.png", "f10.png", "f1.bmp", "g.PNG"]):
        cv2.imwrite(str(tmp_path / name), flat(level))
    cv2.imwrite(str(tmp_path / "depth.png"), np.full((48, 64), 1234, np.uint16))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "sub.png").mkdir()
    assert names(tmp_path) == [2, 0, 1, 3]


SUFFIXES = [*(s for s in IMAGE_SUFFIXES if s != ".avif"), *([".avif"] if cv2.haveImageWriter(".avif") else [])]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".WEBP"])
def test_a_folder_and_a_pattern_take_what_a_file_may_be(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(cv2.imencode(suffix.lower(), flat(77))[1].tobytes())
    for spec in (path, tmp_path, tmp_path / "*.*"):
        with open_source(str(spec)) as source:
            (captured,) = source
        assert (source.fps, source.frame_count) == (None, 1)
        assert captured.frame.shape == (48, 64, 3)
        assert np.abs(captured.frame.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_colour_of_16_bits_is_brought_to_8(tmp_path: Path, suffix: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), picture.astype(np.uint16) * 257)
    for spec in (tmp_path / f"a{suffix}", tmp_path):
        with open_source(str(spec)) as source:
            (captured,) = source
        np.testing.assert_array_equal(captured.frame, picture)


@pytest.mark.parametrize(
    ("name", "depth", "told"),
    [
        ("a.png", np.full((48, 64), 1234, np.uint16), "a 16-bit grey PNG"),
        ("a.tiff", np.full((48, 64), 1234, np.uint16), "a 16-bit grey TIFF"),
        ("a.tif", np.full((48, 64), 1.234, np.float32), "a 32-bit grey TIFF"),
    ],
)
def test_what_looks_like_depth_is_no_picture(tmp_path: Path, name: str, depth: np.ndarray, told: str) -> None:
    cv2.imwrite(str(tmp_path / name), depth)
    with pytest.raises(
        SourceError, match=rf"{name} is {told}, which looks like depth; give the colour picture"
    ) as error:
        open_source(str(tmp_path / name))
    assert "\n" not in str(error.value)
    with pytest.raises(SourceError, match="looks like depth; give the colour picture"):
        read_image(tmp_path / name)
    for spec in (tmp_path, tmp_path / "*"):
        with pytest.raises(SourceError, match=rf"no colour image.* \(what it has looks like depth: {name}, …\)"):
            open_source(str(spec))
    cv2.imwrite(str(tmp_path / "b.png"), flat(5))
    assert names(tmp_path) == [5]


def test_pictures_that_are_named_like_depth_are_taken_with_one_question(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("depth_1.png", "depth_2.png", "left.png"):
        cv2.imwrite(str(tmp_path / name), flat(9))
    assert names(tmp_path) == [9, 9, 9]
    (record,) = caplog.records
    text = "2 of 3 pictures of {} are named like depth, such as depth_"
    assert record.getMessage().startswith(text.format(tmp_path))
    caplog.clear()
    with open_source(str(tmp_path / "depth_1.png")) as source:
        assert len(list(source)) == 1
    assert "depth_1.png is named like depth; give the colour picture if it is depth" in caplog.text
    caplog.clear()
    cv2.imwrite(str(tmp_path / "rgb_1.png"), flat(3))
    assert names(tmp_path) == [3]
    assert not caplog.records


def test_folder_with_rgb_images_takes_just_these(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "rgb_00001.png"), flat(1))
    cv2.imwrite(str(tmp_path / "rgb_00000.png"), flat(0))
    cv2.imwrite(str(tmp_path / "labels_00000.png"), flat(9))
    cv2.imwrite(str(tmp_path / "sync_depth_00000.png"), np.full((48, 64), 1234, np.uint16))
    assert names(tmp_path) == [0, 1]


def test_images_keep_bgr_order_and_know_no_rate(tmp_path: Path) -> None:
    frame = np.zeros((4, 6, 3), np.uint8)
    frame[:] = (10, 20, 30)
    cv2.imwrite(str(tmp_path / "a.png"), frame)
    with open_source(str(tmp_path / "a.png")) as source:
        assert (source.fps, source.frame_count) == (None, 1)
        (captured,) = source
    np.testing.assert_array_equal(captured.frame, frame)


def test_grey_and_transparent_images_become_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 6), 77, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((4, 6, 4), 88, np.uint8))
    with open_folder(tmp_path) as source:
        assert [captured.frame.shape for captured in source] == [(4, 6, 3), (4, 6, 3)]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
@pytest.mark.parametrize("share", [0, 0.5, 0.95])
def test_a_damaged_image_is_left_out_with_a_warning_that_names_it(
    tmp_path: Path, suffix: str, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    whole, cut, last = (tmp_path / f"a{number}{suffix}" for number in (1, 2, 3))
    for path in (whole, last):
        cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with open_folder(tmp_path) as source:
        assert [captured.index for captured in source] == [0, 2]
    assert source.losses == 1
    (record,) = caplog.records
    assert f"{cut} is damaged" in record.getMessage()


def test_images_of_which_none_can_be_read_are_an_error(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with open_folder(tmp_path) as source, pytest.raises(SourceError, match=r"b\.png is damaged"):
        list(source)


def test_jpeg_headers_do_not_hide_or_feign_the_end(tmp_path: Path) -> None:
    """A thumbnail's end in a header is not the picture's; fill bytes and bytes after the end do no harm."""
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    data = path.read_bytes()
    thumbnail = b"\xff\xe1" + (2 + 8).to_bytes(2, "big") + b"\xff\xd8\xff\xda\x00\x00\xff\xd9"
    path.write_bytes(data[:2] + thumbnail + b"\xff" + data[2:] + b"\xff\xda and more")
    assert read_image(path).shape == (48, 64, 3)
    path.write_bytes((data[:2] + thumbnail + data[2:])[:-200])
    with pytest.raises(SourceError, match="damaged"):
        read_image(path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "depth.png"), np.full((4, 6), 1234, np.uint16))
    with pytest.raises(SourceError, match="no colour images"):
        open_source(str(tmp_path))


def test_rooms_are_a_stream_of_30_frames_a_second_that_its_seed_decides() -> None:
    with open_source("rooms:7") as source:
        assert (source.fps, source.frame_count, source.name) == (30, None, "rooms:7")
        first, second = islice(source, 2)
    assert [first.index, second.index] == [0, 1]
    assert [first.time, second.time] == [0, pytest.approx(1 / 30)]
    expected = Room(7).render(1 / 30, default_intrinsics(480, 640)).frame
    np.testing.assert_array_equal(second.frame, expected)
    with open_source("rooms:8") as other:
        assert (next(iter(other)).frame != first.frame).any()


def test_rooms_change_after_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.sources.rooms.FRAMES_A_ROOM", 2)
    with open_source("rooms:7") as source:
        third = list(islice(source, 3))[2]
    np.testing.assert_array_equal(third.frame, Room(8).render(0, default_intrinsics(480, 640)).frame)
    assert third.time == pytest.approx(2 / 30)


@pytest.mark.parametrize("spec", ["rooms:", "rooms:x", "rooms:-1", "rooms:1.5", "rooms:²"])
def test_a_seed_that_is_no_whole_number_is_misuse(spec: str) -> None:
    with pytest.raises(UsageError, match="rooms:SEED"):
        open_source(spec)


@pytest.mark.parametrize(("spec", "name"), [("99", "camera 99"), ("/dev/video99", "/dev/video99")])
def test_a_camera_that_is_not_there_is_named(spec: str, name: str) -> None:
    with pytest.raises(SourceError, match=f"^{name} cannot be opened"):
        open_source(spec)


def test_a_pattern_gives_its_images_in_natural_order(tmp_path: Path) -> None:
    for level, name in enumerate(["b/2.png", "b/10.png", "a/3.jpg", "b/c/4.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), flat(level))
    cv2.imwrite(str(tmp_path / "b" / "depth.png"), np.full((4, 6), 1234, np.uint16))
    (tmp_path / "b" / "11.txt").write_text("no image")
    found = {"b/*": [0, 1], "*/*.jpg": [2], "**/*.*": [2, 3, 0, 1]}
    for pattern, levels in found.items():
        with open_source(str(tmp_path / pattern)) as source:
            assert [int(captured.frame[0, 0, 0]) for captured in source] == levels, pattern
            assert source.frame_count == len(levels)
    with pytest.raises(SourceError, match="no colour image"):
        open_source(str(tmp_path / "b" / "*.bmp"))


def test_a_closed_video_ends_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with open_source(str(write_video(tmp_path / "v.mp4", [10] * 12))) as source:
        frames = iter(source)
        next(frames)
        source.close()
        assert list(frames) == []
    assert not caplog.records


def test_every_frame_is_stamped_when_it_was_read(tmp_path: Path) -> None:
    before = monotonic_ns()
    with open_source(str(write_video(tmp_path / "v.mp4", [10] * 3))) as source:
        stamps = [captured.captured_ns for captured in source]
    assert before < stamps[0] < stamps[1] < stamps[2] < monotonic_ns()


def test_frames_of_a_program_may_be_any_iterable_of_any_sizes() -> None:
    given = [flat(1), np.zeros((4, 6, 3), np.uint8), flat(3)]
    with FramesSource(iter(given)) as source:
        assert not source.live
        captured = list(source)
    assert [one.index for one in captured] == [0, 1, 2]
    assert captured[0].time == 0 < captured[1].time < captured[2].time
    for one, frame in zip(captured, given, strict=True):
        np.testing.assert_array_equal(one.frame, frame)


def test_a_buffer_that_is_filled_again_and_again_gives_every_frame() -> None:
    """As cameras' libraries do: also a view of it, and one with gaps."""
    buffer = np.zeros((4, 12, 3), np.uint8)

    def filled() -> Iterator[np.ndarray]:
        for level in range(5):
            buffer[:] = level
            yield buffer[:, ::2]

    with FramesSource(filled()) as source:
        captured = list(source)
    assert [np.unique(one.frame).tolist() for one in captured] == [[0], [1], [2], [3], [4]]
    assert all(one.frame.flags.c_contiguous for one in captured)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (np.zeros((4, 6, 3), np.float32), "float32"),
        (np.zeros((4, 6), np.uint8), r"\(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"\(4, 6, 4\)"),
        (np.zeros((0, 6, 3), np.uint8), r"\(0, 6, 3\)"),
        ("frame.png", "str"),
    ],
)
def test_what_is_no_frame_is_refused_with_its_place(frame: Any, said: str) -> None:
    with FramesSource([flat(0), frame]) as source, pytest.raises(SourceError, match=rf"^frame 1 of frames is .*{said}"):
        list(source)


def test_a_source_that_does_not_exist_is_named() -> None:
    with pytest.raises(SourceError, match=r"no video or folder at 'nowhere\.mp4'"):
        open_source("nowhere.mp4")


@pytest.mark.parametrize("spec", ["9" * 5000, "rooms:" + "9" * 5000, "/dev/video" + "9" * 5000])
def test_endless_numbers_are_told_in_a_line(spec: str) -> None:
    with pytest.raises((SourceError, UsageError)) as error:
        open_source(spec)
    assert "\n" not in str(error.value)
