import gc
import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.lib import NumpyVersion

from clipdepth.errors import OutputError, UsageError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sinks import open_sink
from clipdepth.sinks.depth_picture import colourise, side_by_side
from clipdepth.sinks.depth_png import to_millimetres
from clipdepth.sinks.numbered import NumberedSink
from clipdepth.sinks.row_blocks import row_blocks
from clipdepth.sinks.video import VideoSink
from clipdepth.sinks.video_writer import FORMATS
from clipdepth.sources import Captured
from depth_frames import with_depth

NEAR, FAR = 0.3, 6.0


def captured(index: int, height: int = 48, width: int = 64) -> Captured:
    return Captured(np.full((height, width, 3), 40 * index, np.uint8), index / 30, index)


def depth(metres: float, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width), metres, np.float32)


def read_video(path: Path) -> tuple[list[np.ndarray], float]:
    reader = cv2.VideoCapture(str(path))
    fps = reader.get(cv2.CAP_PROP_FPS)
    frames = []
    while True:
        read, frame = reader.read()
        if not read:
            return frames, fps
        frames.append(frame)


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_video_shows_frame_and_depth_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.mp4"
    with open_sink(path, NEAR, FAR) as sink:
        for index in range(4):
            sink.write(with_depth(captured(index), depth(1 + index)))
    frames, fps = read_video(path)
    assert fps == 30
    assert len(frames) == 4
    for index, frame in enumerate(frames):
        expected = side_by_side(captured(index).frame, depth(1 + index), NEAR, FAR)
        # The middle of the frame's half and of the depth's half, away from edges that compression blurs.
        for column in (32, 96):
            difference = frame[20:28, column - 4 : column + 4].astype(int) - expected[24, column]
            assert abs(difference).mean() < 8
    assert files(path.parent) == ["x.mp4"]


@pytest.mark.parametrize("count", [1, 4])
def test_video_of_images_plays_at_ten_frames_a_second(tmp_path: Path, count: int) -> None:
    with open_sink(tmp_path / "x.mp4", NEAR, FAR, timed=False) as sink:
        for index in range(count):
            sink.write(with_depth(captured(index), depth(1)))
    frames, fps = read_video(tmp_path / "x.mp4")
    assert (len(frames), fps) == (count, 10)


def test_frames_of_changed_or_odd_size_are_fitted(tmp_path: Path) -> None:
    with open_sink(tmp_path / "x.mp4", NEAR, FAR) as sink:
        sink.write(with_depth(captured(0, 47, 63), depth(1, 47, 63)))
        sink.write(with_depth(captured(1, 96, 128), depth(1, 96, 128)))
    frames, _ = read_video(tmp_path / "x.mp4")
    assert len(frames) == 2
    assert frames[0].shape[0] == 48
    assert frames[0].shape[1] % 2 == 0
    assert frames[1].shape == frames[0].shape


def test_a_picture_of_another_shape_is_not_stretched(tmp_path: Path) -> None:
    """A white disc in an upright picture, after a wide one, stays a disc."""
    disc = cv2.circle(np.zeros((200, 100, 3), np.uint8), (50, 100), 40, (255, 255, 255), -1)
    with open_sink(tmp_path / "x.mp4", NEAR, FAR) as sink:
        sink.write(with_depth(captured(0, 120, 300), depth(1, 120, 300)))
        sink.write(with_depth(Captured(np.asarray(disc), 0.1, 1), depth(1, 200, 100)))
    wide, upright = read_video(tmp_path / "x.mp4")[0]
    assert upright.shape == wide.shape
    bright = upright[:, : upright.shape[1] // 2].min(2) > 128
    rows, columns = bright.any(1).sum(), bright.any(0).sum()
    assert rows == pytest.approx(2 * 40 * 120 / 200, abs=2)
    assert columns == pytest.approx(rows, abs=2)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (3, 2), (15, 17), (101, 1), (1, 101), (47, 63)])
def test_pictures_of_any_small_or_odd_size_make_a_video(tmp_path: Path, height: int, width: int) -> None:
    with open_sink(tmp_path / "x.mp4", NEAR, FAR) as sink:
        for index in range(3):
            sink.write(with_depth(captured(index, height, width), depth(1, height, width)))
    frames, _ = read_video(tmp_path / "x.mp4")
    assert len(frames) == 3
    expected = side_by_side(captured(0, height, width).frame, depth(1, height, width), NEAR, FAR)
    assert frames[0].shape[:2] == tuple(size + size % 2 for size in expected.shape[:2])


@pytest.mark.parametrize(("height", "width"), [(3024, 4032), (40, 12_000), (177, 12_000), (8300, 20), (9001, 33)])
def test_pictures_beyond_the_encoders_size_are_scaled_and_that_is_said_once(
    tmp_path: Path, height: int, width: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The left half is dark and 1 m away, the right half bright and 5 m."""
    picture, metres = np.zeros((height, width, 3), np.uint8), depth(1, height, width)
    picture[:, width // 2 :], metres[:, width // 2 :] = 200, 5
    with open_sink(tmp_path / "x.mp4", NEAR, FAR) as sink:
        for index in range(2):
            sink.write(with_depth(Captured(picture, index / 30, index), metres))
    (record,) = caplog.records
    said = re.search(r"x\.mp4: pictures of (\d+)×(\d+) are scaled to (\d+)×(\d+), since a video", record.getMessage())
    assert said
    before, columns, rows = (int(said[1]), int(said[2])), int(said[3]), int(said[4])
    assert before == (width, height)
    scale = max(columns / width, rows / height)
    assert (columns, rows) == pytest.approx((width * scale, height * scale), abs=1)
    frames, _ = read_video(tmp_path / "x.mp4")
    assert len(frames) == 2
    expected = side_by_side(np.zeros((rows, columns, 3), np.uint8), depth(1, rows, columns), NEAR, FAR)
    assert frames[0].shape[:2] == tuple(size + size % 2 for size in expected.shape[:2])
    assert max(frames[0].shape) > 8150
    sides = [frames[0][rows // 2, at].astype(int) for at in (columns // 4, 3 * columns // 4, columns + columns // 4)]
    red = colourise(depth(1, 1, 1), NEAR, FAR)[0, 0]
    for found, wanted in zip(sides, ([0] * 3, [200] * 3, red), strict=True):
        assert np.abs(found - wanted).max() < 30


def test_a_picture_that_just_fits_is_not_scaled(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bar = side_by_side(np.zeros((40, 8, 3), np.uint8), depth(1, 40, 8), NEAR, FAR).shape[1] - 16
    width = (8190 - bar) // 2
    for wider in (0, 1):
        with open_sink(tmp_path / f"{wider}.mp4", NEAR, FAR) as sink:
            sink.write(with_depth(captured(0, 40, width + wider), depth(1, 40, width + wider)))
        assert len(caplog.records) == wider
        assert read_video(tmp_path / f"{wider}.mp4")[0][0].shape[1] in (8188, 8190)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_video_keeps_the_times_of_its_frames(tmp_path: Path, suffix: str) -> None:
    """Each frame is there once, at its time, and the last as long as the one before it."""
    times = [1.0, 1.02, 1.02, 1.3 + 1 / 7, 61.3]
    with open_sink(tmp_path / f"x{suffix}", NEAR, FAR) as sink:
        for index, seconds in enumerate(times):
            captured = Captured(np.full((48, 64, 3), 40 * index, np.uint8), seconds, index)
            sink.write(with_depth(captured, depth(1)))
    with av.open(str(tmp_path / f"x{suffix}")) as container:
        frames = list(container.decode(video=0))
        length = (container.duration or 0) / 1e6
    if suffix in (".mp4", ".m4v", ".mov"):
        data = (tmp_path / f"x{suffix}").read_bytes()
        assert data.index(b"moov") < data.index(b"mdat"), "a browser would have to load all of it first"
    tick = 1 / 60_000 if suffix in (".mp4", ".m4v", ".mov") else 1e-3
    shown = [frame.time for frame in frames]
    assert shown == pytest.approx([seconds - 1 for seconds in times], abs=1.01 * tick)
    assert sorted(set(shown)) == shown
    assert length == pytest.approx(2 * shown[-1] - shown[-2], abs=0.03)
    levels = [float(frame.to_ndarray(format="bgr24")[8:40, 8:56].mean()) for frame in frames]
    assert levels == pytest.approx([0, 40, 80, 120, 160], abs=6)


def test_an_ffmpeg_without_h264_writes_what_it_has_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264", "libopenh264"})
    with open_sink(tmp_path / "x.mp4", NEAR, FAR) as sink:
        for index in range(4):
            sink.write(with_depth(captured(index), depth(1)))
    frames, fps = read_video(tmp_path / "x.mp4")
    assert (len(frames), fps) == (4, 30)
    (record,) = caplog.records
    assert "no encoder of H.264" in record.getMessage()
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with (
        open_sink(tmp_path / "x.webm", NEAR, FAR) as sink,
        pytest.raises(OutputError, match=r"x\.webm cannot be written: this FFmpeg has no libvpx-vp9"),
    ):
        sink.write(with_depth(captured(0), depth(1)))
    assert files(tmp_path) == ["x.mp4"]


def test_an_error_leaves_an_earlier_video_as_it_was(tmp_path: Path) -> None:
    def failing() -> None:
        with open_sink(tmp_path / "x.mp4", NEAR, FAR) as sink:
            sink.write(with_depth(captured(0), depth(1)))
            raise ZeroDivisionError

    (tmp_path / "x.mp4").write_bytes(b"earlier")
    with pytest.raises(ZeroDivisionError):
        failing()
    assert (tmp_path / "x.mp4").read_bytes() == b"earlier"
    assert files(tmp_path) == ["x.mp4"]


def test_a_video_without_frames_writes_nothing(tmp_path: Path) -> None:
    with open_sink(tmp_path / "x.mp4", NEAR, FAR):
        pass
    assert files(tmp_path) == []


def test_a_video_that_lost_its_end_is_an_error(tmp_path: Path) -> None:
    """As on a full disk, where OpenCV's writer says nothing and the index, written last, is missing."""
    sink = VideoSink(tmp_path / "x.mp4", NEAR, FAR)
    sink.__enter__()
    for index in range(3):
        sink.write(with_depth(captured(index), depth(1)))
    (draft,) = tmp_path.glob("*.mp4")
    draft.unlink()
    draft.touch()
    with pytest.raises(OutputError, match=r"could not be written beyond frame 3 \(.* free some space"):
        sink.__exit__(None, None, None)
    assert files(tmp_path) == []


# Before 2.2 NumPy does not close an archive that it cannot write, and collecting it fails anew.
UNCLOSED = [pytest.mark.filterwarnings("ignore:.*ZipFile.__del__")] if NumpyVersion(np.__version__) < "2.2.0" else []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["depth.png", pytest.param("depth.npz", marks=UNCLOSED), "depth.ply", "depth.jpg"])
def test_a_full_disk_is_an_error_that_names_the_picture(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: real(Path("/dev/full") if mode == "wb" else self, mode))
    path = tmp_path / "d" if name == "depth.png" else tmp_path / "d" / name
    with open_sink(path, NEAR, FAR) as sink, pytest.raises(OSError, match="No space") as error:
        sink.write(with_depth(captured(5), depth(1)))
    stem, suffix = name.split(".")
    assert error.value.filename == str(tmp_path / "d" / f"{stem}_000005.{suffix}")
    assert files(tmp_path / "d") == []
    del error
    gc.collect()


def test_a_picture_shows_frame_and_depth_side_by_side(tmp_path: Path) -> None:
    scene = Room(3).render(0.0, default_intrinsics(96, 128))
    with open_sink(tmp_path / "new" / "x.jpg", NEAR, FAR) as sink:
        sink.write(with_depth(Captured(scene.frame, 0.0, 7), scene.depth))
    assert files(tmp_path / "new") == ["x_000007.jpg"]
    kept = cv2.imread(str(tmp_path / "new" / "x_000007.jpg"))
    expected = side_by_side(scene.frame, scene.depth, NEAR, FAR)
    assert kept.shape == expected.shape
    assert np.abs(kept.astype(int) - expected).mean() < 5
    # Each half is its own: to the frame's half neither the depth's nor a mirrored frame comes near.
    shown = kept[:, :128].astype(int)
    assert np.abs(shown - scene.frame).mean() < 0.2 * np.abs(shown - scene.frame[:, ::-1]).mean()


def test_a_picture_that_is_too_wide_for_jpeg_is_one_line(tmp_path: Path) -> None:
    wide = with_depth(captured(0, 2, 40_000), depth(1, 2, 40_000))
    with open_sink(tmp_path / "x.jpg", NEAR, FAR) as sink, pytest.raises(OutputError, match="at most 65500 pixels"):
        sink.write(wide)
    assert files(tmp_path) == []


def test_depth_is_kept_in_millimetres(tmp_path: Path) -> None:
    metres = np.linspace(0.5, 9.5, 48 * 64, dtype=np.float32).reshape(48, 64)
    with open_sink(tmp_path / "depth", NEAR, FAR) as sink:
        sink.write(with_depth(captured(3), metres))
    assert files(tmp_path / "depth") == ["depth_000003.png"]
    kept = cv2.imread(str(tmp_path / "depth" / "depth_000003.png"), cv2.IMREAD_UNCHANGED)
    assert kept.dtype == np.uint16
    assert np.abs(kept / 1000 - metres).max() <= 0.0005 + 1e-6


def test_depth_that_is_unknown_or_does_not_fit_is_zero() -> None:
    metres = np.array([[1.2344, 1.2346, 65.535, 65.536, 0, -1, np.nan, np.inf, -np.inf, 1e30]], np.float32)
    assert to_millimetres(metres).tolist() == [[1234, 1235, 65535, 0, 0, 0, 0, 0, 0, 0]]


def test_blocks_of_rows_make_what_the_whole_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """47 rows of 63 pixels, in blocks of 5 rows, of a row, and at once; some depth is unknown, some blocks are."""
    metres = np.random.default_rng(0).uniform(-1, 70, (47, 63)).astype(np.float32)
    metres[10:20] = np.nan
    frame = with_depth(captured(0, 47, 63), metres)
    written = []
    for number, pixels in enumerate((5 * 63, 1, 1 << 20)):
        monkeypatch.setattr("clipdepth.sinks.row_blocks.BLOCK_PIXELS", pixels)
        assert sum(rows.stop - rows.start for rows in row_blocks(47, 63)) == 47
        for name in ("x.ply", "png"):
            with open_sink(tmp_path / str(number) / name, NEAR, FAR) as sink:
                sink.write(frame)
        found = (tmp_path / str(number)).rglob("*_000000.*")
        written.append([path.read_bytes() for path in sorted(found, key=lambda path: path.suffix)])
    assert len(written[0]) == 2
    assert written[0] == written[1] == written[2]
    np.testing.assert_array_equal(np.concatenate([frame.points(rows) for rows in row_blocks(47, 63)]), frame.points())


def test_pictures_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    with open_sink(tmp_path, NEAR, FAR) as sink:
        sink.write(with_depth(captured(0), depth(1)))
    with pytest.raises(OutputError, match="already"), open_sink(tmp_path, NEAR, FAR):
        pass


@pytest.mark.parametrize("name", ["file/x.mp4", "file/folder", "file"])
def test_a_file_in_the_way_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another"), open_sink(tmp_path / name, NEAR, FAR):
        pass


def test_other_suffixes_are_misuse_and_an_existing_folder_may_have_any(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mp4"):
        open_sink(tmp_path / "x.avi", NEAR, FAR)
    (tmp_path / "run.1").mkdir()
    sink = open_sink(tmp_path / "run.1", NEAR, FAR)
    assert isinstance(sink, NumberedSink)
    assert sink.name == str(tmp_path / "run.1" / "depth_*.png")


def test_point_clouds_are_of_the_pinhole_that_is_told(tmp_path: Path) -> None:
    """A plane 2 m ahead, seen by a camera of 48×64: x / z of its corners is that of the corner pixels."""
    camera = default_intrinsics(48, 64)
    with open_sink(tmp_path / "x.ply", NEAR, FAR) as sink:
        sink.write(with_depth(captured(0), depth(2)))
    (cloud,) = tmp_path.glob("*.ply")
    header, _, data = cloud.read_bytes().partition(b"end_header\n")
    assert b"element vertex 3072" in header
    points = np.frombuffer(data, [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    assert points["xyz"][:, 2] == pytest.approx(2)
    assert points["xyz"][0, 0] / 2 == pytest.approx((0 - camera.cx) / camera.fx, abs=1e-6)


def test_arrays_are_exactly_what_was_delivered(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    metres = rng.uniform(0.3, 6, (48, 64)).astype(np.float32)
    metres[0, :3] = np.nan, np.inf, 0
    frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    with open_sink(tmp_path / "x.npz", NEAR, FAR) as sink:
        sink.write(with_depth(Captured(frame, 1 / 3, 12), metres))
    assert files(tmp_path) == ["x_000012.npz"]
    with np.load(tmp_path / "x_000012.npz") as kept:
        assert sorted(kept) == ["camera", "depth", "frame", "intrinsics", "time"]
        assert kept["camera"] == "told"
        assert kept["depth"].dtype == np.float32
        np.testing.assert_array_equal(kept["depth"], metres)
        np.testing.assert_array_equal(kept["frame"], frame)
        assert float(kept["time"]) == 1 / 3
        camera = default_intrinsics(48, 64)
        assert kept["intrinsics"].tolist() == [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]]


def test_arrays_of_two_runs_are_not_mixed_and_other_names_are_no_matter(tmp_path: Path) -> None:
    for name in ("x[1].npz", "y.npz"):
        with open_sink(tmp_path / name, NEAR, FAR) as sink:
            sink.write(with_depth(captured(0), depth(1)))
    with pytest.raises(OutputError, match="already"), open_sink(tmp_path / "x[1].npz", NEAR, FAR):
        pass
