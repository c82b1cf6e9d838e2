"""The viewer as the pipeline sees it: a sink for each source."""

from socket import gethostname
from urllib.parse import quote

from clipdepth.frame import DepthFrame
from clipdepth.pipeline import Pipeline
from clipdepth.viewer.access import Access
from clipdepth.viewer.address import Address
from clipdepth.viewer.app import make_app
from clipdepth.viewer.broadcast import Channel
from clipdepth.viewer.server import Server
from clipdepth.viewer.status import Setup, Status

EVERYWHERE = ("0.0.0.0", "::")


class ViewerSink:
    """Passes a source's newest depth to whoever looks; a `Sink` that never lets the pipeline wait."""

    name = "viewer"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`; keeps the frame until the next one."""
        self._channel.put(frame)

    def __enter__(self) -> "ViewerSink":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Viewer:
    """Serves the page, from `__enter__` to `__exit__`; give its sinks to the pipeline and then `watch` that.

    `token` None lets everybody look who can reach the address. `__enter__` raises ServeError where the address
    cannot be had; sinks must be made before it.
    """

    def __init__(self, address: Address, token: str | None, setup: Setup, *, metrics: bool = False) -> None:
        self.address = address
        self.access = Access(address, token)
        self.status = Status()
        self._token = token
        self._setup = setup
        self._metrics = metrics
        self._channels: list[Channel] = []
        self._server: Server | None = None

    def sink(self, name: str) -> ViewerSink:
        """A sink for the source called `name`, which the page shows."""
        channel = Channel(name)
        self._channels.append(channel)
        return ViewerSink(channel)

    def watch(self, pipeline: Pipeline) -> None:
        """Show the counters and the latency of this pipeline."""
        self.status.pipeline = pipeline

    @property
    def url(self) -> str:
        """What to open in a browser, the token included, which browsers do not send from there."""
        host = gethostname() if self.address.host in EVERYWHERE else self.address.host
        fragment = f"#token={quote(self._token, safe='')}" if self._token else ""
        return f"http://{Address(host, self.address.port)}/{fragment}"

    def __enter__(self) -> "Viewer":
        listening = self.address.listen()
        self.address = Address(self.address.host, listening.getsockname()[1])
        app = make_app(self._setup, self._channels, self.status, self.access, metrics=self._metrics)
        self._server = Server(app, listening, self.access)
        loop = self._server.start()
        for channel in self._channels:
            channel.attach(loop)
        return self

    def __exit__(self, *_: object) -> None:
        for channel in self._channels:
            channel.attach(None)
        if self._server:
            self._server.stop()
