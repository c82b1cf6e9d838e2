"""Jobs for tests of the stages, and the stages in a row without Ray."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import open_bundle
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.cluster.archive.chunk import Chunk, pack, unpack
from clipdepth.cluster.archive.decode import decode
from clipdepth.cluster.archive.encode import encode
from clipdepth.cluster.archive.infer import infer_sizes
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.plan import plan
from clipdepth.cluster.archive.settings import Settings
from clipdepth.cluster.archive.sources import Item
from clipdepth.cluster.sent_bundle import bundle_sha256
from clipdepth.engines import Infer

HEIGHT, WIDTH = 48, 64
OPEN_GOP = {"x264-params": "open-gop=1:bframes=3:scenecut=0"}
"""Key frames before which frames are shown that need them."""


def make_job(
    tmp_path: Path,
    *,
    camera: Camera | None = None,
    max_batch: int = 1,
    other_sizes: Sequence[tuple[int, int]] = (),
    confident: bool = False,
    **settings: Any,
) -> Job:
    """A job of the brightness bundle with its output in tmp_path / 'out'."""
    folder = tmp_path / "made.bundle"
    path = write_bundle(folder, HEIGHT, WIDTH, max_batch=max_batch, other_sizes=other_sizes, confident=confident)
    bundle = open_bundle(path)
    usual = {"engine": "onnxruntime", "precision": "fp32", "format": "mkv", "stride": 1, "start": 0.0, "end": None}
    return Job(
        out=str(tmp_path / "out"),
        bundle=str(path),
        settings=Settings(bundle=bundle_sha256(bundle), camera={}, **(usual | settings)),
        threads=1,
        inputs=bundle.manifest.inputs,
        corrections=Corrections(bundle.manifest, camera or Camera()),
    )


def small_chunks(job: Job, frames: int, monkeypatch: pytest.MonkeyPatch) -> Job:
    """The same job, while the test lasts with chunks of at most so many frames."""
    monkeypatch.setattr("clipdepth.cluster.archive.job.CHUNK_BYTES", frames * HEIGHT * WIDTH * 3)
    assert job.chunk_frames == frames
    return job


def item_of(path: Path) -> Item:
    """The item of a file, called as it is."""
    return Item(str(path), path.name, path.stat().st_size, path.stat().st_mtime)


def planned(items: Sequence[Item], job: Job) -> list[Any]:
    """The spans, or results, of some images or a video."""
    from pickle import dumps

    return [unpack(row) for row in plan({"items": dumps(list(items))}, job)]


def _brightness(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
    return Answer(brightness_depth(frames))


def run_stages(items: Sequence[Item], job: Job, infer: Infer = _brightness) -> list[Any]:
    """The results of all stages; without an engine's `infer` the network's brightness is computed by numpy."""
    confident = open_bundle(Path(job.bundle)).manifest.confidence
    results = []
    for message in planned(items, job):
        for row in decode(pack(message), job):
            chunk = unpack(row)
            answers = np.zeros((0, 1, 1, 1), np.float32)
            if isinstance(chunk, Chunk):
                answers = infer_sizes(row["array"], chunk.letterboxes, infer, job.max_batch, confident)
            results.append(unpack(encode(pack(chunk, answers), job)))
    return results
