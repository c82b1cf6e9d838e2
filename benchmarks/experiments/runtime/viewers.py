"""What people who look at the web page cost: none, one, four, and one more that stops reading.

    python benchmarks/experiments/runtime/viewers.py BUNDLE [--video VIDEO] [--seconds 10] [--rounds 3] [--load 0.8]

Viewers are in another process of the same machine; each acknowledges frames as the page does. The camera's rate is such
that the engine would work for `--load` of the time without them. Their processor time is on the same cores, which is
more than viewers elsewhere cost.
"""

import json
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Event, Thread

from figures import (
    Frame,
    Stamps,
    arguments,
    camera,
    note,
    percentile,
    print_heading,
    print_machine,
    print_row,
    real_frames,
    spread,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from clipdepth.camera.resize import resize_frame
from clipdepth.model import DepthModel, load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer

AHEAD = 2
"""How many frames the page asks for ahead."""
CROWDS = {"none": (0, 0), "1": (1, 0), "4": (4, 0), "4 and one that stops reading": (4, 1)}
"""Viewers that read, and that do not."""


@dataclass(frozen=True)
class Outcome:
    """p50 of the engine and from capture to sink, ms; depths a second; frames a second of each viewer."""

    engine: float
    whole: float
    rate: float
    seen: float


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", type=float, default=0.8)
    options = parser.parse_args()
    frames = real_frames(options.video)
    print_machine()
    found: dict[str, list[Outcome]] = {name: [] for name in CROWDS}
    with load(options.bundle, engine=options.engine) as model:
        fps = options.load / engine_seconds(model, frames)
        for number in range(options.rounds):
            for name, crowd in CROWDS.items():
                note(f"round {number + 1} of {options.rounds}: {name}")
                found[name].append(measure(model, frames, fps, options.seconds, crowd))
    print_heading("viewers", "engine p50, ms", "capture to sink p50, ms", "depths a second", "each viewer, fps", "n")
    for name, outcomes in found.items():
        columns = [spread([getattr(one, key) for one in outcomes]) for key in ("engine", "whole", "rate", "seen")]
        print_row(name, *columns, f"{len(outcomes)} × {options.seconds:g} s at {fps:.0f} fps")


def engine_seconds(model: DepthModel, frames: list[Frame]) -> float:
    """The engine's p50 alone."""
    seconds, size = [], model.bundle.manifest.input
    for frame in frames[:40]:
        picture = resize_frame(frame, size.height, size.width)[None]
        start = time.perf_counter()
        model.engine.infer(picture)
        seconds.append(time.perf_counter() - start)
    return percentile(seconds, 50) / 1000


def measure(model: DepthModel, frames: list[Frame], fps: float, seconds: float, crowd: tuple[int, int]) -> Outcome:
    """Run a pipeline with viewers until they have looked for so long."""
    stop, stamps, engine = Event(), Stamps(), model.engine
    viewer = open_viewer(Address("127.0.0.1", 0), None, Setup(engine.name, engine.device, model.precision, 0.3, 6))
    feed = Feed(camera(frames, fps, stop), [stamps, viewer.sink("camera")])
    with viewer, looking(viewer.address.port, crowd) as guests:
        with Pipeline(engine, model.bundle.manifest.inputs, [feed]) as pipeline:
            pipeline.wait(seconds)
            guests.send("stop")
            seen = guests.recv()
            stop.set()
        times = pipeline.times.summary()
    return Outcome(times["engine"].p50, percentile(stamps.ages, 50), pipeline.processed / seconds, seen / seconds)


@contextmanager
def looking(port: int, crowd: tuple[int, int]) -> Iterator[Connection]:
    """A process with viewers, all connected; its end of the line says how many frames each saw."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=look, args=(port, crowd, theirs))
    process.start()
    ours.recv()
    yield ours
    process.join()


def look(port: int, crowd: tuple[int, int], line: Connection) -> None:
    """Look until told to stop."""
    readers, deaf = crowd
    guests = [connect(f"ws://127.0.0.1:{port}/live/0", compression=None) for _ in range(readers)]
    silent = [stop_reading(port) for _ in range(deaf)]
    counts = [0] * readers
    threads = [Thread(target=read, args=(guest, counts, place)) for place, guest in enumerate(guests)]
    for thread in threads:
        thread.start()
    line.send("ready")
    line.recv()
    line.send(sum(counts) / max(1, readers))
    for connection in silent:
        connection.close()
    for guest in guests:
        guest.close()
    for thread in threads:
        thread.join()


def read(guest: ClientConnection, counts: list[int], place: int) -> None:
    """Ask for frames as the page does, and count them."""
    with suppress(ConnectionClosed):
        for _ in range(AHEAD):
            guest.send("next")
        while True:
            message = guest.recv()
            if isinstance(message, bytes):
                counts[place] += 1
                guest.send("next")
            else:
                json.loads(message)


def stop_reading(port: int) -> socket.socket:
    """A viewer that asks for as many frames as it may and never reads one."""
    guest = socket.socket()
    guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    guest.connect(("127.0.0.1", port))
    key = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    guest.sendall(f"GET /live/0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode())
    if guest.recv(12) != b"HTTP/1.1 101":
        raise ConnectionError("the viewer let nobody in")
    guest.sendall(b"\x81\x84\0\0\0\0next" * 4)
    return guest


if __name__ == "__main__":
    main()
