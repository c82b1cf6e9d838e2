"""One sample of one point, in a process of its own: its memory is nobody else's."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.record import Record
from clipdepth.camera.resize import resize_frame
from clipdepth.errors import EngineError
from clipdepth.model import DepthModel, load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.latency import Latency, summarise_latency
from clipdepth.sources.frames import FramesSource
from clipdepth_bench.bench.memory import peak_megabytes
from clipdepth_bench.bench.streaming import HEIGHT, WIDTH, paced
from clipdepth_bench.measure.nvml import used_megabytes
from clipdepth_bench.scaling.record import Sample

_SECONDS = 600
"""What a child may take besides its measurement: TensorRT and OpenVINO compile."""
_FEWEST = 3


class Task(Record, frozen=True):
    """What a child is told."""

    bundle: str
    engine: str
    precision: str
    threads: int
    batch: int
    cameras: int
    camera_fps: float
    seconds: float
    device: int | None = None


def measure(task: Task) -> Sample:
    """Measure in a child; raises EngineError with the last line of what it wrote where it fails."""
    command = [sys.executable, "-m", __name__, msgspec.json.encode(task).decode()]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS + task.seconds,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"its process took more than {_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise EngineError(f"its process fails: {lines[-1]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Sample)


def main(argv: Sequence[str]) -> None:
    """The child: its last line is a sample."""
    task = msgspec.json.decode(argv[0], type=Task)
    before = used_megabytes()
    bundle = open_bundle(Path(task.bundle), any_tolerance=True)  # of random weights, at other sizes
    with load(bundle, engine=task.engine, precision=task.precision, threads=task.threads, device=task.device) as model:
        latency, fps = stream(model, task) if task.cameras else call(model, task)
        after = used_megabytes()
    device = None if before is None or after is None else max(0.0, after - before)
    sys.stdout.write(msgspec.json.encode(Sample(latency, fps, peak_megabytes(), device)).decode() + "\n")


def call(model: DepthModel, task: Task) -> tuple[Latency, float]:
    """Call the engine with batches of golden frames; the first call is not counted."""
    frames: NDArray[np.uint8] = np.stack(list(islice(cycle(model.bundle.golden().frames), task.batch)))
    infer = model.engine.infer
    infer(frames)
    times: list[float] = []
    end = monotonic() + task.seconds
    while len(times) < _FEWEST or monotonic() < end:
        start = perf_counter()
        infer(frames)
        times.append(perf_counter() - start)
    return summarise_latency(times), task.batch * len(times) / sum(times)


def stream(model: DepthModel, task: Task) -> tuple[Latency, float]:
    """Stream golden frames, enlarged, from live cameras at once through the pipeline."""
    golden = model.bundle.golden().frames
    frames = [resize_frame(frame, HEIGHT, WIDTH) for frame in golden]
    model.engine.infer(golden[:1])
    feeds = [
        Feed(FramesSource(paced(frames, task.seconds, task.camera_fps), live=True, name=f"camera {number}"))
        for number in range(task.cameras)
    ]
    start = monotonic()
    with Pipeline(model.engine, model.bundle.manifest.inputs, feeds) as pipeline:
        pipeline.wait()
    return pipeline.times.summary()["capture_to_depth"], pipeline.processed / (monotonic() - start)


if __name__ == "__main__":
    main(sys.argv[1:])
