"""Pipelines of GStreamer as sources: real elements, a real RTSP server, and raw frames that a TCP server sends."""

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.cli import main
from clipdepth.errors import MissingLibraryError, SourceError, UsageError
from clipdepth.sources import open_source
from clipdepth.sources.gstreamer import open_pipeline, pipeline_name
from clipdepth.sources.gstreamer_bindings import load_gstreamer
from clipdepth.sources.live import Reconnect
from live_servers import LoopbackServer, free_port, rtsp_server
from system_gstreamer import require_gstreamer

# Debian 12's bindings import their own modules in a way that Python calls old.
pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning")
SOON = Reconnect(first_s=0.05, longest_s=0.2, give_up_s=60)
CAMERA = "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1"


@pytest.fixture(autouse=True)
def gstreamer() -> None:
    """What every test here needs."""
    require_gstreamer("avdec_h264", "x264enc", "pngdec", "rtspsrc")


@pytest.mark.parametrize("end", ["", "! appsink", "! videoconvert ! video/x-raw,format=BGR ! appsink drop=1"])
def test_a_pipelines_pictures_are_those_that_went_in(tmp_path: Path, end: str) -> None:
    """Rows of odd width are filled up by GStreamer; the picture is without that, and blue comes first."""
    picture = np.random.default_rng(0).integers(0, 256, (45, 67, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    pipeline = f"gst: filesrc location={tmp_path}/a.png ! pngdec ! imagefreeze ! video/x-raw,framerate=50/1 {end}"
    with open_source(pipeline) as source:
        assert (source.live, source.timed, source.fps, source.frame_count) == (True, True, 50, None)
        captured = list(islice(source, 3))
    for one in captured:
        np.testing.assert_array_equal(one.frame, picture)
        assert one.frame.flags.c_contiguous
        assert one.frame.flags.writeable


def test_times_are_the_pipelines_own() -> None:
    with open_source(f"gst: {CAMERA}") as source:
        times = [one.time for one in islice(source, 5)]
    steps = np.diff(times) * 30
    np.testing.assert_allclose(steps, np.round(steps), atol=0.05)
    assert (np.round(steps) >= 1).all()


def test_the_newest_frame_counts() -> None:
    with open_source(f"gst: {CAMERA} ! appsink") as source:
        frames = iter(source)
        first = next(frames)
        time.sleep(0.5)
        second = next(frames)
    assert second.time - first.time > 0.4


def test_a_film_plays_at_its_own_pace() -> None:
    start = time.monotonic()
    with open_source("gst: videotestsrc ! video/x-raw,framerate=20/1 ! appsink") as source:
        assert len(list(islice(source, 11))) == 11
    assert time.monotonic() - start > 0.45


def test_h264_over_rtsp_that_is_killed_and_started_with_another_size_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    pipeline = f"rtspsrc location=rtsp://127.0.0.1:{port}/camera latency=0 ! rtph264depay ! avdec_h264 ! appsink"
    with rtsp_server(port, 120, 160):
        source = open_pipeline(pipeline, reconnect=SOON, read_timeout_s=2)
        frames = iter(source)
        before = list(islice(frames, 5))
    with rtsp_server(port, 240, 320), source:
        after = [one for one in islice(frames, 20) if one.frame.shape[0] == 240]
    assert {one.frame.shape for one in before} == {(120, 160, 3)}
    assert len(after) > 3
    assert source.losses >= 1
    # A moving white ball on black: a made-up frame would be even.
    assert all(float(one.frame.std()) > 3 for one in [*before, *after])
    assert "is back after" in caplog.text


class RawCamera(LoopbackServer):
    """Sends frames of 64×48 BGR, of one level a connection, at 50/s; after 20 it sends nothing more and keeps still."""

    def __init__(self) -> None:
        self.connections = 0
        super().__init__(self._send)

    def _send(self, connection: socket.socket) -> None:
        self.connections += 1
        frame = np.full((48, 64, 3), 10 * self.connections, np.uint8).tobytes()
        with connection, suppress(OSError):
            for _ in range(20):
                connection.sendall(frame)
                self._stopped.wait(0.02)
            self._stopped.wait()


@pytest.fixture
def stalling() -> Iterator[RawCamera]:
    server = RawCamera()
    yield server
    server.close()


def test_a_pipeline_that_stalls_is_started_again(stalling: RawCamera, caplog: pytest.LogCaptureFixture) -> None:
    layout = "rawvideoparse width=64 height=48 format=bgr framerate=50/1"
    pipeline = f"tcpclientsrc host=127.0.0.1 port={stalling.port} ! {layout} ! appsink"
    with open_pipeline(pipeline, reconnect=SOON, read_timeout_s=0.5) as source:
        levels = []
        for captured in source:
            levels.append(int(captured.frame[0, 0, 0]))
            if levels[-1] == 30:
                break
    assert sorted(set(levels)) == [10, 20, 30]
    assert source.losses == 2
    assert stalling.connections == 3
    assert "was lost; trying" in caplog.text


def test_a_pipeline_that_ends_is_started_again_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    source = open_pipeline(f"videotestsrc num-buffers=3 ! {CAMERA.split('! ')[1]}", "bench camera", SOON)
    with source, caplog.at_level(logging.WARNING):
        assert len(list(islice(source, 5))) == 5
    assert source.losses >= 1
    assert "bench camera: the pipeline ended" in caplog.text


def test_closing_stops_the_pipeline() -> None:
    before = threading.active_count()
    with open_source(f"gst: {CAMERA}") as source:
        next(iter(source))
    assert threading.active_count() == before
    assert list(source) == []


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("videotestsrcc ! appsink", 'no element "videotestsrcc"'),
        ("videotestsrc patern=ball ! appsink", 'no property "patern" in element "videotestsrc"'),
        ("videotestsrc ! ! appsink", "syntax error"),
        ("videotestsrc ! audioconvert ! appsink", "could not link"),
        ("audiotestsrc ! appsink", "could not link"),
        ("videotestsrc ! tee name=t t. ! appsink t. ! appsink", "has 2 appsinks"),
        ("", "syntax error"),
    ],
)
def test_a_pipeline_that_is_misspelt_is_misuse_in_a_line(pipeline: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        open_source(f"gst: {pipeline}")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_pipeline_without_pictures_says_what_its_element_says(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(SourceError, match=r"gives no picture \(filesrc\d+: Resource not found\."):
        open_source(f"gst: filesrc location={tmp_path}/nothing.mp4 ! decodebin ! appsink")
    with pytest.raises(SourceError, match=r"gives no picture \(the pipeline ended\)"):
        open_source("gst: videotestsrc num-buffers=0 ! appsink")
    assert time.monotonic() - start < 8


def test_a_library_that_is_loaded_later_may_throw() -> None:
    """In a process of its own: what another test has loaded may hide the fault."""
    script = (
        "from clipdepth.sources.gstreamer_bindings import load_gstreamer; load_gstreamer(); import openvino\n"
        "try: openvino.Core().get_property('nothing', 'FULL_DEVICE_NAME')\n"
        "except RuntimeError: print('caught')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "caught\n"), ended.stderr


def test_names_of_pipelines_hold_no_secret() -> None:
    pipeline = 'rtspsrc location=rtsp://admin:hunter2@cam/x?key=hunter2 user-pw=hunter2 user-id="a b" !  decodebin'
    shown = "rtspsrc location=rtsp://***@cam/x?*** user-pw=*** user-id=*** ! decodebin"
    assert pipeline_name(pipeline) == shown
    with pytest.raises(UsageError) as error:
        open_source(f"gst: {pipeline} ! nothing ! appsink")
    assert "hunter2" not in str(error.value)


def test_a_python_without_the_bindings_says_what_brings_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "gi", None)
    monkeypatch.setattr("clipdepth.sources.gstreamer_bindings.SYSTEM_PACKAGES", [str(tmp_path)])
    with pytest.raises(MissingLibraryError, match=r"\(No module named 'gi'\).*apt install python3-gi"):
        open_source(f"gst: {CAMERA}")


def test_bindings_of_another_python_are_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gi").mkdir()
    (tmp_path / "gi" / "__init__.py").write_text("from . import _gi\n")
    monkeypatch.setattr("clipdepth.sources.gstreamer_bindings.SYSTEM_PACKAGES", [str(tmp_path)])
    for name in [name for name in sys.modules if name.partition(".")[0] == "gi"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(MissingLibraryError, match=r"by this Python 3\.\d+ \(cannot import name '_gi'"):
        load_gstreamer()


def test_the_command_runs_on_a_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "b.bundle")
    arguments = ["run", str(bundle.path if hasattr(bundle, "path") else bundle), "--source", f"gst: {CAMERA} ! appsink"]
    assert main([*arguments, "--frames", "3", "--engine", "onnxruntime"]) == 0
    assert "gst: videotestsrc" in capsys.readouterr().out
