"""The second stage: from spans to chunks of pictures at the network's size."""

from collections.abc import Iterator
from time import perf_counter

import cv2
import numpy as np

from clipdepth.camera.correction import Correction
from clipdepth.camera.letterbox import Letterbox
from clipdepth.cluster.archive.chunk import NOTHING, Chunk, Frame, Row, Span, pack, unpack
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.results import Failed
from clipdepth.cluster.archive.video import open_video
from clipdepth.errors import SourceError
from clipdepth.files.focal_length import focal_of_35mm, picture_focal
from clipdepth.pipeline.optics import Optics
from clipdepth.sources import Captured
from clipdepth.sources.folder import decode_image

Pictures = Iterator[Captured | str]
"""Of each frame its picture, or why there is none."""


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
    kept: list[tuple[Frame, Letterbox, Correction]] = []
    lost = []
    for frame in frames:
        captured = next(pictures)
        if isinstance(captured, str):
            lost.append((frame.item.source, captured))
            continue
        try:
            prepared = optics.prepare(captured)
        except SourceError as error:
            # The camera is not known at that size; the message does not say which picture has it.
            named = f"{frame.item.source}: {error}"
            if span.stream:
                raise SourceError(named) from None
            lost.append((frame.item.source, named))
            continue
        height, width = prepared.picture.shape[:2]
        array[len(kept), :height, :width] = prepared.picture
        assert prepared.correction
        kept.append((frame, prepared.letterbox, prepared.correction))
    chunk = Chunk(
        frames=tuple(frame for frame, _, _ in kept),
        letterboxes=tuple(letterbox for _, letterbox, _ in kept),
        conversions=tuple(correction.conversion for _, _, correction in kept),
        pinholes=tuple(correction.intrinsics for _, _, correction in kept),
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
            data = uri.read()
            picture = decode_image(data, str(uri))
        except SourceError as error:
            yield str(error)
        except Exception as error:  # file systems elsewhere raise their own
            yield f"{uri} cannot be read ({uri.reason(error)}); check the file"
        else:
            height, width = picture.shape[:2]
            yield Captured(picture, 0.0, frame.index, focal_px=picture_focal(data, width, height))


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
            if ahead is None or ahead[0] != frame.stamp:
                yield reason
                continue
            height, width = ahead[1].shape[:2]
            focal_px = focal_of_35mm(video.focal_35mm, width, height)
            yield Captured(ahead[1], frame.time or 0.0, frame.index, focal_px=focal_px)
