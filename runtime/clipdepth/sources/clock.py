"""When the frames of a stream were taken, by its sender's clock, which ours keeps in check."""

LARGEST_GAP = 5.0
"""Seconds. A sender whose clock goes wrong by more has set it: its frames are counted anew from their arrival."""
FOLLOWED = 1e-3
"""How much of the gap between both clocks is taken back with a frame: no two clocks go equally fast."""


class StreamClock:
    """Turns a sender's stamps, in seconds from any start, into seconds of our clock; never back in time.

    Frames arrive early, late and in bursts. Their stamps say when they were taken.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._last: float | None = None

    def restart(self) -> None:
        """Take the next stamp as a new sender's."""
        self._offset = None

    def time(self, arrival: float, sent: float | None) -> float:
        """When a frame was taken that arrived at `arrival`, seconds; that time itself where it has no stamp."""
        taken = arrival if sent is None else self._taken(arrival, sent)
        self._last = taken if self._last is None else max(taken, self._last)
        return self._last

    def _taken(self, arrival: float, sent: float) -> float:
        if self._offset is None or abs(sent + self._offset - arrival) > LARGEST_GAP:
            self._offset = arrival - sent
        taken = sent + self._offset
        self._offset += FOLLOWED * (arrival - taken)
        return taken
