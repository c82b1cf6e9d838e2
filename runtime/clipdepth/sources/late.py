"""Cameras and streams that are opened when they are first read, and sought where they are not there yet."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from threading import Event

from clipdepth.errors import SourceError
from clipdepth.sources import Captured, Source, SourceOptions
from clipdepth.sources.kinds import kind_of
from clipdepth.sources.live import Reconnect, Search

_LOG = logging.getLogger(__name__)


class LateSource:
    """A source that `open_` opens, raising SourceError where it is not there, when its first frame is asked for.

    Until then it counts as live; a video on a server turns out to be none. Its name stays the same.
    """

    timed = True

    def __init__(self, name: str, open_: Callable[[], Source], reconnect: Reconnect) -> None:
        self.name = name
        self._open = open_
        self._reconnect = reconnect
        self._opened: Source | None = None
        self._closed = Event()

    @property
    def live(self) -> bool:
        """See `Source.live`; known when the first frame comes."""
        return self._opened is None or self._opened.live

    @property
    def fps(self) -> float | None:
        """See `Source.fps`."""
        return self._opened.fps if self._opened else None

    @property
    def frame_count(self) -> int | None:
        """See `Source.frame_count`."""
        return self._opened.frame_count if self._opened else None

    @property
    def losses(self) -> int:
        """See `Source.losses`; to be away at the start is none."""
        return self._opened.losses if self._opened else 0

    @property
    def is_lost(self) -> bool:
        """See `Source.is_lost`."""
        return self._opened is None or self._opened.is_lost

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError for a source that did not come in time."""
        opened = self._found()
        if opened is None:
            return
        with opened:
            self._opened = opened
            if not self._closed.is_set():
                _LOG.info("%s is open", opened.name, extra={"source": self.name})
                yield from opened

    def close(self) -> None:
        """See `Source.close`."""
        self._closed.set()
        if opened := self._opened:
            opened.close()

    def __enter__(self) -> "LateSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found(self) -> Source | None:
        """The source, open; None where this one is closed first."""
        try:
            return self._open()
        except SourceError as error:
            if not self._reconnect.give_up_s:
                raise
            return self._sought(error)

    def _sought(self, away: SourceError) -> Source | None:
        search = Search(self._reconnect, self._closed)
        _LOG.warning("%s; %s to reach it", away, self._reconnect, extra={"source": self.name})
        while not self._closed.is_set():
            if search.is_over:
                raise SourceError(f"{away}; it did not come in {search.seconds:.0f} s")
            if (found := search.again(self._open)) is not None:
                _LOG.warning("%s is there after %.1f s", self.name, search.seconds, extra={"source": self.name})
                return found
        return None


def open_late(spec: str, options: SourceOptions | None = None) -> Source:
    """A `LateSource` of a camera or a stream, anything else as `open_source` does, and raises."""
    kind, options = kind_of(spec), options or SourceOptions()
    if kind.name is None:
        return kind.open(spec, options)
    return LateSource(kind.name(spec), partial(kind.open, spec, options), options.reconnect or Reconnect())
