import logging
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.cli import main
from clipdepth.errors import SourceError, UsageError
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sources import Captured, is_camera, open_source
from clipdepth.sources.camera import DeviceCapture, camera_source
from clipdepth.sources.capture import Capture
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.mode import CameraMode
from clipdepth.sources.network import open_stream, redacted
from fake_camera import FakeCamera
from live_servers import LoopbackServer, free_port, mjpeg_server, rtsp_server, wait_until, web_server
from slow_stages import SIZE, Kept, SlowEngine

LOGIN = b"YWRtaW46aHVudGVyMg=="
"""admin:hunter2 in base64, as RFC 7617 has it."""
SOON = Reconnect(first_s=0.05, longest_s=0.2, give_up_s=60)


class Reader:
    """Reads a source in a thread until it is closed; keeps what came, and the error that ended it."""

    def __init__(self, source: LiveSource) -> None:
        self.got: list[Captured] = []
        self.error: Exception | None = None
        self._source = source
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for captured in self._source:
                self.got.append(captured)
        except SourceError as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    def sees(self, frames: int, height: int) -> bool:
        """Whether so many frames of that height come from now on."""
        before = len(self.got)
        return wait_until(lambda: sum(one.frame.shape[0] == height for one in self.got[before:]) >= frames)


@pytest.fixture
def readers() -> Iterator[list[tuple[LiveSource, Reader]]]:
    """Sources that are read; closed at the end."""
    opened: list[tuple[LiveSource, Reader]] = []
    yield opened
    for source, reader in opened:
        source.close()
        reader.join()


def read(readers: list[tuple[LiveSource, Reader]], url: str, reconnect: Reconnect = SOON) -> tuple[LiveSource, Reader]:
    source = open_stream(url, reconnect, read_timeout_s=1)
    assert isinstance(source, LiveSource)
    readers.append((source, Reader(source)))
    return readers[-1]


def test_a_stream_over_http_gives_its_pictures_in_order(readers: list[tuple[LiveSource, Reader]]) -> None:
    with mjpeg_server() as (url, _):
        source, reader = read(readers, url)
        assert source.live
        assert source.name == url
        assert wait_until(lambda: len(reader.got) >= 20)
    frames = reader.got[:20]
    assert [one.index for one in frames] == list(range(20))
    for one, level in zip(frames, range(20), strict=True):
        assert one.frame.shape == (48, 64, 3)
        assert abs(float(one.frame.mean()) - level) < 3
    stamps = [one.captured_ns for one in frames]
    assert stamps == sorted(stamps)
    assert frames[-1].time == pytest.approx((stamps[-1] - stamps[0]) / 1e9)


def test_a_server_that_dies_and_comes_back_with_another_size_goes_on(
    readers: list[tuple[LiveSource, Reader]], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    caplog.set_level(logging.WARNING)
    with ExitStack() as first:
        url, _ = first.enter_context(mjpeg_server(port))
        source, reader = read(readers, url)
        assert reader.sees(5, 48)
    assert wait_until(lambda: source.losses == 1)
    count = len(reader.got)
    with mjpeg_server(port, 96, 128) as (_, server):
        assert reader.sees(5, 96)
        # What stalls without a word is lost after the read time-out, and found again by a new connection.
        server.stalled.set()
        assert wait_until(lambda: source.losses == 2)
        server.stalled.clear()
        assert reader.sees(5, 96)
    indices = [one.index for one in reader.got]
    assert indices == list(range(len(indices)))
    assert {one.frame.shape for one in reader.got[count:]} == {(96, 128, 3)}
    # No frame is made up, in grey or black: brightness counts up from 0 in every connection.
    assert all(float(one.frame.std()) < 3 for one in reader.got)
    said = [record.getMessage() for record in caplog.records]
    assert sum("was lost" in text for text in said) == source.losses
    assert sum("is back after" in text for text in said) >= 2


def test_pictures_that_change_their_size_within_a_connection_come_as_they_are(
    readers: list[tuple[LiveSource, Reader]],
) -> None:
    pictures = [np.full((height, 64, 3), height, np.uint8) for height in (48, 96)]
    with mjpeg_server(pictures=pictures) as (url, _):
        source, reader = read(readers, url)
        assert wait_until(lambda: len(reader.got) >= 10)
    assert [one.frame.shape[0] for one in reader.got[:10]] == [48, 96] * 5
    assert source.fps != 1000


def test_a_stream_that_stays_away_is_given_up(readers: list[tuple[LiveSource, Reader]]) -> None:
    with mjpeg_server() as (url, _):
        _, reader = read(readers, url, Reconnect(0.05, 0.1, give_up_s=0.5))
        assert reader.sees(3, 48)
    reader.join()
    assert "was lost and did not come back in" in str(reader.error)


def test_a_server_that_answers_without_pictures_is_not_asked_in_a_hurry() -> None:
    class Empty(FakeCamera):
        def read(self) -> tuple[bool, None]:
            return False, None

    attempts: list[Capture] = []

    def connect() -> Capture:
        attempts.append(DeviceCapture(Empty()))
        return attempts[-1]

    with LiveSource("empty", DeviceCapture(Empty()), connect, Reconnect(0.05, 0.1, give_up_s=1)) as source:
        with pytest.raises(SourceError, match="did not come back"):
            list(source)
        assert source.losses == 1
    assert 2 <= len(attempts) <= 12


def test_a_lost_camera_is_let_go_before_it_is_opened_again() -> None:
    class Short(FakeCamera):
        left = 2

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.left -= 1
            return super().read() if self.left >= 0 else (False, None)

    lost: list[weakref.ref[Short]] = []

    def connect() -> Capture:
        assert all(camera() is None for camera in lost)
        camera = Short()
        lost.append(weakref.ref(camera))
        return DeviceCapture(camera)

    with LiveSource("camera", connect(), connect, SOON) as source:
        assert len(list(islice(source, 6))) == 6
    assert len(lost) == 3


def test_closing_ends_a_wait_for_a_lost_stream(readers: list[tuple[LiveSource, Reader]]) -> None:
    with mjpeg_server() as (url, _):
        source, reader = read(readers, url, Reconnect(first_s=1000, longest_s=1000))
        assert reader.sees(1, 48)
    assert wait_until(lambda: source.losses == 1)
    source.close()
    reader.join()
    assert reader.error is None


def test_a_server_that_restarts_during_a_pipeline_loses_nothing_but_time() -> None:
    port, sink = free_port(), Kept()
    with ExitStack() as stack:
        server = ExitStack()
        url, _ = server.enter_context(mjpeg_server(port))
        source = stack.enter_context(open_stream(url, SOON))
        pipeline = stack.enter_context(Pipeline(SlowEngine(), [SIZE], [Feed(source, [sink])]))
        assert wait_until(lambda: len(sink.got) >= 5)
        server.close()
        assert wait_until(lambda: source.losses == 1)
        server.enter_context(mjpeg_server(port, 60, 80))
        assert wait_until(lambda: sink.got[-1][0].depth.shape == (60, 80))
        assert not pipeline.wait(0)
        pipeline.stop()
        server.close()
    assert all(frame.depth.shape == frame.image.shape[:2] for frame, _ in sink.got)


def test_rtsp_killed_and_started_again_with_another_size_goes_on(readers: list[tuple[LiveSource, Reader]]) -> None:
    port = free_port()
    with rtsp_server(port, 120, 160) as url:
        source, reader = read(readers, url)
        assert reader.sees(5, 120)
    assert wait_until(lambda: source.losses == 1)
    with rtsp_server(port, 240, 320):
        assert reader.sees(5, 240)
    # A moving white ball on black, in colours of its own: a made-up frame would be even.
    assert all(float(one.frame.std()) > 3 for one in reader.got)


def test_what_waited_while_a_stream_was_opened_is_left_out(readers: list[tuple[LiveSource, Reader]]) -> None:
    """A sender gives 40 frames at once, as servers do, and then one after another in their time."""
    shown = transport_stream(count=60, rate=25)
    with closing(LoopbackServer(partial(send_late, shown, 40, 25))) as server:
        source = open_stream(f"tcp://127.0.0.1:{server.port}", SOON)
        reader = Reader(source)
        readers.append((source, reader))
        assert wait_until(lambda: len(reader.got) >= 5)
    numbers = [round(float(one.frame.mean()) / 4) for one in reader.got[:5]]
    # A frame that is slow to decode looks as if it had been waited for, and the container tells a frame's end late.
    assert numbers[0] >= 30, "among the newest of those that waited"
    assert numbers == list(range(numbers[0], numbers[0] + 5)), "and none is left out after that"


def transport_stream(count: int, rate: int) -> list[bytes]:
    """H.264 in MPEG-TS, in pieces of a frame; the grey of frame n is 4 n."""
    file, pieces = BytesIO(), []
    with av.open(file, "w", format="mpegts", container_options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"tune": "zerolatency", "g": "5"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(count):
            grey = np.full((48, 64, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
            pieces.append(file.getvalue()[sum(map(len, pieces)) :])
    return pieces


def send_late(pieces: list[bytes], at_once: int, rate: int, connection: socket.socket) -> None:
    with connection, suppress(ConnectionError):
        connection.sendall(b"".join(pieces[:at_once]))
        for piece in pieces[at_once:]:
            time.sleep(1 / rate)
            connection.sendall(piece)


def test_a_video_on_a_server_is_read_frame_by_frame_to_its_end(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "v.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (64, 48))
    for level in range(0, 200, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    with web_server(tmp_path) as url, open_source(f"{url}/v.mp4") as source:
        assert not source.live
        assert (source.fps, source.frame_count) == (25, 20)
        levels = [float(captured.frame.mean()) for captured in source]
    assert levels == pytest.approx(range(0, 200, 10), abs=4)


def test_nothing_that_answers_is_an_error_at_once() -> None:
    with pytest.raises(SourceError, match=r"no video comes from http://127\.0\.0\.1:\d+/x;"):
        open_source(f"http://127.0.0.1:{free_port()}/x")


REDACTED = {
    "rtsp://host/a/b": "rtsp://host/a/b",
    "rtsp://admin:hunter2@host:554/a": "rtsp://***@host:554/a",
    "rtsp://host/a?user=admin&password=hunter2": "rtsp://host/a?***",
    "rtsp://host/user=admin_password=hunter2_channel=1.sdp": "rtsp://host/***",
    "rtsp://admin:hun@ter2/@host/a": "rtsp://***@host/a",
    "rtsp://admin:hun?ter2@host/a": "rtsp://***@host/a",
    "rtsp://admin:#hunter2@host/a#hunter2": "rtsp://***@host/a?***",
    "http://token-hunter2@[::1]:8080/x": "http://***@[::1]:8080/x",
}


@pytest.mark.parametrize(("url", "name"), REDACTED.items())
def test_names_of_streams_hold_no_secret(url: str, name: str) -> None:
    assert redacted(url) == name


def test_credentials_reach_the_server_and_nothing_else(
    readers: list[tuple[LiveSource, Reader]], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with mjpeg_server(login=LOGIN) as (url, server):
        source, reader = read(readers, url.replace("//", "//admin:hunter2@"), Reconnect(0.05, 0.1, give_up_s=0.5))
        assert reader.sees(3, 48)
        # FFmpeg sends them when the server asks for them.
        assert b"Authorization" not in server.requests[0]
    reader.join()
    with pytest.raises(SourceError) as refused:
        open_stream(f"rtsp://admin:hunter2@127.0.0.1:{free_port()}/x")
    with pytest.raises(UsageError) as unknown:
        open_source("gopher://admin:hunter2@host/x")
    out, err = capfd.readouterr()
    for text in (source.name, str(reader.error), caplog.text, str(refused.value), str(unknown.value), out, err):
        assert "hunter2" not in text
    assert "***@127.0.0.1" in source.name


def test_the_command_says_no_password(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle = str(write_bundle(tmp_path / "b"))
    with mjpeg_server() as (url, _):
        secret = url.replace("//", "//admin:hunter2@") + "?key=hunter2"
        report = tmp_path / "r.json"
        assert main(["run", bundle, "--source", secret, "--frames", "5", "--json", str(report)]) == 0
    assert main(["run", bundle, "--source", secret, "--give-up", "0.2s"]) == 1
    out, err = capfd.readouterr()
    assert "hunter2" not in out + err + report.read_text()
    assert "***@127.0.0.1" in report.read_text()


def test_a_camera_is_asked_for_its_mode_and_its_name_says_what_it_gives(caplog: pytest.LogCaptureFixture) -> None:
    device = FakeCamera()
    with camera_source("camera 0", lambda: device, CameraMode(1280, 720, 30, "MJPG")) as source:
        assert source.name == "camera 0 (1280×720 30/s MJPG)"
        assert source.fps == 30
    assert not caplog.records
    # A driver offers rates by size and format: the format must be settled first and the rate last.
    assert device.asked[0] == cv2.CAP_PROP_FOURCC
    assert device.asked[-1] == cv2.CAP_PROP_FPS


def test_a_camera_that_gives_something_else_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with camera_source("camera 0", FakeCamera, CameraMode(1920, 1080, 30, "YUYV")) as source:
        assert source.name == "camera 0 (1280×720 10/s YUYV)"
    (record,) = caplog.records
    assert record.getMessage() == (
        "camera 0 does not give the width and height and fps asked for: it gives 1280×720 10/s YUYV"
    )


def test_a_camera_is_left_alone_unless_asked_and_comes_back_in_its_mode() -> None:
    opened: list[FakeCamera] = []

    def open_device() -> FakeCamera:
        opened.append(FakeCamera())
        if len(opened) == 1:
            frames = iter(range(3))
            opened[0].read = lambda: (next(frames, None) is not None, np.zeros((480, 640, 3), np.uint8))  # type: ignore[method-assign]
        return opened[-1]

    with camera_source("camera 0", open_device, CameraMode(width=1280), SOON) as source:
        frames = iter(source)
        shapes = [next(frames).frame.shape[1] for _ in range(5)]
    assert shapes == [640, 640, 1280, 1280, 1280]
    assert [camera.asked for camera in opened] == [[cv2.CAP_PROP_FRAME_WIDTH]] * 2
    assert source.losses == 1


def test_a_camera_that_is_closed_to_us_or_gives_no_picture_is_an_error() -> None:
    with pytest.raises(SourceError, match="camera 0 cannot be opened"):
        camera_source("camera 0", lambda: FakeCamera(opened=False), CameraMode())
    silent = FakeCamera()
    silent.read = lambda: (False, None)  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="camera 0 can be opened but gives no picture"):
        camera_source("camera 0", lambda: silent, CameraMode())


def test_cameras_are_told_from_files() -> None:
    cameras = ["0", "12", "/dev/video0", "/dev/v4l/by-id/usb-camera"]
    assert all(is_camera(spec) for spec in cameras)
    assert not any(is_camera(spec) for spec in ("./0", "0.png", "-1", "²", "/dev/null", "rooms"))
