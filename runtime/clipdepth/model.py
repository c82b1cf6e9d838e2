"""A depth model on this device: a bundle, the engine that runs it, and the camera that films."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.engines import AUTO, Engine, executed_precisions, load_engine, verify_engine
from clipdepth.engines.choice import Choice, load_fastest
from clipdepth.engines.precisions import Precisions
from clipdepth.errors import SourceError
from clipdepth.frame import DepthFrame, checked_image
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.optics import Optics
from clipdepth.pipeline.smoothing import Smoother
from clipdepth.sources import Captured, Source, SourceOptions, open_source
from clipdepth.sources.frames import FramesSource, array_source
from clipdepth.sources.mode import CameraMode

Frames = int | str | Path | Iterable[NDArray[np.uint8]]
"""What `stream` takes: what `clipdepth run --source` does, a webcam's number, a picture, or an iterable of pictures."""

_SOURCES = "a webcam's number, a path or URL, a picture, uint8 (H, W, 3), BGR, or an iterable of pictures"


class DepthModel:
    """From a picture to its depth; `load` makes one. A context manager: its end, or `close`, frees the device."""

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine,
        precision: str,
        corrections: Corrections | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.bundle = bundle
        self.engine = engine
        self.precision = precision
        """Which of the bundle's graphs runs: fp32, fp16 or int8."""
        self.choice = choice
        """What was tried, where the engine was chosen and not named."""
        self._corrections = corrections or Corrections(bundle.manifest, Camera())
        self._optics = Optics(bundle.manifest.inputs, self._corrections)

    def __call__(self, image: NDArray[np.uint8]) -> DepthFrame:
        """The depth of a picture, (H, W, 3) uint8 BGR of any size.

        Raises SourceError for what is no picture, or of a size at which the camera is not known.
        """
        return self.depth_of(Captured(checked_image(image, "the image"), 0.0, 0))

    def depth_of(self, captured: Captured) -> DepthFrame:
        """The depth of a frame that a source gave, with the focal length that its own file states, if any."""
        prepared = self._optics.prepare(captured)
        return self._optics.depth_frame(prepared, self.engine.infer(prepared.picture[None]).frames()[0], "image")

    def stream(
        self,
        source: Frames,
        *,
        mode: CameraMode | None = None,
        smooth: bool = False,
        live: bool = False,
        min_confidence: float | None = None,
    ) -> Iterator[DepthFrame]:
        """Depth of frame after frame, while the next ones are read.

        Cameras and network streams give their newest depth each time, everything else gives every frame. `mode` is
        requested of a webcam; `smooth` steadies depth over time; `live` treats an iterable as a camera; depth of less
        than `min_confidence`, from 0 to 1, is NaN. Leaving the loop closes the source. An array is one picture,
        (H, W, 3) uint8 BGR, or several, (N, H, W, 3); pictures of an iterable are copied, so that it may fill one
        buffer again and again. Raises SourceError where the source cannot be opened, UsageError for a least confidence
        that is no probability or that the model does not state.
        """
        return _begun(self._frames(ExitStack(), source, mode, smooth, live, min_confidence))

    def verify(self) -> Agreement:
        """How far this engine's depth of golden frames is from PyTorch's, at the size where it is worst."""
        found = [verify_engine(self.engine, sized, self.precision) for sized in self.bundle.sizes]
        return next((each for each in found if not each.passed), max(found, key=lambda each: each.mean))

    def executed(self) -> Precisions:
        """How many of its convolutions and matrix products really run in each precision, as its engine tells.

        Read anew at each call, which may load the graph once more until it is read. Raises EngineError where it cannot.
        """
        return executed_precisions(self.engine, self.bundle, self.precision)

    def close(self) -> None:
        """Free the device; the model cannot be used after."""
        self.engine.close()

    def __enter__(self) -> "DepthModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frames(
        self,
        stack: ExitStack,
        source: Frames,
        mode: CameraMode | None,
        smooth: bool,
        live: bool,
        min_confidence: float | None,
    ) -> Iterator[DepthFrame | None]:
        """None once what it takes is open, then the frames; what `stack` holds is closed at the end."""
        with stack:
            least = self.bundle.manifest.least_confidence(min_confidence, "min_confidence")
            opened = stack.enter_context(_open(source, mode, live))
            feed = Feed(opened, (), self._corrections, Smoother() if smooth else None, least)
            pipeline = Pipeline(self.engine, self.bundle.manifest.inputs, [feed])
            frames = pipeline.branches[0].queue("the loop", capacity=1)
            yield None
            with pipeline:
                yield from frames
                pipeline.wait()


def _begun(frames: Iterator[DepthFrame | None]) -> Iterator[DepthFrame]:
    """What `DepthModel._frames` gives, after its first yield, which gives None.

    So what is wrong with the arguments is told now, and a generator that was begun closes what it holds even if
    nobody asks it for a frame.
    """
    next(frames)
    return frames  # type: ignore[return-value]


def load(
    bundle: Bundle | Path | str,
    *,
    engine: str = AUTO,
    precision: str | None = None,
    threads: int | None = None,
    device: int | None = None,
    camera: Camera | None = None,
) -> DepthModel:
    """Load a depth model: the name of one that ships with clipdepth, a bundle's path, or an open bundle.

    `engine` 'auto' takes the fastest engine and precision that agree with PyTorch; `clipdepth doctor` lists the others,
    which take the bundle's first precision unless one is named. `threads` is for engines on the CPU (all usable
    cores); `device` is a GPU's number, from 0 on, with which only engines on GPUs are tried. `camera` says which one
    films where it is not the training camera. Raises as `open_bundle`, `load_engine` and `choose_engine` do.
    """
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    corrections = Corrections(opened.manifest, camera or Camera())
    if engine == AUTO:
        fastest, choice = load_fastest(opened, (precision,) if precision else (), threads, device)
        return DepthModel(opened, fastest, choice.precision, corrections, choice)
    precision = precision or opened.manifest.precisions[0]
    return DepthModel(opened, load_engine(opened, engine, precision, threads, device), precision, corrections)


def stream(
    bundle: Bundle | Path | str,
    source: Frames,
    *,
    engine: str = AUTO,
    precision: str | None = None,
    threads: int | None = None,
    device: int | None = None,
    mode: CameraMode | None = None,
    camera: Camera | None = None,
    smooth: bool = False,
    live: bool = False,
    min_confidence: float | None = None,
) -> Iterator[DepthFrame]:
    """Depth of frame after frame: `load` and `DepthModel.stream` in one; leaving the loop frees the device."""
    model = load(bundle, engine=engine, precision=precision, threads=threads, device=device, camera=camera)
    stack = ExitStack()
    stack.enter_context(model)
    return _begun(model._frames(stack, source, mode, smooth, live, min_confidence))


def _open(source: Frames, mode: CameraMode | None, live: bool) -> Source:
    if isinstance(source, int | str | Path):
        return open_source(str(source), SourceOptions(mode or CameraMode()))
    if isinstance(source, np.ndarray):
        return array_source(source, live=live)
    if not isinstance(source, Iterable):
        raise SourceError(f"a source cannot be a {type(source).__name__}; give {_SOURCES}")
    return FramesSource(source, live=live)
