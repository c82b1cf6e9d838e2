"""The first stage: which frames a video has, and how it is cut into spans to decode and chunks to keep."""

import pickle
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf

from clipdepth.cluster.archive.chunk import Frame, Row, Span, pack
from clipdepth.cluster.archive.index import read_facts
from clipdepth.cluster.archive.job import Job
from clipdepth.cluster.archive.part import list_parts
from clipdepth.cluster.archive.results import Complete, Failed, Joinable
from clipdepth.cluster.archive.sources import Item
from clipdepth.cluster.archive.video import ArchivedVideo, open_video
from clipdepth.errors import SourceError


def plan(row: Row, job: Job) -> Iterator[Row]:
    """From a row with the key 'items', one video or some images, to a row for each of its spans.

    What is done already gives no span; a video with nothing left, or that cannot be read, gives its result.
    """
    items: list[Item] = pickle.loads(row["items"])
    if items[0].problem:
        yield pack(Failed(items[0].source, f"{items[0].source} {items[0].problem}", items[0].size))
        return
    if items[0].is_image:
        frames = tuple(Frame(item, 0) for item in items)
        yield pack(Span((frames,), 0))
        return
    try:
        yield from map(pack, _plan_video(items[0], job))
    except SourceError as error:
        yield pack(Failed(items[0].source, str(error), items[0].size))


def _plan_video(item: Item, job: Job) -> Iterator[Span | Complete | Joinable]:
    facts = read_facts(job.index(item.name))
    if facts:
        if not facts.are_of(item):
            raise SourceError(
                f"{item.source} has changed since its depth was made; remove {job.index(item.name)} to make it again"
            )
        yield Complete(item, facts.lost)
        return
    with open_video(item.file) as video:
        stream = video.stream
        spans = cut(item, video, job)
    done = list_parts(job.parts(item))
    left = [span for span in (span.without(done) for span in spans) if span.chunks]
    pending = sum(len(span.chunks) for span in left)
    if not pending:
        yield Joinable(item)
    for span in left:
        yield Span(span.chunks, pending, stream, span.key)


@dataclass(frozen=True)
class Cut:
    """A span before it is known which of its chunks are left to do."""

    key: int
    chunks: tuple[tuple[Frame, ...], ...]

    def without(self, done: Collection[int]) -> "Cut":
        """The chunks that are left, where those that start with the frames `done` are there."""
        return Cut(self.key, tuple(chunk for chunk in self.chunks if chunk[0].index not in done))


def cut(item: Item, video: ArchivedVideo, job: Job) -> list[Cut]:
    """The frames that `job` takes of a video, cut at key frames into spans of at least a chunk, those into even chunks.

    Raises SourceError where no frame is left.
    """
    stamps, keys = video.stamps()
    start = stamps[0] + job.settings.start / video.stream.time_base
    end = inf if job.settings.end is None else stamps[0] + job.settings.end / video.stream.time_base
    base = float(video.stream.time_base)
    taken = [
        Frame(item, index, stamp, (stamp - stamps[0]) * base)
        for index, stamp in enumerate(stamps)
        if index % job.settings.stride == 0 and start <= stamp < end
    ]
    if not taken:
        raise SourceError(f"{item.source} has no frame in that range of time; it lasts {_seconds(stamps, base):.1f} s")
    spans: list[Cut] = []
    begin = 0
    for after in [*keys[1:], inf]:
        stop = len(taken) if after == inf else bisect_left(taken, after, key=lambda frame: frame.stamp or 0)
        if stop - begin >= job.chunk_frames or (after == inf and stop > begin):
            frames = taken[begin:stop]
            before = bisect_right(keys, frames[0].stamp or 0)
            spans.append(Cut(keys[max(before - 1, 0)], _even(frames, job.chunk_frames)))
            begin = stop
    return spans


def _even(frames: Sequence[Frame], most: int) -> tuple[tuple[Frame, ...], ...]:
    count = ceil(len(frames) / most)
    ends = [round(part * len(frames) / count) for part in range(count + 1)]
    return tuple(tuple(frames[a:b]) for a, b in pairwise(ends))


def _seconds(stamps: Sequence[int], base: float) -> float:
    return (stamps[-1] - stamps[0]) * base
