"""The newest frames of a live source, for a command that is slower than the source."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from clipdepth.pipeline.slot import Slot, Stopped
from clipdepth.sources import Captured, Source


def newest_frames(source: Source) -> Generator[Captured, None, None]:
    """Each time the frame that was read last; the source is read, in a thread, until this generator is closed."""
    slot: Slot[Captured] = Slot(newest_only=True)
    with ThreadPoolExecutor(1, "clipdepth-capture") as pool:
        reading = pool.submit(_read, source, slot)
        try:
            yield from slot
        finally:
            source.close()
            slot.stop()
        reading.result()  # raises what ended the source


def _read(source: Source, slot: Slot[Captured]) -> None:
    try:
        with suppress(Stopped):
            for captured in source:
                slot.put(captured)
    finally:
        slot.end()
