"""A recording for robots: MCAP, with ROS 2's messages."""

from contextlib import ExitStack
from pathlib import Path

from mcap.writer import Writer

from clipdepth.files.atomic import atomic_file, make_folder, remove_drafts
from clipdepth.files.claim import claimed
from clipdepth.frame import DepthFrame
from clipdepth.sinks.ros.cdr import Encoded, FrameEncoder, definition


class McapSink:
    """An .mcap file of `FrameEncoder`'s messages, at the times when their frames were taken.

    The picture is a PNG, so it is read back to the bit. The file's metadata 'clipdepth' says where the focal lengths
    of the first frame come from, see `Origin`, and what the source was. It is whole or not there: its end, which Ctrl-C
    brings too, leaves a file; an error leaves none, and an earlier file as it was.
    """

    def __init__(self, path: Path, points: bool = False) -> None:
        self.path = path
        self.name = str(path)
        self._encoder = FrameEncoder(points=points)
        self._file = ExitStack()
        self._writer: Writer | None = None
        self._channels: dict[str, int] = {}
        self._count = 0

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        stamp, messages = self._encoder.encode(frame)
        if self._writer is None:
            self._writer = self._opened()
            self._writer.add_metadata("clipdepth", {"camera": frame.intrinsics.origin, "source": frame.source})
        for message in messages:
            channel = self._channel(self._writer, message)
            self._writer.add_message(
                channel, log_time=stamp, publish_time=stamp, data=message.data, sequence=self._count
            )
        self._count += 1

    def _opened(self) -> Writer:
        partial = self._file.enter_context(atomic_file(self.path))
        writer = Writer(self._file.enter_context(partial.open("wb")))
        writer.start(profile="ros2")
        return writer

    def _channel(self, writer: Writer, message: Encoded) -> int:
        if message.topic not in self._channels:
            schema = writer.register_schema(message.type, "ros2msg", definition(message.type).encode())
            self._channels[message.topic] = writer.register_channel(message.topic, "cdr", schema)
        return self._channels[message.topic]

    def __enter__(self) -> "McapSink":
        make_folder(self.path.parent)
        self._file.enter_context(claimed(self.path))
        remove_drafts(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is not None:
            self._file.__exit__(kind, error, None)
            return
        with self._file:
            if self._writer is not None:
                self._writer.finish()  # type: ignore[no-untyped-call]
