"""A source that gives frames by itself, and comes back when it was lost."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic, monotonic_ns

from clipdepth.errors import SourceError
from clipdepth.sources import Captured
from clipdepth.sources.capture import Capture
from clipdepth.sources.clock import StreamClock

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reconnect:
    """How a lost source is sought again."""

    first_s: float = 0.5
    """The first wait, seconds; each further one is twice as long."""
    longest_s: float = 8.0
    """The longest wait between two attempts, seconds."""
    give_up_s: float = 60.0
    """How long after its last frame a source is given up, seconds."""


class LiveSource:
    """A camera or a stream. Its frames are read as they come; a loss shows as a gap in their times, no more.

    Their times are those of the sender's clock where it has one, else those of their arrival.

    `capture` is open; after a loss `connect` opens it again, raising SourceError where that fails. The picture's
    size may change then.
    """

    live = True
    timed = True
    frame_count = None

    def __init__(
        self, name: str, capture: Capture, connect: Callable[[], Capture], reconnect: Reconnect | None = None
    ) -> None:
        self.name = name
        self.losses = 0
        self._connect = connect
        self._reconnect = reconnect or Reconnect()
        self.fps = capture.fps
        self._capture: Capture | None = capture
        self._closed = Event()

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError for a source that was lost and did not come back in time."""
        outage: _Outage | None = None
        clock, start = StreamClock(), 0.0
        index = 0
        while not self._closed.is_set():
            # This reference keeps it open where another thread closes the source during a read.
            capture = self._capture
            reading = capture.read() if capture else None
            now = monotonic_ns()
            if reading is not None:
                if outage:
                    seconds = monotonic() - outage.since
                    _LOG.warning("%s is back after %.1f s", self.name, seconds, extra={"source": self.name})
                    outage = None
                time = clock.time(now / 1e9, reading.sent)
                start = start if index else time
                yield Captured(reading.frame, time - start, index, now)
                index += 1
            elif not self._closed.is_set():
                outage = outage or self._lost()
                # Without a reference left it is closed: many cameras can be opened only once.
                capture = self._capture = None
                clock.restart()
                self._try_again(outage)

    def close(self) -> None:
        """See `Source.close`."""
        self._closed.set()
        self._capture = None

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lost(self) -> "_Outage":
        self.losses += 1
        text = "%s was lost; trying for %g s to reach it again"
        _LOG.warning(text, self.name, self._reconnect.give_up_s, extra={"source": self.name})
        return _Outage(monotonic(), self._reconnect.first_s)

    def _try_again(self, outage: "_Outage") -> None:
        seconds = monotonic() - outage.since
        if seconds > self._reconnect.give_up_s:
            raise SourceError(
                f"{self.name} was lost and did not come back in {seconds:.0f} s; check it and its network"
            )
        self._closed.wait(outage.wait)
        outage.wait = min(2 * outage.wait, self._reconnect.longest_s)
        if not self._closed.is_set():
            with suppress(SourceError):
                self._capture = self._connect()


@dataclass
class _Outage:
    """Since when a source is lost, by `time.monotonic`, and how long to wait before the next attempt, seconds."""

    since: float
    wait: float
