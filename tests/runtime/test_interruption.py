"""Signals of this process, noted and raised."""

import os
import signal
import threading

import pytest

from clipdepth.cli.interruption import Terminated, interruptions_noted, sigterm_interrupts

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends SIGTERM")


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)], ids=["ctrl-c", "sigterm"]
)
def test_the_first_signal_is_noted_and_the_second_raised(number: signal.Signals, kind: type[KeyboardInterrupt]) -> None:
    with sigterm_interrupts():
        with interruptions_noted() as ending:
            assert ending.interruption is None
            signal.raise_signal(number)
            assert type(ending.interruption) is kind
            with pytest.raises(kind):
                signal.raise_signal(number)
        with pytest.raises(kind):
            signal.raise_signal(number)


def test_what_is_ignored_or_in_other_hands_stays_so() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    other = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with interruptions_noted() as ending:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            assert ending.interruption is None
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, other)
    assert came == [signal.SIGTERM]


def test_another_thread_sets_no_handler() -> None:
    noted: list[bool] = []

    def look() -> None:
        with interruptions_noted() as ending:
            noted.append(ending.interruption is None)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert noted == [True]
