"""A source that gives frames by itself, and comes back when it was lost."""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from time import monotonic, monotonic_ns
from typing import TypeVar

from clipdepth.errors import SourceError
from clipdepth.sources import Captured
from clipdepth.sources.capture import Capture
from clipdepth.sources.clock import StreamClock

_LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Reconnect:
    """How a source is sought that was lost, or is not there yet."""

    first_s: float = 0.5
    """The first wait, seconds; each further one is twice as long."""
    longest_s: float = 8.0
    """The longest wait between two attempts, seconds."""
    give_up_s: float = 60.0
    """How long after its last frame a source is given up, seconds; infinite for never."""

    def __str__(self) -> str:
        return "trying" if math.isinf(self.give_up_s) else f"trying for {self.give_up_s:g} s"


class Search:
    """Attempts to reach a source that is away, further and further apart; a wait ends when `closed` is set."""

    def __init__(self, reconnect: Reconnect, closed: Event) -> None:
        self._reconnect = reconnect
        self._closed = closed
        self._since = monotonic()
        self._wait = reconnect.first_s

    @property
    def seconds(self) -> float:
        """How long the source has been away."""
        return monotonic() - self._since

    @property
    def is_over(self) -> bool:
        """Whether it is to be given up."""
        return self.seconds > self._reconnect.give_up_s

    def again(self, connect: Callable[[], T]) -> T | None:
        """Wait, then connect; None where that fails, or the source was closed."""
        left = self._reconnect.give_up_s - self.seconds
        self._closed.wait(max(0.0, min(self._wait, left)))
        self._wait = min(2 * self._wait, self._reconnect.longest_s)
        if self._closed.is_set():
            return None
        try:
            return connect()
        except SourceError:
            return None


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
        self.is_lost = False
        self._connect = connect
        self._reconnect = reconnect or Reconnect()
        self.fps = capture.fps
        self._capture: Capture | None = capture
        self._closed = Event()

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError for a source that was lost and did not come back in time."""
        search: Search | None = None
        clock, start = StreamClock(), 0.0
        index = 0
        while not self._closed.is_set():
            # This reference keeps it open where another thread closes the source during a read.
            capture = self._capture
            reading = capture.read() if capture else None
            now = monotonic_ns()
            if reading is not None:
                if search:
                    _LOG.warning("%s is back after %.1f s", self.name, search.seconds, extra={"source": self.name})
                    search, self.is_lost = None, False
                time = clock.time(now / 1e9, reading.sent)
                start = start if index else time
                yield Captured(reading.frame, time - start, index, now, reading.focal_px, measured=reading.measured)
                index += 1
            elif not self._closed.is_set():
                search = search or self._lost()
                # Without a reference left it is closed: many cameras can be opened only once.
                capture = self._capture = None
                clock.restart()
                if search.is_over:
                    raise SourceError(
                        f"{self.name} was lost and did not come back in {search.seconds:.0f} s; "
                        "check it and its network"
                    )
                self._capture = search.again(self._connect)

    def close(self) -> None:
        """See `Source.close`."""
        self._closed.set()
        self._capture = None

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lost(self) -> Search:
        self.losses += 1
        self.is_lost = True
        text = "%s was lost; %s to reach it again"
        _LOG.warning(text, self.name, self._reconnect, extra={"source": self.name})
        return Search(self._reconnect, self._closed)
