"""What goes from stage to stage: spans of a source to decode, and chunks of frames on their way to depth."""

import pickle
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.conversion import Conversion
from clipdepth.camera.letterbox import Letterbox
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cluster.archive.sources import Item

Row = dict[str, Any]
"""A row of Ray Data's: 'message', pickled, and for a chunk 'array', its pictures or their depth."""


@dataclass(frozen=True)
class Frame:
    """A frame of an item, before it is decoded."""

    item: Item
    index: int
    """Its number in the source, from 0."""
    stamp: int | None = None
    """Its presentation time stamp, in units of the stream's time base; None for an image."""
    time: float | None = None
    """Seconds since the source's first frame; None for an image."""


@dataclass(frozen=True)
class Stream:
    """What the first frame of a video says of all of them."""

    height: int
    width: int
    """Pixels, as the frames are watched: after their rotation."""
    time_base: Fraction


@dataclass(frozen=True)
class Span:
    """Frames that are decoded together, from a key frame on; cut into chunks."""

    chunks: tuple[tuple[Frame, ...], ...]
    pending: int
    """How many chunks of the video this run makes."""
    stream: Stream | None = None
    """None for images."""
    key: int | None = None
    """The time stamp of the key frame where decoding starts; None for images."""

    @property
    def video(self) -> Item | None:
        """The video; None for images."""
        return self.chunks[0][0].item if self.stream else None


@dataclass(frozen=True)
class Chunk:
    """Frames that were decoded, and what the stages found on the way."""

    frames: tuple[Frame, ...]
    letterboxes: tuple[Letterbox, ...]
    """Where each frame lies in its picture, which begins at the top left of its place in the array."""
    conversions: tuple[Conversion, ...]
    """Metres of what the network answers to each."""
    pinholes: tuple[Intrinsics, ...]
    """Of each frame's depth, and where they come from."""
    lost: tuple[tuple[str, str], ...]
    """The source of each frame that could not be decoded, and the reason."""
    video: Item | None
    """None for images."""
    stream: Stream | None
    first: int
    """The index of the chunk's first frame, also where that one was lost."""
    pending: int
    """See `Span.pending`."""
    decoding: float
    """Seconds."""
    inference: float = 0.0
    """Seconds."""
    worker: str = ""
    """Which actor inferred."""


def pack(message: object, array: NDArray[Any] | None = None) -> Row:
    """A row that carries `message` and an array."""
    data = pickle.dumps(message)
    return {"message": data} if array is None else {"message": data, "array": array}


def unpack(row: Row) -> Any:
    """The message of a row."""
    return pickle.loads(row["message"])


NOTHING = np.zeros((0, 1, 1), np.uint8)
"""The array of a message that has none, where others of its stage have one."""
