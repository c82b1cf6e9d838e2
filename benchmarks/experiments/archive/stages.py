"""What the stages of `clipdepth archive` take of a core, without Ray, and what cores give at most: a Markdown table.

    python benchmarks/experiments/archive/stages.py edge-nyu [--frames 300] [--rounds 3] [--processes 2]

Films of 640×480 are drawn into a temporary folder. Times are processor time, which others on the same cores change
little. With `--processes` as many do the same at once, each held to a core of its own.
"""

import argparse
import multiprocessing
import os
import pickle
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Barrier
from time import perf_counter, process_time
from typing import Any

from films import write_films

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import open_bundle
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.cluster.archive.chunk import Chunk, pack, unpack
from clipdepth.cluster.archive.decode import decode
from clipdepth.cluster.archive.encode import encode
from clipdepth.cluster.archive.infer import infer_sizes
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.join import join
from clipdepth.cluster.archive.plan import plan
from clipdepth.cluster.archive.settings import Settings
from clipdepth.cluster.archive.sources import find_items
from clipdepth.cluster.archive.uri import open_uri
from clipdepth.cluster.sent_bundle import bundle_sha256
from clipdepth.model import load

HEIGHT, WIDTH = 480, 640
STAGES = ("plan", "read, decode and shrink", "infer", "encode", "join")


@dataclass(frozen=True)
class Round:
    """One film from its packets to its depth video, by one process."""

    milliseconds: dict[str, float]
    """Of a core, a frame, stage by stage."""
    rate: float
    """Frames a second, which others on the same cores slow down."""

    @property
    def total(self) -> float:
        """Milliseconds of a core a frame."""
        return sum(self.milliseconds.values())


class Clock:
    """Adds up processor time by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._last = process_time()

    def lap(self, stage: str) -> None:
        """What has passed since the last lap was of that stage."""
        now = process_time()
        self.seconds[stage] += now - self._last
        self._last = now


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--engine", default="openvino")
    parser.add_argument("--precision", default="int8")
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        films = Path(scratch, "films")
        write_films(films, 1, options.frames, HEIGHT, WIDTH)
        alone = [_together(options, films, 1, Path(scratch, f"one-{n}"))[0] for n in range(options.rounds)]
        sys.stdout.write(_table(alone))
        if options.processes > 1:
            many = [
                _together(options, films, options.processes, Path(scratch, f"many-{n}")) for n in range(options.rounds)
            ]
            sys.stdout.write(_scaling(alone, many, options.processes))


def _together(options: Any, films: Path, processes: int, out: Path) -> list[Round]:
    """What each of so many processes found that began at the same time, alone on a core if there are several."""
    context = multiprocessing.get_context("spawn")
    allowed = sorted(os.sched_getaffinity(0))
    if processes > len(allowed):
        raise SystemExit(f"--processes {processes} is more than the {len(allowed)} cores that there are")
    with context.Manager() as manager, context.Pool(processes) as pool:
        begin = manager.Barrier(processes)
        cores = [[core] for core in allowed[:processes]] if processes > 1 else [allowed]
        given = [(options, films, out / str(number), held, begin) for number, held in enumerate(cores)]
        return pool.starmap(_round, given, chunksize=1)


def _round(options: Any, films: Path, out: Path, cores: list[int], begin: Barrier) -> Round:
    os.sched_setaffinity(0, cores)
    bundle = open_bundle(find_folder(options.bundle))
    settings = Settings(bundle_sha256(bundle), options.engine, options.precision, "mkv", 1, 0.0, None, {})
    corrections = Corrections(bundle.manifest, Camera())
    job = Job(str(out), str(bundle.path), settings, 1, bundle.manifest.inputs, corrections)
    items = find_items([str(films)], open_uri(str(out)))
    with load(bundle, engine=options.engine, precision=options.precision, threads=1) as model:
        model.verify()
        for item in items:
            # Libraries load on their first use, once a process and not once a film.
            _film(item, replace(job, out=str(out / "first")), model, Clock())
        begin.wait()
        clock, start = Clock(), perf_counter()
        for item in items:
            _film(item, job, model, clock)
    seconds = {stage: 1000 * spent / options.frames for stage, spent in clock.seconds.items()}
    return Round(seconds, options.frames / (perf_counter() - start))


def _film(item: Any, job: Job, model: Any, clock: Clock) -> None:
    confident = model.bundle.manifest.confidence
    spans = list(plan({"items": pickle.dumps([item])}, job))
    clock.lap("plan")
    for span in spans:
        for row in decode(span, job):
            clock.lap("read, decode and shrink")
            chunk = unpack(row)
            assert isinstance(chunk, Chunk)
            answers = infer_sizes(row["array"], chunk.letterboxes, model.engine.infer, job.max_batch, confident)
            clock.lap("infer")
            encode(pack(chunk, answers), job)
            clock.lap("encode")
    join(item, job)
    clock.lap("join")


def _table(rounds: list[Round]) -> str:
    total = median(one.total for one in rounds)
    lines = ["| stage | ms of a core a frame | share |", "| --- | --: | --: |"]
    for stage in STAGES:
        times = sorted(one.milliseconds[stage] for one in rounds)
        lines.append(f"| {stage} | {_spread(times)} | {median(times) / total:.0%} |")
    lines += [
        f"| all | {_spread([one.total for one in rounds])} | |",
        f"| frames a second of a core, at most | {1000 / total:.0f} | |",
        f"| of two cores, at most | {2000 / total:.0f} | |",
    ]
    return "\n".join(lines) + f"\n\nn = {len(rounds)} rounds\n"


def _scaling(alone: list[Round], many: list[list[Round]], processes: int) -> str:
    one = median(each.total for each in alone)
    together = [median(each.total for each in found) for found in many]
    of_linear = sorted(one / total for total in together)
    return (
        f"\n{processes} processes, each on a core of its own: {_spread(together)} ms of a core a frame; "
        f"{median(of_linear):.2f} ({of_linear[0]:.2f} to {of_linear[-1]:.2f}) of linear\n"
    )


def _spread(times: list[float]) -> str:
    return f"{median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


if __name__ == "__main__":
    main()
