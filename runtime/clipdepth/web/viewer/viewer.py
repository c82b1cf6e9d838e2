"""The viewer as the pipeline sees it: a sink for each source."""

import socket
from urllib.parse import quote

from clipdepth.frame import DepthFrame
from clipdepth.pipeline import Pipeline
from clipdepth.web.access import Access
from clipdepth.web.address import Address
from clipdepth.web.allowed import Allowed
from clipdepth.web.server import Server
from clipdepth.web.viewer.app import make_app
from clipdepth.web.viewer.broadcast import Channel
from clipdepth.web.viewer.lan import lan_addresses
from clipdepth.web.viewer.setup import Setup
from clipdepth.web.viewer.status import Status

EVERYWHERE = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}
"""Hosts that stand for all addresses of a family."""


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

    def __init__(self, address: Address, token: str | None, setup: Setup, *, metrics: bool, allowed: Allowed) -> None:
        self.address = address
        self.access = Access(address, token, allowed)
        self.status = Status()
        self._token = token
        self._allowed = allowed
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
    def needs_token(self) -> bool:
        """Whether who looks has to know one."""
        return self._token is not None

    @property
    def url(self) -> str:
        """What to open in a browser, the token included, which browsers do not send from there."""
        host = socket.gethostname() if self.address.host in EVERYWHERE else self.address.host
        return self._url(f"http://{Address(host, self.address.port)}")

    @property
    def other_urls(self) -> dict[str, str]:
        """Where else the page is, and for each URL how it gets there: a proxy's origin or a network interface."""
        urls = {self._url(origin): "proxy" for origin in self._allowed.origins}
        if self.address.host in EVERYWHERE:
            for found in lan_addresses(EVERYWHERE[self.address.host]):
                urls[self._url(f"http://{Address(found.number, self.address.port)}")] = found.interface
        return urls

    @property
    def phone_url(self) -> str | None:
        """The URL that another device most likely reaches; None where only this computer does."""
        if others := list(self.other_urls):
            return others[0]
        return None if self.address.is_loopback else self.url

    def _url(self, origin: str) -> str:
        fragment = f"#token={quote(self._token, safe='')}" if self._token else ""
        return f"{origin}/{fragment}"

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
