import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import pytest

import clipdepth
from bundles import brightness_confidence, brightness_depth, write_bundle
from clipdepth.errors import BundleError, SourceError, UsageError
from live_servers import mjpeg_server, wait_until
from slow_stages import threads


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle")


def test_three_lines_give_every_frame_with_its_depth(bundle: Path) -> None:
    given = list(np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8))
    pairs = list(clipdepth.stream(bundle, given, threads=1))
    assert len(pairs) == 12
    for (frame, depth), expected in zip(pairs, given, strict=True):
        np.testing.assert_array_equal(frame, expected)
        np.testing.assert_allclose(depth, brightness_depth(expected), rtol=1e-6)
    assert threads() == []


def test_a_camera_that_fills_one_buffer_gives_each_picture_its_own_depth(bundle: Path) -> None:
    """The loop keeps every frame and looks at them at the end, when the buffer has long had other pictures."""
    buffer = np.zeros((48, 64, 3), np.uint8)
    given = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)

    def camera() -> Iterator[np.ndarray]:
        for picture in given:
            buffer[:] = picture
            yield buffer

    for smooth in (False, True):
        frames = list(clipdepth.stream(bundle, camera(), threads=1, smooth=smooth))
        assert len(frames) == 12
        for frame, expected in zip(frames, given, strict=True):
            np.testing.assert_array_equal(frame.image, expected)
            if not smooth:
                np.testing.assert_allclose(frame.depth, brightness_depth(expected), rtol=1e-6)


def test_an_array_is_one_picture_or_a_row_of_them(bundle: Path) -> None:
    given = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    (frame,) = clipdepth.stream(bundle, given[0], threads=1)
    assert (frame.source, frame.index, frame.time) == ("image", 0, 0.0)
    np.testing.assert_array_equal(frame.image, given[0])
    np.testing.assert_allclose(frame.depth, brightness_depth(given[0]), rtol=1e-6)
    np.testing.assert_array_equal([frame.image for frame in clipdepth.stream(bundle, given, threads=1)], given)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (np.zeros((48, 64, 3)), r"the image is float64 of shape \(48, 64, 3\); give uint8 \(H, W, 3\), BGR"),
        (np.zeros((48, 64), np.uint8), r"the image is uint8 of shape \(48, 64\); give uint8"),
        (np.zeros((48, 64, 4), np.uint8), r"the image is uint8 of shape \(48, 64, 4\)"),
        (np.zeros((2, 3, 48, 64), np.uint8), r"each image of the array is uint8 of shape \(3, 48, 64\)"),
        (3.5, r"a source cannot be a float; give a webcam's number, a path"),
        (None, r"a source cannot be a NoneType"),
    ],
)
def test_a_wrong_array_is_told_at_the_call(bundle: Path, source: object, told: str) -> None:
    with pytest.raises(SourceError, match=f"^{told}") as error:
        clipdepth.stream(bundle, source, threads=1)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_pixels_of_too_little_confidence_are_left_out(tmp_path: Path) -> None:
    sure = write_bundle(tmp_path / "sure.bundle", confident=True)
    given = np.random.default_rng(0).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    frames = list(clipdepth.stream(sure, given, threads=1, min_confidence=0.5))
    for frame, picture, confidence in zip(frames, given, brightness_confidence(given), strict=True):
        clear = np.abs(confidence - 0.5) > 1e-5
        np.testing.assert_array_equal(np.isnan(frame.depth)[clear], (confidence < 0.5)[clear])
        kept = clear & (confidence > 0.5)
        assert 0 < kept.mean() < 1
        np.testing.assert_allclose(frame.depth[kept], brightness_depth(picture)[kept], rtol=1e-5)


def test_a_least_confidence_that_means_nothing_is_told_at_the_call(bundle: Path, tmp_path: Path) -> None:
    with clipdepth.load(bundle, engine="onnxruntime") as model, pytest.raises(UsageError, match="does not state how"):
        model.stream(np.zeros((48, 64, 3), np.uint8), min_confidence=0.5)
    sure = write_bundle(tmp_path / "sure.bundle", confident=True)
    for nonsense in (1.5, -0.1, float("nan")):
        with pytest.raises(UsageError, match=r"min_confidence is .*; give a number from 0 to 1"):
            clipdepth.stream(sure, np.zeros((48, 64, 3), np.uint8), engine="onnxruntime", min_confidence=nonsense)


def test_a_path_a_pattern_or_a_string_is_opened(bundle: Path, tmp_path: Path) -> None:
    for level in (10, 20):
        cv2.imwrite(str(tmp_path / f"{level}.png"), np.full((30, 40, 3), level, np.uint8))
    for source in (tmp_path / "10.png", str(tmp_path / "1*.png")):
        ((frame, depth),) = clipdepth.stream(str(bundle), source)
        assert frame[0, 0, 0] == 10
        np.testing.assert_allclose(depth, np.full((30, 40), brightness_depth(frame)[0, 0]), rtol=1e-6)


def test_a_gpu_for_an_engine_on_the_cpu_is_misuse(bundle: Path) -> None:
    with pytest.raises(UsageError, match="engine 'onnxruntime' is not for GPUs, so that it has no device 1"):
        next(clipdepth.stream(bundle, "rooms", engine="onnxruntime", device=1))


def test_leaving_the_loop_closes_everything(bundle: Path) -> None:
    asked = count()
    frames = (np.full((48, 64, 3), next(asked) % 256, np.uint8) for _ in count())
    for _, depth in clipdepth.stream(bundle, frames):
        if depth[0, 0] > 0.7:
            break
    del _, depth
    assert wait_until(lambda: not threads())
    # Of a program's own frames no more are asked for than fit in the slots: bounded, not run away.
    assert next(asked) < 30


def test_a_generator_that_is_dropped_closes_too(bundle: Path) -> None:
    depths = clipdepth.stream(bundle, "rooms")
    next(depths)
    assert threads()
    del depths
    assert threads() == []


def test_a_slow_loop_gets_the_newest_of_a_camera_and_all_of_a_file(bundle: Path) -> None:
    with mjpeg_server(fps=100) as (url, _):
        levels = []
        for frame, _ in islice(clipdepth.stream(bundle, url), 8):
            levels.append(int(frame[0, 0, 0]))
            threading.Event().wait(0.1)
    steps = np.diff(levels)
    assert (steps > 0).all()
    assert np.median(steps) >= 4


def test_errors_come_to_the_loop(bundle: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield np.zeros((48, 64, 3), np.uint8)
        raise KeyError("of the user's own")

    with pytest.raises(KeyError, match="of the user's own"):
        list(clipdepth.stream(bundle, frames()))
    with pytest.raises(SourceError, match="frame 0 of frames is float64"):
        list(clipdepth.stream(bundle, [np.zeros((48, 64, 3))]))
    with pytest.raises(SourceError, match="nowhere"):
        list(clipdepth.stream(bundle, "nowhere.mp4"))
    with pytest.raises(BundleError):
        list(clipdepth.stream(bundle / "none", "rooms"))
    assert threads() == []


def test_importing_clipdepth_imports_nothing_heavy() -> None:
    code = "import sys, clipdepth; print({'numpy', 'cv2', 'onnxruntime', 'rich'} & set(sys.modules)); clipdepth.stream"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
    with pytest.raises(AttributeError, match="no attribute 'streams'"):
        _ = clipdepth.streams
