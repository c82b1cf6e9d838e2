"""The last stage: depth to the size of its frames, into parts of videos and into PNG files."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from time import perf_counter

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clipdepth.bundle.confidence import leave_out
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.letterbox import Letterbox
from clipdepth.cluster.archive.chunk import Chunk, Row, pack, unpack
from clipdepth.cluster.archive.ffv1 import encode_ffv1
from clipdepth.cluster.archive.index import IMAGES, SCHEMA, describe, write_index
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.part import PartFacts, write_part
from clipdepth.cluster.archive.results import Failed, Part, PartSeconds
from clipdepth.sinks.depth_png import to_millimetres


def encode(row: Row, job: Job) -> Row:
    """From a chunk and what `infer_sizes` gave, to what was kept of it; results pass."""
    cv2.setNumThreads(1)
    chunk = unpack(row)
    if not isinstance(chunk, Chunk):
        return pack(chunk)
    start = perf_counter()
    found = zip(row["array"], chunk.conversions, chunk.letterboxes, strict=True)
    depths = [_depth(*of_frame, job.settings.min_confidence) for of_frame in found]
    _keep(chunk, depths, job)
    failed = () if chunk.video else tuple(Failed(source, reason) for source, reason in chunk.lost)
    return pack(
        Part(
            video=chunk.video,
            pending=chunk.pending,
            size=chunk.video.size / chunk.pending if chunk.video else sum(frame.item.size for frame in chunk.frames),
            frames=len(depths),
            failed=failed,
            seconds=PartSeconds(chunk.decoding, chunk.inference, perf_counter() - start),
            worker=chunk.worker,
            origins=Counter(pinhole.origin for pinhole in chunk.pinholes),
        )
    )


@dataclass(frozen=True)
class Depth:
    """A frame's depth."""

    millimetres: NDArray[np.uint16]
    """(H, W), 0 for unknown."""
    confidence: float | None
    """The mean of what the model says of all its pixels; None where it says nothing."""


def _depth(answer: NDArray[np.float32], convert: Conversion, letterbox: Letterbox, least: float) -> Depth:
    """At the frame's size, without what is less sure than `least`."""
    depth = letterbox.depth(convert(answer[0]))
    if len(answer) == 1:
        return Depth(to_millimetres(depth), None)
    confidence = letterbox.depth(answer[1])
    return Depth(to_millimetres(leave_out(depth, confidence, least)), float(confidence.mean(dtype=np.float64)))


def _keep(chunk: Chunk, depths: list[Depth], job: Job) -> None:
    """Write PNGs at once, FFV1 packets into the part; the rows of images go to the index, since they are whole."""
    found = zip(chunk.frames, depths, chunk.pinholes, strict=True)
    rows = [describe(frame, depth.millimetres, pinhole, job, depth.confidence) for frame, depth, pinhole in found]
    pictures = [depth.millimetres for depth in depths]
    in_matroska = chunk.video is not None and job.settings.format == "mkv"
    if not in_matroska:
        for row, picture in zip(rows, pictures, strict=True):
            (job.folder / str(row["depth"])).write(cv2.imencode(".png", picture)[1].tobytes())
    if chunk.video is None:
        if rows:
            names = "\n".join(frame.item.source for frame in chunk.frames)
            uri = job.index(f"{IMAGES}{sha256(names.encode()).hexdigest()[:16]}")
            write_index(uri, pa.Table.from_pylist(rows, SCHEMA))
        return
    assert chunk.stream
    packets = encode_ffv1(pictures) if in_matroska else [None] * len(pictures)
    rows = [{**row, "data": packet} for row, packet in zip(rows, packets, strict=True)]
    write_part(job.parts(chunk.video), chunk.first, rows, PartFacts(chunk.stream, len(chunk.lost)))
