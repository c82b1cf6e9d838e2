"""Bags of ROS 2, SQLite or MCAP, and of ROS 1, as rosbags reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipdepth.errors import ClipdepthError, MissingExtraError, SourceError

_SDK = "/device_0/"
"""What the topics of RealSense's SDK begin with, which records .bag and .db3 files too."""


class Bag:
    """An open bag: topics, and their messages in the order in which they were recorded."""

    def __init__(self, path: Path, reader: Any) -> None:
        self.path = path
        self._reader = reader
        self.types: dict[str, str] = {of.topic: of.msgtype for of in reader.connections}
        """Topics, and the types of their messages such as sensor_msgs/msg/Image."""

    @property
    def is_of_sdk(self) -> bool:
        """Whether RealSense's SDK recorded it."""
        return any(topic.startswith(_SDK) for topic in self.types)

    @property
    def seconds(self) -> float:
        """From the first message to the last."""
        return float(self._reader.duration / 1e9)

    def count(self, topic: str) -> int:
        """How many messages a topic has."""
        return int(sum(of.msgcount for of in self._reader.connections if of.topic == topic))

    def messages(self, *topics: str) -> Iterator[tuple[str, int, Any]]:
        """Topic, time of recording in nanoseconds, and message. Raises SourceError where the bag is damaged."""
        connections = [of for of in self._reader.connections if of.topic in topics]
        with _damage_told(self.path):
            for connection, recorded, data in self._reader.messages(connections=connections):
                yield connection.topic, recorded, self._reader.deserialize(data, connection.msgtype)


@contextmanager
def open_bag(path: Path, extra: str = "robots") -> Iterator[Bag]:
    """Open a folder with metadata.yaml, an .mcap, a .db3 or a .bag.

    Raises SourceError for one that is damaged, MissingExtraError, which names `extra`, without rosbags.
    """
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise MissingExtraError("reading bags", error.name or "rosbags", extra) from None
    # For bags of older releases, which do not say what their messages look like.
    types = get_typestore(Stores.ROS2_HUMBLE)
    with _damage_told(path), AnyReader([path], default_typestore=types) as reader:
        yield Bag(path, reader)


def stamp_ns(message: Any, recorded: int) -> int:
    """When a message's content was taken, Unix time in nanoseconds: by its header, or else when it was `recorded`."""
    stamp = message.header.stamp
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec) or recorded


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except ClipdepthError:
        raise
    except Exception as error:  # rosbags raises whatever its parsers trip over
        reason = " ".join(str(error).split())
        raise SourceError(f"{path} is damaged or no bag ({reason}); copy it again or record it anew") from None
