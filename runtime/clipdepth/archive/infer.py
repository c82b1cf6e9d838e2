"""The third stage: from pictures to depth, by actors that load and verify the bundle once."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from time import perf_counter

import numpy as np
import ray
from numpy.typing import NDArray

from clipdepth.archive.chunk import Chunk, Row, pack, unpack
from clipdepth.archive.job import Job
from clipdepth.archive.sent_bundle import SentBundle, open_meant
from clipdepth.archive.settings import Settings
from clipdepth.camera.letterbox import Letterbox
from clipdepth.engines import Infer
from clipdepth.errors import VerificationError
from clipdepth.model import DepthModel, load


class Inference:
    """An actor with a model."""

    def __init__(self, job: Job, sent: SentBundle | None) -> None:
        self._batch = job.max_batch
        self._worker = ray.get_runtime_context().get_actor_id() or ""
        self._model = load_verified(job, sent)

    def __call__(self, row: Row) -> Row:
        """From a chunk's pictures to what `infer_sizes` gives, in metres of the training camera; results pass."""
        chunk = unpack(row)
        if not isinstance(chunk, Chunk):
            return row
        start = perf_counter()
        model = self._model
        confident = model.bundle.manifest.confidence
        answers = infer_sizes(row["array"], chunk.letterboxes, model.engine.infer, self._batch, confident)
        return pack(replace(chunk, inference=perf_counter() - start, worker=self._worker), answers)


def infer_sizes(
    frames: NDArray[np.uint8], letterboxes: Sequence[Letterbox], infer: Infer, batch: int, confident: bool
) -> NDArray[np.float32]:
    """The depth of a chunk's pictures, (N, H, W, 3) uint8 BGR, at their places in the array, (N, 1, H, W) float32.

    With `confident` it is (N, 2, H, W): depth, and how sure the model is of it. Each picture begins at the top left and
    has its letterbox's size; those of one size are inferred together, at most `batch` at once.
    """
    answers = np.zeros((len(frames), 1 + confident, *frames.shape[1:3]), np.float32)
    places = sorted(range(len(frames)), key=lambda place: letterboxes[place].picture_size)
    for (height, width), group in groupby(places, key=lambda place: letterboxes[place].picture_size):
        same = list(group)
        for at in range(0, len(same), batch):
            together = same[at : at + batch]
            answer = infer(frames[together, :height, :width])
            answers[together, 0, :height, :width] = answer.depth
            if answer.confidence is not None:
                answers[together, 1, :height, :width] = answer.confidence
    return answers


def settle(job: Job, sent: SentBundle | None) -> Settings:
    """The settings with an engine and a precision, tried on one worker for all; raises as `load_verified`."""
    with load_verified(job, sent) as model:
        return replace(job.settings, engine=model.engine.name, precision=model.precision)


def load_verified(job: Job, sent: SentBundle | None = None) -> DepthModel:
    """Load the job's model, which has to agree with PyTorch's depth on this node; see `open_meant` for the bundle.

    Raises VerificationError where depth differs, and what `open_meant` and `load` raise.
    """
    settings = job.settings
    opened = open_meant(job.bundle, settings.bundle, sent)
    precision = settings.precision or None
    with ExitStack() as stack:
        model = load(opened, engine=settings.engine, precision=precision, threads=job.threads, device=job.device)
        stack.enter_context(model)
        agreement = model.verify()
        if not agreement.passed:
            raise VerificationError(f"{model.engine.name} {model.precision} on {model.engine.device}: {agreement}")
        stack.pop_all()
    return model
