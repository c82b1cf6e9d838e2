"""Decoded pairs, kept in a file without a name that the page cache holds and all loading processes share."""

import logging
import os
import pickle
import shutil
import struct
import tempfile
import weakref
from typing import Any

import psutil

from clipdepth_train.data.sample import RgbdPair, RgbdSet

LOG = logging.getLogger(__name__)
_HEADER = struct.Struct("<Q")
_SLACK = 4096
"""Bytes by which a pair's record may be longer than the first one's."""


class PairCache:
    """The pairs of a set as they were read the first time; those that `budget` bytes do not hold are read each time.

    Each pair has a slot of its own, and each writer writes the same into it, so that no process waits for another.
    The file has no name and goes with the last process that holds it. Index i + len is pair i again. On Windows, where
    no two processes can read one open file at places of their own, every pair is read each time.
    """

    def __init__(self, pairs: RgbdSet, budget: int) -> None:
        self._pairs = pairs
        budget = budget if hasattr(os, "pread") else 0
        self.slot_bytes = _HEADER.size + len(_record(pairs[0])) + _SLACK if budget > 0 else 1
        self.kept = min(len(pairs), max(budget, 0) // self.slot_bytes)
        """How many pairs have a slot."""
        self._file = -1
        if self.kept:
            with tempfile.TemporaryFile(buffering=0) as file:
                self._hold(os.dup(file.fileno()))

    def _hold(self, file: int) -> None:
        self._file = file
        weakref.finalize(self, os.close, file)

    def __getitem__(self, index: int) -> RgbdPair:
        place = index % len(self._pairs)
        if place >= self.kept:
            return self._pairs[index]
        found = self._read(place)
        if found is None:
            found = self._pairs[index]
            self._write(place, _record(found))
        return found

    def _read(self, place: int) -> RgbdPair | None:
        file, start = self._file, place * self.slot_bytes
        header = os.pread(file, _HEADER.size, start)
        length = _HEADER.unpack(header)[0] if len(header) == _HEADER.size else 0
        if not length:
            return None
        # Written by these processes alone, into a file that no other can open.
        pair: RgbdPair = pickle.loads(os.pread(file, length, start + _HEADER.size))
        return pair

    def _write(self, place: int, record: bytes) -> None:
        if len(record) > self.slot_bytes - _HEADER.size:
            return
        file, start = self._file, place * self.slot_bytes
        try:
            written = os.pwrite(file, record, start + _HEADER.size)
            if written == len(record):  # the length last: who sees it sees the whole
                os.pwrite(file, _HEADER.pack(len(record)), start)
        except OSError as error:
            LOG.warning("decoded frames are no longer kept: %s (%s)", error.strerror, tempfile.gettempdir())
            self.kept = 0

    def __getstate__(self) -> dict[str, Any]:
        """For workers that are not forked."""
        if self._file < 0:
            return {**vars(self), "_file": None}
        from multiprocessing.reduction import DupFd  # which Windows does not have

        return {**vars(self), "_file": DupFd(self._file)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        passed = state.pop("_file")
        vars(self).update(state, _file=-1)
        if passed is not None:
            self._hold(passed.detach())


def usual_budget() -> int:
    """Bytes: half of what memory and the temporary folder have left, whichever is less."""
    memory: int = psutil.virtual_memory().available
    return min(memory, shutil.disk_usage(tempfile.gettempdir()).free) // 2


def _record(pair: RgbdPair) -> bytes:
    return pickle.dumps(pair, protocol=5)
