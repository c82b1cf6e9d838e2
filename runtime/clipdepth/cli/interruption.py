"""How people and service managers end a command: Ctrl-C and SIGTERM."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def exit_status(interruption: KeyboardInterrupt) -> int:
    """128 and the signal's number, as shells report it: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raise Terminated in the main thread on SIGTERM, which would end the process with files half-written.

    Does nothing in another thread, which Python lets set no signal's handler.
    """
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Ending:
    """Whether the command was asked to end, and by what."""

    interruption: KeyboardInterrupt | None = None


@contextmanager
def interruptions_noted() -> Iterator[Ending]:
    """Note the first Ctrl-C or SIGTERM, for a command that looks; the second is raised.

    Raised wherever the main thread is at the moment, the first one too could leave a lock taken or threads half
    started. A signal that is ignored, or that somebody else handles, stays as it is.
    """
    ending = Ending()

    def note(number: int, frame: FrameType | None) -> None:
        interruption = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        if ending.interruption:
            raise interruption
        ending.interruption = interruption

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    raising = [number for number, handler in before.items() if handler in (signal.default_int_handler, _terminate)]
    if current_thread() is not main_thread():
        raising = []
    for number in raising:
        signal.signal(number, note)
    try:
        yield ending
    finally:
        for number in raising:
            signal.signal(number, before[number])


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated
