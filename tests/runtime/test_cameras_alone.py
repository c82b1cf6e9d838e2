"""No camera ends another: sources that are lost, come late or never come, beside one that stays."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.cli import main
from clipdepth.cli.run_options import parse_options
from clipdepth.errors import OutputError, SourceError, UsageError
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sources import SourceOptions
from clipdepth.sources.camera import FAILED_READS, camera_source
from clipdepth.sources.frames import FramesSource
from clipdepth.sources.late import LateSource, open_late
from clipdepth.sources.live import Reconnect
from clipdepth.sources.mode import CameraMode
from clips import room_frames, write_clip
from live_servers import free_port, mjpeg_server, wait_until, web_server
from slow_stages import SIZE, Kept, SlowEngine, threads

ENGINE = ("--engine", "onnxruntime")
SOON = Reconnect(first_s=0.05, longest_s=0.2, give_up_s=60)
BRIEFLY = Reconnect(first_s=0.05, longest_s=0.2, give_up_s=0.5)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert wait_until(lambda: not threads(), 10), threads()


def fails_after(frames: int) -> Iterator[np.ndarray]:
    for level in range(frames):
        yield np.full((48, 64, 3), level, np.uint8)
    raise SourceError("the cable is cut")


def steady() -> Iterator[np.ndarray]:
    while True:
        yield np.zeros((48, 64, 3), np.uint8)
        time.sleep(0.01)


def states(pipeline: Pipeline) -> list[str]:
    return [branch.state for branch in pipeline.branches]


def more(sink: Kept, frames: int = 20) -> bool:
    """Whether so many frames come from now on."""
    count = len(sink.got) + frames
    return wait_until(lambda: len(sink.got) >= count)


def test_a_source_that_fails_ends_alone_with_all_that_it_gave(caplog: pytest.LogCaptureFixture) -> None:
    failing, staying = Kept(), Kept()
    feeds = [Feed(FramesSource(fails_after(5)), [failing]), Feed(FramesSource(steady(), live=True), [staying])]

    def go() -> None:
        with Pipeline(SlowEngine(), [SIZE], feeds) as pipeline:
            assert wait_until(lambda: failing.closed)
            assert failing.indices == [0, 1, 2, 3, 4]
            assert more(staying)
            assert not pipeline.wait(0)
            assert states(pipeline) == ["failed", "running"]

    with pytest.raises(SourceError, match="the cable is cut"):
        go()
    assert [record.getMessage() for record in caplog.records] == ["the cable is cut; the other sources go on"]


def test_a_sink_that_fails_ends_its_source_alone() -> None:
    failing, beside, staying = Kept(fails_at=3), Kept(), Kept()
    feeds = [Feed(FramesSource(steady(), live=True), [failing, beside]), Feed(FramesSource(steady()), [staying])]

    def go() -> None:
        with Pipeline(SlowEngine(), [SIZE], feeds) as pipeline:
            assert wait_until(lambda: beside.closed)
            assert more(staying)
            assert states(pipeline) == ["failed", "running"]

    with pytest.raises(OutputError, match="the disk is full"):
        go()
    assert failing.closed
    assert staying.closed


def test_a_sink_that_cannot_be_opened_keeps_all_from_starting() -> None:
    class Refusing(Kept):
        def __enter__(self) -> "Refusing":
            raise OutputError("it is there already")

    staying = Kept()
    feeds = [Feed(FramesSource(steady(), live=True), [sink]) for sink in (staying, Refusing())]
    with pytest.raises(OutputError, match="it is there already"), Pipeline(SlowEngine(), [SIZE], feeds):
        pass
    assert staying.got == []
    assert staying.closed


def test_an_engine_that_fails_ends_all() -> None:
    feeds = [Feed(FramesSource(steady(), live=True), [Kept()]) for _ in range(2)]
    with (
        pytest.raises(RuntimeError, match="the device is gone"),
        Pipeline(SlowEngine(fails_at=5), [SIZE], feeds) as run,
    ):
        run.wait(30)


def test_branches_that_stop_at_any_moment_leave_the_engine_to_the_others() -> None:
    def go() -> None:
        staying = Kept()
        feeds = [Feed(FramesSource(steady(), live=True), [Kept(fails_at=1)]) for _ in range(3)]
        feeds.append(Feed(FramesSource(steady(), live=True), [staying]))
        with Pipeline(SlowEngine(0.001), [SIZE], feeds) as pipeline:
            assert wait_until(lambda: len(pipeline.failures) == 3)
            assert more(staying, 5)

    for _ in range(30):
        with pytest.raises(OutputError, match="the disk is full"):
            go()


def test_a_camera_that_is_away_at_the_start_comes_later_and_one_that_never_does_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port, never = free_port(), free_port()
    late, staying = Kept(), Kept()
    sources = [
        open_late(f"http://u:hunter2@127.0.0.1:{port}/camera", SourceOptions(reconnect=SOON)),
        open_late(f"http://127.0.0.1:{never}/camera", SourceOptions(reconnect=BRIEFLY)),
        FramesSource(steady(), live=True),
    ]
    assert all(source.live for source in sources)

    def go() -> None:
        feeds = [Feed(source, [sink]) for source, sink in zip(sources, (late, Kept(), staying), strict=True)]
        with Pipeline(SlowEngine(), [SIZE], feeds) as pipeline:
            assert more(staying)
            assert states(pipeline)[0] == "waiting"
            assert wait_until(lambda: states(pipeline)[1] == "failed")
            with mjpeg_server(port):
                assert more(late)
                assert states(pipeline) == ["running", "failed", "running"]
            assert wait_until(lambda: states(pipeline)[0] == "lost")
            assert more(staying)
            with mjpeg_server(port, 60, 80):
                assert more(late)
                assert late.got[-1][0].depth.shape == (60, 80)
                assert states(pipeline)[0] == "running"

    with pytest.raises(SourceError, match=rf"no video comes from http://127\.0\.0\.1:{never}/camera; .* in \d s"):
        go()
    assert sources[0].losses in (1, 2)  # the second is the end of the last server
    assert [source.losses for source in sources[1:]] == [0, 0]
    said = caplog.text
    assert "hunter2" not in said
    assert said.count("that the server runs; trying for 60 s to reach it\n") == 1
    assert said.count("is there after") == 1
    assert said.count("the other sources go on") == 1


def test_a_source_is_opened_when_it_is_first_read() -> None:
    opened: list[float] = []

    def open_() -> FramesSource:
        opened.append(time.monotonic())
        return FramesSource(islice(steady(), 3), live=True)

    with LateSource("camera", open_, SOON) as source:
        assert (opened, source.is_lost, source.fps, source.frame_count, source.losses) == ([], True, None, None, 0)
        assert len(list(source)) == 3
        assert not source.is_lost
    assert len(opened) == 1


def test_closing_ends_the_search_for_a_source_that_is_not_there() -> None:
    options = SourceOptions(reconnect=Reconnect(first_s=1000, longest_s=1000))
    source = open_late(f"http://127.0.0.1:{free_port()}/x", options)
    with Pipeline(SlowEngine(), [SIZE], [Feed(source)]) as pipeline:
        assert wait_until(lambda: states(pipeline) == ["waiting"])
        time.sleep(0.2)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert states(pipeline) == ["waiting"]


def test_a_video_on_a_server_is_no_live_source_however_late_it_is_opened(tmp_path: Path) -> None:
    write_clip(tmp_path / "v.mp4", room_frames(0, 40))
    sink = Kept(0.005)
    with web_server(tmp_path) as url, open_late(f"{url}/v.mp4", SourceOptions(reconnect=SOON)) as source:
        with Pipeline(SlowEngine(0.005), [SIZE], [Feed(source, [sink])]) as pipeline:
            assert pipeline.wait(60)
        assert not source.live
    assert sink.indices == list(range(40))
    assert pipeline.branches[0].counts.dropped == {}


def start_command(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clipdepth", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Flickering:
    """A camera's driver of which each read but the last of so many fails."""

    def __init__(self, failed: int) -> None:
        self._failed = failed
        self._reads = 0

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._reads += 1
        good = self._reads % (self._failed + 1) == 0
        return good, np.zeros((48, 64, 3), np.uint8) if good else None

    def get(self, prop: int, /) -> float:
        return 0

    def set(self, prop: int, value: float, /) -> bool:
        return True


@pytest.mark.parametrize(("failed", "losses"), [(1, 0), (FAILED_READS - 1, 0)])
def test_a_few_failed_reads_are_no_loss(failed: int, losses: int) -> None:
    with camera_source("camera 0", lambda: Flickering(failed), CameraMode(), SOON) as source:
        assert len(list(islice(source, 4))) == 4
        assert source.losses == losses


def test_a_camera_that_gives_nothing_more_is_lost() -> None:
    opened: list[Flickering] = []

    def open_device() -> Flickering:
        opened.append(Flickering(0 if len(opened) != 1 else 10**9))
        return opened[-1]

    with camera_source("camera 0", open_device, CameraMode(), SOON) as source:
        frames = iter(source)
        next(frames)
        opened[0]._failed = 10**9
        assert next(frames).frame.shape == (48, 64, 3)
        assert source.losses == 1
        assert not source.is_lost
    assert len(opened) == 3


DURATIONS = {"60s": 60, "1.5h": 5400, "5min": 300, "2m": 120, "1d": 86400, "0s": 0, "never": float("inf")}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_how_long_a_source_is_sought(text: str, seconds: float) -> None:
    options = parse_options(["b", "--source", "0", "--give-up", text])
    assert options.reconnect == Reconnect(give_up_s=seconds)
    assert parse_options(["b", "--source", "0"]).reconnect == Reconnect()


@pytest.mark.parametrize("text", ["60", "-1s", "1 s", "1e3s", "", "s", "1week", "inf", "nans", "٣s", "9" * 400 + "s"])
def test_what_is_no_time_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no time; give a number with s, min, h or d, as 60s") as refused:
        parse_options(["b", "--source", "0", f"--give-up={text}"])
    assert "\n" not in str(refused.value)


def test_files_are_not_sought() -> None:
    with pytest.raises(UsageError, match="--give-up is for cameras and streams"):
        parse_options(["b", "--source", "rooms", "--give-up", "60s"])
    with pytest.raises(SourceError, match="there is no video or folder at"):
        open_late("no-such.mp4")
    with pytest.raises(UsageError, match=r"gopher://\*\*\*@h/x' is no stream"):
        open_late("gopher://a:b@h/x")


def test_the_command_reports_which_camera_was_lost_for_ever_and_when(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    bundle, report = str(write_bundle(tmp_path / "b")), tmp_path / "r.json"
    away = f"http://127.0.0.1:{free_port()}/camera"
    started = time.time()
    with mjpeg_server() as (url, _):
        arguments = ["--give-up", "0.5s", "--frames", "100", *ENGINE, "--output", str(tmp_path / "d")]
        assert main(["run", bundle, "--source", url, "--source", away, *arguments, "--json", str(report)]) == 1
    out, err = capsys.readouterr()
    why = f"no video comes from {away}; check the address, the password and that the server runs; it did not come in"
    assert f"clipdepth: error: {why}" in err
    assert f"{away}: 0 captured, 0 processed, dropped none; failed at 20" in out
    staying, lost = json.loads(report.read_text())["sources"]
    assert (staying["processed"], staying["state"], staying["failed"]) == (100, "ended", None)
    assert (lost["state"], lost["losses"]) == ("failed", 0)
    assert lost["failed"]["why"].startswith(why)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started))
    assert at <= lost["failed"]["at"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert len(list((tmp_path / "d-1").iterdir())) > 10
    assert sum("the other sources go on" in record.getMessage() for record in caplog.records) == 1


def test_a_run_that_got_nothing_at_all_says_why_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    away = [f"http://127.0.0.1:{free_port()}/camera" for _ in range(2)]
    arguments = ["--give-up", "0s", *ENGINE]
    bundle = str(write_bundle(tmp_path / "b"))
    assert main(["run", bundle, "--source", away[0], "--source", away[1], *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("clipdepth: error: no video comes from http://127.0.0.1")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_lost_camera_is_sought_for_ever_and_that_is_no_failure(tmp_path: Path) -> None:
    bundle, report = str(write_bundle(tmp_path / "b")), tmp_path / "r.json"
    outputs = ["--output", str(tmp_path / "d"), "--json", str(report)]
    with ExitStack() as first:
        gone, _ = first.enter_context(mjpeg_server())
        with mjpeg_server() as (url, _):
            sources = ["--source", gone, "--source", url, "--give-up", "never"]
            process = start_command("run", bundle, *sources, *ENGINE, *outputs)
            assert wait_until(lambda: len(list(tmp_path.glob("d-*/depth_*.png"))) >= 20)
            first.close()
            before = len(list(tmp_path.glob("d-2/*.png")))
            assert wait_until(lambda: len(list(tmp_path.glob("d-2/*.png"))) >= before + 100)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "was lost; trying to reach it again" in err
    lost, staying = json.loads(report.read_text())["sources"]
    assert (lost["state"], lost["failed"], lost["losses"]) == ("lost", None, 1)
    assert staying["processed"] > lost["processed"]
