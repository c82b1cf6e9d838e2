"""Live depth for Foxglove: a WebSocket server with ROS 2's messages."""

from contextlib import ExitStack

from foxglove import Channel, Context, Schema, start_server

from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame
from clipdepth.sinks.ros.cdr import Encoded, FrameEncoder, definition

BACKLOG = 32
"""Messages that wait for a client; one that is too slow misses the oldest, and so sees new depth."""


class FoxgloveSink:
    """Sends a source's depth to whoever subscribed; what nobody looks at is not made. `Foxglove` makes it."""

    name = "foxglove"

    def __init__(self, context: Context, encoder: FrameEncoder) -> None:
        self._context = context
        self._encoder = encoder
        self._channels: dict[str, Channel] = {}

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        stamp, messages = self._encoder.encode(frame, self._is_wanted)
        for message in messages:
            self._channel(message).log(message.data, log_time=stamp)

    def _is_wanted(self, topic: str) -> bool:
        """Whether somebody subscribed; a topic is told of with its first message."""
        return topic not in self._channels or self._channels[topic].has_sinks()

    def _channel(self, message: Encoded) -> Channel:
        if message.topic not in self._channels:
            schema = Schema(name=message.type, encoding="ros2msg", data=definition(message.type).encode())
            self._channels[message.topic] = Channel(
                message.topic, schema=schema, message_encoding="cdr", context=self._context
            )
        return self._channels[message.topic]

    def __enter__(self) -> "FoxgloveSink":
        return self

    def __exit__(self, *_: object) -> None:
        for channel in self._channels.values():
            channel.close()


class Foxglove:
    """Serves what its sinks get, from `__enter__` to `__exit__`, with pictures as JPEG.

    Topics are those of a recording; with several `cameras` each has its number: /camera1/depth. Port 0 is any that is
    free. `__enter__` raises OutputError where the address cannot be had.
    """

    def __init__(self, host: str, port: int, *, points: bool = False, cameras: int = 1) -> None:
        self.host, self.port = host, port
        self._points, self._cameras = points, cameras
        self._context = Context()
        self._sinks = 0
        self._serving = ExitStack()

    def sink(self, name: str) -> FoxgloveSink:
        """A sink for one more source."""
        self._sinks += 1
        camera = f"/camera{self._sinks}" if self._cameras > 1 else "/camera"
        return FoxgloveSink(self._context, FrameEncoder(camera, self._points, "jpeg"))

    @property
    def url(self) -> str:
        """What to open in Foxglove."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}"

    def __enter__(self) -> "Foxglove":
        try:
            server = start_server(
                name="clipdepth", host=self.host, port=self.port, context=self._context, message_backlog_size=BACKLOG
            )
        except RuntimeError as error:
            why = str(error).rpartition(": ")[2]
            remedy = "give another with --foxglove HOST:PORT"
            raise OutputError(f"cannot serve Foxglove at {self.host}:{self.port} ({why}); {remedy}") from None
        self._serving.callback(server.stop)
        self.port = server.port
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.close()
