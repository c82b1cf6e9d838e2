"""The third stage: from pictures to depth, by actors that load and verify the bundle once."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from time import perf_counter

import numpy as np
import ray
from numpy.typing import NDArray

from clipdepth.camera.letterbox import Letterbox
from clipdepth.cluster.archive.chunk import Chunk, Row, pack, unpack
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.sent_bundle import SentBundle
from clipdepth.engines import Infer


class Inference:
    """An actor with a model."""

    def __init__(self, job: Job, sent: SentBundle | None) -> None:
        self._batch = job.max_batch
        self._worker = ray.get_runtime_context().get_actor_id() or ""
        self._model = job.model(sent).load()

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
