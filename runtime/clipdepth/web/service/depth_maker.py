"""From a request's picture to its answer: decoded and encoded beside the engine, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.engines import Engine, usable_cores
from clipdepth.pipeline.optics import Optics, Prepared
from clipdepth.web.service.answers import Form, answer_headers
from clipdepth.web.service.engine_queue import EngineQueue, Inferred
from clipdepth.web.service.request import ToldCamera, decode

Result = TypeVar("Result")


@dataclass(frozen=True)
class Made:
    """An answer's body and headers, how long each stage took, seconds, and how many pictures shared the engine."""

    body: bytes
    headers: dict[str, str]
    seconds: dict[str, float]
    batch: int


class DepthMaker:
    """Runs an engine for requests; `camera` is the one of pictures whose sender tells none."""

    def __init__(self, manifest: Manifest, engine: Engine, camera: Camera) -> None:
        self._manifest = manifest
        self._corrections = Corrections(manifest, camera)
        self._queue = EngineQueue(engine, manifest.input.max_batch)
        self._pool = ThreadPoolExecutor(usable_cores(), "clipdepth-serve")

    @property
    def kind(self) -> DepthKind:
        """What depth is where a request tells no camera."""
        return self._corrections.kind

    @property
    def works(self) -> bool:
        """Whether the engine answered last time."""
        return self._queue.works

    async def make(self, data: bytes, raw: tuple[int, int] | None, told: ToldCamera, form: Form, step: int) -> Made:
        """The answer to a picture.

        Raises Refused, SourceError, UsageError, NotMetricError or UnknownCameraError for what cannot be answered, and
        whatever the engine raises.
        """
        start = perf_counter()
        optics, prepared = await self._aside(lambda: self._prepare(data, raw, told))
        decoded = perf_counter()
        inferred = await asyncio.wrap_future(self._queue.submit(prepared.picture))
        answered = perf_counter()
        body, headers = await self._aside(lambda: _encode(optics, prepared, inferred, form, step))
        end = perf_counter()
        seconds = {
            "decode": decoded - start,
            "wait": inferred.waited,
            "engine": inferred.seconds,
            "encode": end - answered,
            "whole": end - start,
        }
        return Made(body, headers, seconds, inferred.batch)

    def close(self) -> None:
        """Answer what is under way and end the threads."""
        self._queue.close()
        self._pool.shutdown()

    def _prepare(self, data: bytes, raw: tuple[int, int] | None, told: ToldCamera) -> tuple[Optics, Prepared]:
        captured = decode(data, raw)
        own = told.corrections(self._manifest, *captured.frame.shape[:2])
        optics = Optics(self._manifest.inputs, own or self._corrections)
        return optics, optics.prepare(captured)

    async def _aside(self, task: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, task)


def _encode(
    optics: Optics, prepared: Prepared, inferred: Inferred, form: Form, step: int
) -> tuple[bytes, dict[str, str]]:
    frame = optics.depth_frame(prepared, inferred.answer, "the picture")
    return form.encode(frame, step), answer_headers(frame, form)
