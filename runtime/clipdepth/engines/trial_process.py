"""Engines tried in a process of their own: a library that aborts or hangs there takes nothing else with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from typing import IO

import msgspec

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import Manifest
from clipdepth.bundle.record import Record
from clipdepth.engines.presence import find_absence
from clipdepth.engines.trial import Trial, failed_trial, try_engine
from clipdepth.errors import EngineError

SECONDS = 180.0
"""How long a process may go without a sign of life: to load or compile a graph, or to infer a frame."""
_KILL_SECONDS = 5.0
"""A process that waits inside a driver cannot be killed, and is left behind after so long."""
# The modules that this process finds.
_CHILD = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import main; main()"
_Lines = SimpleQueue["bytes | None"]


class _Task(Record, frozen=True):
    bundle: str
    manifest: Manifest
    engine: str
    precisions: list[str]
    threads: int | None
    device: int | None
    read: bool


def try_apart(
    bundle: Bundle,
    name: str,
    precisions: Sequence[str],
    threads: int | None = None,
    device: int | None = None,
    read: bool = False,
) -> Iterator[Trial]:
    """Try engine `name` with the bundle's graph of each precision, as `try_engine` does, in a process of its own.

    A graph with which that process ends or hangs has failed, and another process tries the rest. What is not here at
    all costs no process.
    """
    absence = find_absence(name)
    if absence:
        yield from (failed_trial(name, precision, absence) for precision in precisions)
        return
    left = list(precisions)
    while left:
        for trial in _try_until_it_ends(_Task(str(bundle.path), bundle.manifest, name, left, threads, device, read)):
            yield trial
            left = left[1:]


def _try_until_it_ends(task: _Task) -> Iterator[Trial]:
    """The trials of one process in turn; where it ended before its time or hangs, the last one tells so."""
    left = list(task.precisions)
    with TemporaryFile() as said, _process(task, said) as process:
        lines = _lines(process)
        while left:
            try:
                line = lines.get(timeout=SECONDS)
                problem = "" if line else f"its process {_end(process.wait(), said)}"
            except Empty:
                line, problem = None, f"its process gave no sign of life for {SECONDS:g} s"
            if line is None:
                yield failed_trial(task.engine, left[0], EngineError(problem))
                return
            if line.strip():
                left = left[1:]
                yield msgspec.json.decode(line, type=Trial)


@contextmanager
def _process(task: _Task, said: IO[bytes]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process at work on the task, whose stderr goes to `said`; it is ended with the context."""
    command = [sys.executable, "-c", _CHILD, *(str(Path(path).absolute()) for path in sys.path)]
    with TemporaryFile() as asked:
        asked.write(msgspec.json.encode(task))
        asked.seek(0)
        process = subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, stderr=said)
    try:
        yield process
    finally:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_SECONDS)


def _lines(process: "subprocess.Popen[bytes]") -> _Lines:
    """What the process writes, line by line, as it comes; None is the end."""
    lines: _Lines = SimpleQueue()

    def read() -> None:
        assert process.stdout
        with process.stdout as written:
            for line in written:
                lines.put(line)
        lines.put(None)

    Thread(target=read, name="clipdepth-trial", daemon=True).start()
    return lines


def _end(status: int, said: IO[bytes]) -> str:
    """How a process ended, and the last line of what it said."""
    said.seek(0)
    last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"{how}: {last}" if last else how


def main() -> None:
    """The process: reads a task, answers a trial a line, and an empty line for each sign of life."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=_Task)
    answers = os.dup(1)
    os.dup2(2, 1)  # a library may print what it likes
    bundle = Bundle(Path(task.bundle), task.manifest)

    def answer(line: bytes = b"") -> None:
        os.write(answers, line + b"\n")

    for precision in task.precisions:
        trial = try_engine(bundle, task.engine, precision, task.threads, task.device, answer, task.read)
        answer(msgspec.json.encode(trial))
