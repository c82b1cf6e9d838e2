"""Faults of viewers: one that stops reading, and requests that the page never makes."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

from bad_requests import TOKEN, answer, bad_requests
from fault import Fault, each_once, logged
from figures import Frame, Stamps, camera, percentile
from viewers import stop_reading

from clipdepth.model import load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.viewer import Viewer
from live_servers import wait_until

FPS = 15
AT_ONCE = 4
"""Bad requests under way: fewer than viewers that may look."""


def viewer_faults(bundle: Path, frames: list[Frame]) -> Iterator[Fault]:
    """All of them, one after another."""
    yield stops_reading(bundle, frames)
    yield asks_badly(bundle, frames)


@contextmanager
def serving(bundle: Path, frames: list[Frame], token: str | None) -> Iterator[tuple[Viewer, Stamps]]:
    """A pipeline with a viewer."""
    stop, stamps = Event(), Stamps()
    viewer = open_viewer(Address("127.0.0.1", 0), token, Setup("onnxruntime", "CPU", "fp32", 0.3, 6), metrics=True)
    feed = Feed(camera(frames, FPS, stop), [stamps, viewer.sink("camera")])
    with (
        load(bundle, engine="onnxruntime") as model,
        viewer,
        Pipeline(model.engine, model.bundle.manifest.inputs, [feed]) as pipeline,
    ):
        viewer.watch(pipeline)
        yield viewer, stamps
        stop.set()


def stops_reading(bundle: Path, frames: list[Frame]) -> Fault:
    """A viewer that asks for frames and reads none."""
    with logged() as lines, serving(bundle, frames, None) as (viewer, stamps):
        time.sleep(5)
        before = len(stamps.ages)
        guest, start = stop_reading(viewer.address.port), time.monotonic()
        wait_until(lambda: viewer.status.viewers == 1)
        is_gone = wait_until(lambda: viewer.status.viewers == 0, 120)
        seconds = time.monotonic() - start
        guest.close()
    ages = [percentile(part, 50) for part in (stamps.ages[:before], stamps.ages[before:])]
    return Fault(
        "viewer that stops reading",
        f"let go; capture to depth p50 {ages[0]:.1f} ms before, {ages[1]:.1f} ms with it",
        f"`viewers_lost_total` {viewer.status.lost}",
        f"{len(lines)} line",
        f"{seconds:.0f} s until it was let go",
        is_gone and viewer.status.lost == 1 and len(lines) == 1,
    )


def asks_badly(bundle: Path, frames: list[Frame]) -> Fault:
    """Bad requests of every kind, some at a time."""
    requests = bad_requests()
    with logged() as lines, serving(bundle, frames, TOKEN) as (viewer, stamps):
        start = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said_of = pool.map(partial(answer, viewer.address.port), requests)
            answers = list(zip(requests, said_of, strict=True))
        seconds = time.monotonic() - start
        depths = len(stamps.ages)
        goes_on = wait_until(lambda: len(stamps.ages) > depths + FPS)
        counted = dict(viewer.access.refused)
    not_refused = [(request.kind, said) for request, said in answers if not re.fullmatch("4..|10..|closed", said)]
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(request.kind for request in requests).items())
    said = ", ".join(f"{count} × {code}" for code, count in sorted(Counter(said for _, said in answers).items()))
    return Fault(
        f"{len(requests)} bad requests: {kinds}",
        f"answered {said}" + (f"; not refused: {not_refused}" if not_refused else "; the run went on"),
        f"{sum(counted.values())}: " + ", ".join(f"{reason} {count}" for reason, count in counted.items()),
        f"{len(lines)} lines, one for each reason",
        f"{seconds:.0f} s for all",
        not not_refused and goes_on and sum(counted.values()) >= len(requests) and each_once(lines),
    )
