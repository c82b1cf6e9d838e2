"""What the stages tell the one that started them."""

from collections import Counter
from dataclasses import dataclass

from clipdepth.camera.pinhole import Origin
from clipdepth.cluster.archive.sources import Item


@dataclass(frozen=True)
class Failed:
    """A source that cannot be read, or whose depth cannot be kept."""

    source: str
    reason: str
    size: float = 0.0
    """Bytes of the source that count as done with it, for the progress."""


@dataclass(frozen=True)
class Complete:
    """A video whose depth was there before."""

    item: Item
    lost: int
    """Frames that could not be decoded then."""


@dataclass(frozen=True)
class Joinable:
    """A video all of whose parts were there before, but not joined."""

    item: Item


@dataclass(frozen=True)
class PartSeconds:
    """How long the stages took for a chunk, in whatever process."""

    decoding: float
    inference: float
    encoding: float


@dataclass(frozen=True)
class Part:
    """A chunk whose depth is kept."""

    video: Item | None
    """None for images."""
    pending: int
    """How many chunks of the video this run makes."""
    size: float
    """Bytes of the sources that are done with it: a video's, shared among the chunks that this run makes of it."""
    frames: int
    failed: tuple[Failed, ...]
    """Images that could not be read."""
    seconds: PartSeconds
    worker: str
    """Which actor inferred."""
    origins: Counter[Origin]
    """How many frames have a focal length that comes from there."""


@dataclass(frozen=True)
class Joined:
    """A video whose depth is whole."""

    item: Item
    lost: int
    """Frames that could not be decoded."""
    seconds: float
