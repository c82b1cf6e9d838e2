"""Depth in three lines of Python."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle import open_bundle
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.engines.choice import AUTO, load_asked
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.smoothing import Smoother
from clipdepth.sources import Source, open_source
from clipdepth.sources.camera import CameraMode
from clipdepth.sources.frames import FramesSource


def stream(
    bundle: Path | str,
    source: int | str | Path | Iterable[NDArray[np.uint8]],
    *,
    engine: str = AUTO,
    precision: str | None = None,
    threads: int | None = None,
    mode: CameraMode | None = None,
    camera: Camera | None = None,
    smooth: bool = False,
    live: bool = False,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield frames, (H, W, 3) uint8 BGR, each with its depth, (H, W) float32 metres.

    `bundle` is the name of a model that ships with clipdepth, or a bundle's path. `source` is what
    `clipdepth run --source` takes, a webcam's number, or an iterable of frames, of which with `live` only the newest
    counts. A webcam is asked for `mode`; `camera` says which one films where it is not the training camera; `smooth`
    steadies depth over time. The engine is the fastest that agrees with PyTorch, unless one is named. Of a camera or
    a network stream the loop gets the newest depth each time; of anything else every frame. Leaving the loop closes
    all. Errors as the command's.
    """
    with ExitStack() as stack:
        opened = open_bundle(bundle)
        loaded, _, _ = load_asked(opened, engine, precision, threads)
        stack.enter_context(closing(loaded))
        corrections = Corrections(opened.manifest, camera or Camera())
        smoother = Smoother() if smooth else None
        feed = Feed(stack.enter_context(_open(source, mode, live)), (), corrections, smoother)
        pipeline = Pipeline(loaded, opened.manifest.input, [feed])
        depths = pipeline.lanes[0].outlet("the loop", capacity=1)
        with pipeline:
            for result in depths:
                yield result.captured.frame, result.depth
            pipeline.wait()


def _open(source: int | str | Path | Iterable[NDArray[np.uint8]], mode: CameraMode | None, live: bool) -> Source:
    if isinstance(source, int | str | Path):
        return open_source(str(source), mode)
    return FramesSource(source, live=live)
