"""Faults of sources: streams that die, stall and stay away, broken videos and images."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
from fault import Ended, Fault, logged, run_command
from figures import HEIGHT, WIDTH, Frame, Stamps, spread

from clipdepth.model import load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sources import Source, open_source
from live_servers import free_port, jpeg, mjpeg_server, rtsp_server, wait_until

SIZES = ((120, 160), (240, 320), (96, 128))
NAME = "onnxruntime"
ENGINE = ("--engine", NAME)


def source_faults(bundle: Path, frames: list[Frame], folder: Path, restarts: int) -> Iterator[Fault]:
    """All of them, one after another."""
    yield killed_rtsp(bundle, restarts)
    yield stalled_stream(bundle, frames)
    yield interrupted_while_stalled(bundle, frames)
    yield stream_that_stays_away(bundle, frames)
    yield from broken_videos(bundle, frames, folder)
    yield broken_image(bundle, frames, folder)


def killed_rtsp(bundle: Path, restarts: int) -> Fault:
    """An RTSP server that is killed again and again, and comes back with another size of picture."""
    name = f"RTSP server killed and started again {restarts} times, each time with another size"
    port, stamps, back = free_port(), Stamps(), []
    try:
        with logged() as lines, load(bundle, engine=NAME) as model, ExitStack() as first:
            source = open_source(first.enter_context(rtsp_server(port, *SIZES[0])))
            with Pipeline(model.engine, model.bundle.manifest.inputs, [Feed(source, [stamps])]):
                sees(stamps, SIZES[0])
                first.close()
                for number in range(1, restarts + 1):
                    wait_until(partial(lost, source, number))
                    shape = SIZES[number % len(SIZES)]
                    with rtsp_server(port, *shape):
                        back.append(sees(stamps, shape))
    except pytest.skip.Exception as reason:
        return Fault(name, f"not tried: {reason}", "", "", "", True)
    gone, found = (sum(word in line for line in lines) for word in ("was lost", "is back"))
    return Fault(
        name,
        f"depth of the new size came again {len(back) - back.count(-1)} times of {restarts}",
        f"`losses` {source.losses}",
        f"{gone} times lost, {found} times back",
        f"{spread(back)} s from the server's start to depth",
        -1 not in back and source.losses in (restarts, restarts + 1) and gone == source.losses,
    )


def lost(source: Source, times: int) -> bool:
    """Whether a source was lost so many times."""
    return source.losses >= times


def sees(stamps: Stamps, shape: tuple[int, int], seconds: float = 60) -> float:
    """How long until depth of a size comes, seconds; -1 for never."""
    start, before = time.monotonic(), len(stamps.shapes)
    return time.monotonic() - start if wait_until(lambda: shape in stamps.shapes[before:], seconds) else -1


def stalled_stream(bundle: Path, frames: list[Frame]) -> Fault:
    """A server that keeps the connection and sends nothing more for eight seconds."""
    stamps = Stamps()
    with logged() as lines, load(bundle, engine=NAME) as model, mjpeg_server(pictures=frames) as (url, server):
        source = open_source(url)
        with Pipeline(model.engine, model.bundle.manifest.inputs, [Feed(source, [stamps])]):
            wait_until(lambda: len(stamps.ages) > 10)
            server.stalled.set()
            start = time.monotonic()
            wait_until(lambda: source.losses == 1)
            noticed = time.monotonic() - start
            time.sleep(max(0, 8 - noticed))
            server.stalled.clear()
            back = sees(stamps, (HEIGHT, WIDTH))
    return Fault(
        "HTTP stream that stops sending for 8 s",
        "lost after the time-out, reached again by a new connection",
        f"`losses` {source.losses}",
        f"{len(lines)} lines: lost, back",
        f"{noticed:.1f} s until noticed, {back:.1f} s until depth again",
        back >= 0 and len(lines) == 2 * source.losses,
    )


def interrupted_while_stalled(bundle: Path, frames: list[Frame]) -> Fault:
    """Ctrl-C while the source blocks in a read."""
    with mjpeg_server(pictures=frames) as (url, server):

        def stalled() -> None:
            wait_until(lambda: bool(server.requests))
            time.sleep(3)
            server.stalled.set()
            time.sleep(1)

        ended = run_command(bundle, "--source", url, *ENGINE, until=stalled)
    return Fault(
        "Ctrl-C while a source blocks in a read",
        f"exit {ended.status}, report printed",
        "frames until then in the report",
        quoted(ended),
        f"{ended.seconds:.1f} s to the exit",
        ended.status == 130 and ended.seconds < 5,
    )


def stream_that_stays_away(bundle: Path, frames: list[Frame]) -> Fault:
    """A server that goes and does not come back."""
    found: list[Ended] = []
    with mjpeg_server(pictures=frames) as (url, server):
        run = Thread(target=lambda: found.append(run_command(bundle, "--source", url, *ENGINE)))
        run.start()
        wait_until(lambda: bool(server.requests))
        time.sleep(5)
    start = time.monotonic()
    run.join()
    return Fault(
        "HTTP stream that goes and stays away",
        f"sought for a minute, then exit {found[0].status}",
        "`losses` 1",
        quoted(found[0]),
        f"{time.monotonic() - start:.0f} s to the exit",
        found[0].status == 1,
    )


def broken_videos(bundle: Path, frames: list[Frame], folder: Path) -> Iterator[Fault]:
    """Videos that were cut off: one whose index stands before the pictures, and one whose does not."""
    for suffix, code in ((".avi", "MJPG"), (".mp4", "mp4v")):
        path = folder / f"whole{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 30, (WIDTH, HEIGHT))
        for frame in frames:
            writer.write(frame)
        writer.release()
        cut, report = folder / f"cut{suffix}", folder / f"cut{suffix}.json"
        cut.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        ended = run_command(bundle, "--source", cut, *ENGINE, "--json", report)
        depths = ended.report.get("frames", 0)
        yield Fault(
            f"video cut off at 60% ({suffix[1:].upper()}, {len(frames)} frames)",
            f"exit {ended.status}, {depths} depths",
            f"{depths} processed",
            quoted(ended),
            f"{ended.seconds:.1f} s to the exit",
            len(ended.errors) == 1 and (ended.status == 0) == bool(depths),
        )


def broken_image(bundle: Path, frames: list[Frame], folder: Path) -> Fault:
    """A folder in which the sixth of ten JPEGs was cut short."""
    images, output, report = folder / "images", folder / "depths", folder / "images.json"
    images.mkdir()
    for index in range(10):
        data = jpeg(np.asarray(frames[index % len(frames)]))
        (images / f"{index}.jpg").write_bytes(data[: len(data) // 2] if index == 5 else data)
    ended = run_command(bundle, "--source", images, *ENGINE, "--output", output, "--json", report)
    kept = len(list(output.glob("*.png")))
    shutil.rmtree(output)
    return Fault(
        "corrupt JPEG, the sixth of ten in a folder",
        f"left out; exit {ended.status}, the depth of the other {kept} kept",
        f"`losses` {ended.report['sources'][0]['losses']}",
        quoted(ended),
        f"{ended.seconds:.1f} s to the exit",
        (ended.status, kept, len(ended.errors)) == (0, 9, 1),
    )


def quoted(ended: Ended) -> str:
    """How often something was said, and the last of it without the folder's name."""
    last = " ".join(part.rpartition("/")[2] if part.startswith("/") else part for part in ended.errors[-1].split())
    return f"{len(ended.errors)} ×: “{last[:110]}{'…' if len(last) > 110 else ''}”"
