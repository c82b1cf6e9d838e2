"""The second stage: from spans to chunks of pictures at the network's size."""

from collections.abc import Iterator
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.archive.chunk import NOTHING, Chunk, Frame, Row, Span, pack, unpack
from clipdepth.archive.job import Job
from clipdepth.archive.results import Failed
from clipdepth.archive.video import open_video
from clipdepth.camera.conversion import Conversion
from clipdepth.errors import SourceError
from clipdepth.pipeline.optics import Optics
from clipdepth.sources import Captured
from clipdepth.sources.folder import decode_image

Pictures = Iterator[tuple[Frame, NDArray[np.uint8] | str]]
"""Frames with their pictures, (H, W, 3) uint8 BGR, or why there is none."""


def decode(row: Row, job: Job) -> Iterator[Row]:
    """From a span to its chunks, each with an array of (N, H, W, 3) uint8 BGR; results pass."""
    cv2.setNumThreads(1)
    span = unpack(row)
    if not isinstance(span, Span):
        yield pack(span, NOTHING)
        return
    try:
        yield from _chunks(span, job)
    except SourceError as error:
        # The video could be read a moment ago. It stays undone, for the next run.
        assert span.video
        yield pack(Failed(span.video.source, str(error)), NOTHING)


def _chunks(span: Span, job: Job) -> Iterator[Row]:
    pictures = _of_images(span) if span.stream is None else _of_video(span)
    optics = Optics(job.inputs, job.corrections)
    for frames in span.chunks:
        yield _chunk(frames, pictures, span, job, optics)


def _chunk(frames: tuple[Frame, ...], pictures: Pictures, span: Span, job: Job, optics: Optics) -> Row:
    start = perf_counter()
    array = np.zeros((len(frames), *job.largest, 3), np.uint8)
    kept: list[Frame] = []
    letterboxes, conversions, lost = [], [], []
    for frame in frames:
        _, picture = next(pictures)
        if isinstance(picture, str):
            lost.append((frame.item.source, picture))
            continue
        try:
            prepared = optics.prepare(Captured(picture, frame.time or 0.0, frame.index))
        except SourceError as error:
            if span.stream:
                raise
            lost.append((frame.item.source, f"{frame.item.source}: {error}"))
            continue
        height, width = prepared.picture.shape[:2]
        array[len(kept), :height, :width] = prepared.picture
        kept.append(frame)
        letterboxes.append(prepared.letterbox)
        conversions.append(prepared.correction.conversion if prepared.correction else Conversion())
    chunk = Chunk(
        frames=tuple(kept),
        letterboxes=tuple(letterboxes),
        conversions=tuple(conversions),
        lost=tuple(lost),
        video=span.video,
        stream=span.stream,
        first=frames[0].index,
        pending=span.pending,
        decoding=perf_counter() - start,
    )
    return pack(chunk, array[: len(kept)])


def _of_images(span: Span) -> Pictures:
    for frame in (frame for chunk in span.chunks for frame in chunk):
        uri = frame.item.file
        try:
            yield frame, decode_image(uri.read(), str(uri))
        except SourceError as error:
            yield frame, str(error)
        except Exception as error:  # file systems elsewhere raise their own
            yield frame, f"{uri} cannot be read ({uri.reason(error)}); check the file"


def _of_video(span: Span) -> Pictures:
    """Each frame of the span in its turn; where seeking leads astray, by decoding from the file's start."""
    frames = [frame for chunk in span.chunks for frame in chunk]
    uri = frames[0].item.file
    reason = "could not be decoded"
    with open_video(uri) as video:
        found = video.frames(span.key)
        ahead = next(found, None)
        if ahead is None or ahead[0] > (frames[0].stamp or 0):
            found = video.frames()
            ahead = next(found, None)
        for frame in frames:
            while ahead and ahead[0] < (frame.stamp or 0):
                ahead = next(found, None)
            yield frame, ahead[1] if ahead and ahead[0] == frame.stamp else reason
