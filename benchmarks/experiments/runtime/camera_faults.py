"""Faults of one camera among several: what the others notice of it."""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from fault import Fault, logged, run_command
from figures import HEIGHT, WIDTH, Frame, Stamps, note, spread
from source_faults import ENGINE, NAME, sees

from clipdepth.errors import SourceError
from clipdepth.model import load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sources import Source, SourceOptions
from clipdepth.sources.late import open_late
from clipdepth.sources.live import Reconnect
from live_servers import free_port, mjpeg_server, wait_until

FPS = 10.0
BEFORE_S = 10.0
"""How long all three cameras run before the first fault."""
GIVE_UP_S = 10.0
RISE, RISE_MS = 1.5, 5.0
"""By which factor, and how many ms more, the age may be above that before the faults: a busy machine's own drift."""
LONGEST_GAP_S = 1.0
"""Between two depths of the camera that stays."""


def camera_faults(bundle: Path, frames: list[Frame], folder: Path, restarts: int) -> Iterator[Fault]:
    """All of them, one after another."""
    yield three_cameras(bundle, frames, restarts)
    yield started_without_one(bundle, frames, folder / "started.json")


def three_cameras(bundle: Path, frames: list[Frame], restarts: int) -> Fault:
    """A camera that goes for ever, one that goes and comes back again and again, and one that stays."""
    serve = partial(mjpeg_server, fps=FPS, pictures=frames)
    port, stamps, back = free_port(), [Stamps(), Stamps(), Stamps()], list[float]()
    with logged() as lines, load(bundle, engine=NAME) as model, ExitStack() as staying:
        dying, flapping = staying.enter_context(ExitStack()), staying.enter_context(ExitStack())
        servers = [dying.enter_context(serve()), flapping.enter_context(serve(port)), staying.enter_context(serve())]
        patience = (GIVE_UP_S, math.inf, math.inf)
        asked = [SourceOptions(reconnect=Reconnect(give_up_s=seconds)) for seconds in patience]
        sources = [open_late(url, options) for (url, _), options in zip(servers, asked, strict=True)]
        feeds = [Feed(source, [sink]) for source, sink in zip(sources, stamps, strict=True)]
        pipeline = Pipeline(model.engine, model.bundle.manifest.inputs, feeds)
        with suppress(SourceError), pipeline:
            all_there = all(sees(sink, (HEIGHT, WIDTH)) >= 0 for sink in stamps)
            time.sleep(BEFORE_S)
            marks = [len(stamps[2].ages)]
            dying.close()
            flapping.close()
            for number in range(1, restarts + 1):
                wait_until(lambda: sources[1].is_lost)
                with serve(port):
                    back.append(comes_back(sources[1], stamps[1]))
                marks.append(len(stamps[2].ages))
                note(f"restart {number}: {back[-1]:.1f} s")
            wait_until(lambda: pipeline.branches[0].state == "failed", 2 * GIVE_UP_S)
            states = [branch.state for branch in pipeline.branches]
    medians = [float(np.median(stamps[2].ages[start:end])) * 1000 for start, end in pairwise([0, *marks])]
    gap = max(later - earlier for earlier, later in pairwise(stamps[2].delivered))
    given_up = sum("the other sources go on" in line for line in lines)
    came_back = len(back) - back.count(-1)
    return Fault(
        f"three cameras: one goes for ever, one goes and comes back {restarts} times, one stays",
        f"the second came back {came_back} times of {restarts}; age of the third's depth, p50: {medians[0]:.0f} ms "
        f"before, {max(medians[1:]):.0f} ms in the worst restart, {gap * 1000:.0f} ms at most between two depths",
        f"states {', '.join(states)}; `losses` {', '.join(str(source.losses) for source in sources)}",
        f"{given_up} time given up",
        f"{spread(back)} s from the server's start to depth",
        all_there
        and came_back == restarts
        and given_up == 1
        and (states[0], states[2]) == ("failed", "running")
        and max(medians[1:]) <= RISE * medians[0] + RISE_MS
        and gap < LONGEST_GAP_S,
    )


def comes_back(source: Source, stamps: Stamps) -> float:
    """How long until a lost source gives depth again, seconds; -1 for never. What was under way does not count."""
    start = time.monotonic()
    found = wait_until(lambda: not source.is_lost) and sees(stamps, (HEIGHT, WIDTH)) >= 0
    return time.monotonic() - start if found else -1


def started_without_one(bundle: Path, frames: list[Frame], report: Path) -> Fault:
    """A run that starts while one of its two cameras is away, as a service does after a restart."""
    port, waited = free_port(), list[float]()
    with mjpeg_server(fps=FPS, pictures=frames) as (url, server), ExitStack() as late:
        away = f"http://127.0.0.1:{port}/camera"

        def comes() -> None:
            wait_until(lambda: bool(server.requests))
            time.sleep(3)
            _, second = late.enter_context(mjpeg_server(port, fps=FPS, pictures=frames))
            start = time.monotonic()
            wait_until(lambda: bool(second.requests))
            waited.append(time.monotonic() - start)
            time.sleep(3)

        sources: list[str | Path] = ["--source", url, "--source", away, "--give-up", "never"]
        ended = run_command(bundle, *sources, *ENGINE, "--json", report, until=comes)
    counts = [source["processed"] for source in ended.report["sources"]]
    return Fault(
        "a run that starts while one of its two cameras is away",
        f"exit {ended.status} by Ctrl-C; {counts[0]} depths of the one, {counts[1]} of the other",
        f"states {', '.join(source['state'] for source in ended.report['sources'])}",
        f"{sum('is there after' in line for line in ended.errors)} time there",
        f"{spread(waited)} s from the server's start to its first request",
        ended.status == 130 and min(counts) > 0 and counts[0] > counts[1],
    )
