"""The window: what it draws, and real ones in an X server of their own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import TERMS, write_bundle
from clipdepth.errors import MissingLibraryError, OutputError
from clipdepth.sinks.depth_picture import side_by_side
from clipdepth.sinks.window import open_window
from clipdepth.sinks.window_picture import WindowPicture, metres
from live_servers import wait_until

NEAR, FAR = 0.3, 6.0
TOOLS = ("Xvfb", "xdotool")
needs_x = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in TOOLS), reason=f"needs {' and '.join(TOOLS)} (Debian: xvfb, xdotool)"
)


def changed(picture: np.ndarray, from_picture: np.ndarray) -> np.ndarray:
    """Columns and rows, (N, 2), of pixels that differ."""
    return np.argwhere((picture != from_picture).any(axis=-1))[:, ::-1]


def test_the_picture_is_that_of_videos_until_something_is_pointed_at() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    depth = rng.uniform(0.3, 6, (48, 64)).astype(np.float32)
    plain = side_by_side(frame, depth, NEAR, FAR)
    picture = WindowPicture(frame, depth, NEAR, FAR)
    for nowhere in (None, (2 * 64, 5), (-1, 5), (5, 48), (5, -1)):
        np.testing.assert_array_equal(picture.pointed(nowhere), plain)


@pytest.mark.parametrize("x", [200, 200 + 320])
def test_a_pointer_in_either_half_marks_both_and_does_not_stay(x: int) -> None:
    picture = WindowPicture(np.full((240, 320, 3), 99, np.uint8), np.full((240, 320), 2, np.float32), NEAR, FAR)
    plain = picture.pointed(None).copy()
    pointed = picture.pointed((x, 120))
    where = changed(pointed, plain)
    for half in (200, 520):
        arms = where[(np.abs(where - (half, 120)) <= (8, 1)).all(axis=1)]
        assert arms[:, 0].min() <= half - 7
        assert arms[:, 0].max() >= half + 7
    np.testing.assert_array_equal(picture.pointed(None), plain)


def test_the_text_stays_inside_the_picture_and_says_the_depth_of_the_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    depth = np.arange(240 * 320, dtype=np.float32).reshape(240, 320) / 1000
    picture = WindowPicture(np.zeros((240, 320, 3), np.uint8), depth, NEAR, FAR)
    texts = []
    monkeypatch.setattr(cv2, "putText", lambda _, text, at, *__: texts.append((text, at)))
    for x, y in ((0, 0), (319, 239), (320, 10), (639, 239)):
        picture.pointed((x, y))
        text, (left, base) = texts[-1]
        assert text == f"{depth[y, x % 320]:.2f} m".replace("0.00 m", "no depth")
        assert left >= 0
        assert base >= 14
        assert left + cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)[0][0] <= picture.pointed(None).shape[1]


def test_the_text_says_how_far_off_depth_may_be_where_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine tenths of Weibull's law lie within 0.1 (log 0.1 / log(1 - p))^(1 / 1.1), where p of it lie within 0.1."""
    sure = np.tile(np.linspace(0, 0.99, 1280, dtype=np.float32), (720, 1))
    depth = np.full((720, 1280), 3, np.float32)
    picture = WindowPicture(np.zeros((720, 1280, 3), np.uint8), depth, NEAR, FAR, confidence=sure)
    texts: list[str] = []
    monkeypatch.setattr(cv2, "putText", lambda _, text, *__: texts.append(text))
    for x in (100, 300, 500, 639):
        picture.pointed((x, 100))
        expected = 3 * 0.1 * (np.log(0.1) / np.log1p(-sure[0, 2 * x])) ** (1 / 1.1)
        if expected > 3:
            assert texts[-1] == "3.00 m, unsure"
        else:
            assert float(texts[-1].removeprefix("3.00 m +/- ").removesuffix(" m")) == pytest.approx(expected, abs=0.02)
    assert "unsure" in texts[0]
    assert "unsure" not in texts[-1]


def test_a_wide_frame_is_made_smaller_and_its_depth_is_picked_not_averaged() -> None:
    depth = np.where(np.arange(1920) % 2, 1, 5).astype(np.float32)[None].repeat(1080, 0)
    picture = WindowPicture(np.zeros((1080, 1920, 3), np.uint8), depth, NEAR, FAR)
    assert picture.depth.shape == (360, 640)
    assert set(np.unique(picture.depth)) <= {1, 5}
    assert picture.pointed(None).shape[0] == 360


def test_depth_that_is_none_is_not_told_in_metres() -> None:
    assert [metres(value) for value in (2.345, 0, -1, np.nan, np.inf)] == ["2.35 m", *["no depth"] * 4]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """An X server that chooses its own number."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as numbers:
            yield f":{numbers.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def start(bundle: Path, display: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clipdepth", "run", str(bundle), "--show", "--engine", "onnxruntime", *arguments]
    environment = {**os.environ, "DISPLAY": display}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def xdotool(display: str, *arguments: str) -> list[str]:
    result = subprocess.run(
        ["xdotool", *arguments], env={**os.environ, "DISPLAY": display}, capture_output=True, text=True, check=False
    )
    return result.stdout.split()


@needs_x
@pytest.mark.parametrize("key", ["q", "Escape"])
def test_a_key_ends_the_run_with_its_video_playable(key: str, display: str, tmp_path: Path) -> None:
    bundle, video = write_bundle(tmp_path / "b.bundle"), tmp_path / "x.mp4"
    process = start(bundle, display, "--source", "rooms:7", "--output", str(video))
    try:
        wait_until(lambda: process.poll() is not None or xdotool(display, "search", "--name", "rooms:7"))
        windows = xdotool(display, "search", "--name", "rooms:7")
        assert windows, process.communicate()
        time.sleep(0.5)
        xdotool(display, "mousemove", "--window", windows[0], "100", "100", "key", key)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, TERMS)
    assert "x.mp4" in out
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) >= 1


@needs_x
def test_windows_of_several_sources_close_when_they_end(display: str, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b.bundle")
    process = start(bundle, display, "--source", "rooms:1", "--source", "rooms:2", "--frames", "3")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, TERMS)
    assert "6 in" in out


@needs_x
def test_a_key_ends_a_calibration_with_what_it_has(display: str, tmp_path: Path) -> None:
    words = ["--checkerboard", "8x5", "--source", "rooms:7", "--out", "c.yml", "--show"]
    process = subprocess.Popen(
        [sys.executable, "-m", "clipdepth", "calibrate", *words],
        env={**os.environ, "DISPLAY": display},
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        wait_until(lambda: process.poll() is not None or xdotool(display, "search", "--name", "rooms:7"))
        windows = xdotool(display, "search", "--name", "rooms:7")
        assert windows, process.communicate()
        time.sleep(0.5)
        xdotool(display, "mousemove", "--window", windows[0], "100", "100", "key", "q")
        err = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 1
    assert "0 different views of a 8x5 board" in err
    assert err.count("\n") == 1


def test_a_python_without_tk_and_a_mac_are_told_of_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.sinks.screen.find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match=r"no Tk; install python3-tk .*, or use --serve to look"):
        open_window(NEAR, FAR)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OutputError, match=r"a Mac opens windows for a program's first thread alone.*; use --serve"):
        open_window(NEAR, FAR)


def test_without_a_display_one_line_names_the_browser(tmp_path: Path) -> None:
    process = start(write_bundle(tmp_path / "b.bundle"), ":9999", "--source", "rooms")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("clipdepth: error: ")
    assert "--serve" in err
    assert err.count("\n") == 1
