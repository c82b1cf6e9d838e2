"""A sink's thread."""

from threading import Event

from clipdepth.frame import DepthFrame
from clipdepth.pipeline.slot import Slot
from clipdepth.sinks import Sink


class SinkWriter:
    """A sink and what waits for it."""

    def __init__(self, sink: Sink, waiting: Slot[DepthFrame]) -> None:
        self.sink = sink
        self.tried = Event()
        """Set when the sink has been opened, or could not be."""
        self.is_open = False
        self.is_whole = True
        """False where the sink failed."""
        self._waiting = waiting

    def write(self) -> None:
        """Open the sink, write what comes, close it; a stop from elsewhere closes it as its end does."""
        try:
            with self.sink:
                self.is_open = True
                self.tried.set()
                for frame in self._waiting:
                    self.sink.write(frame)
        except BaseException:
            self.is_whole = False
            raise
        finally:
            self.tried.set()
