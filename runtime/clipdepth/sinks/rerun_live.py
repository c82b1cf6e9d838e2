"""Live depth in a Rerun viewer that is open somewhere."""

import logging

import rerun

from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame
from clipdepth.sinks.rerun import log_axes, log_frame

_LOG = logging.getLogger(__name__)

CONNECT_S = 5.0
SEND_S = 5.0
"""How long a frame may take to reach the viewer; one that takes longer is taken to be gone."""


class RerunViewerSink:
    """Sends a source's depth to the viewer at `url`, with the entities of an .rrd file. `RerunViewer` makes it.

    `__enter__` raises OutputError where no viewer answers. When it is closed later, a warning says so, and the run goes
    on without it.
    """

    name = "rerun"

    def __init__(self, url: str, source: str) -> None:
        self._url = url
        self._stream: rerun.RecordingStream | None = rerun.RecordingStream(f"clipdepth: {source}")

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        if self._stream is None:
            return
        log_frame(self._stream, frame)
        try:
            self._stream.flush(timeout_sec=SEND_S)
        except RuntimeError as error:
            _LOG.warning("the Rerun viewer at %s is gone (%s); depth is not sent there any more", self._url, error)
            self._stream = None

    def __enter__(self) -> "RerunViewerSink":
        assert self._stream is not None
        try:
            self._stream.connect_grpc(self._url)
            log_axes(self._stream)
            self._stream.flush(timeout_sec=CONNECT_S)
        except RuntimeError as error:
            self._stream = None
            remedy = "start the viewer there ('rerun'), or give its URL with --rerun"
            raise OutputError(f"no Rerun viewer at {self._url} ({error}); {remedy}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.disconnect()


class RerunViewer:
    """Makes the sinks that send to one viewer, each a recording of its own there."""

    def __init__(self, url: str) -> None:
        self._url = url

    def sink(self, name: str) -> RerunViewerSink:
        """A sink for the source called `name`."""
        return RerunViewerSink(self._url, name)
