"""What a fault did: a row of the table of `faults.py`, and what is needed to find it out."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import TESTS

sys.path.insert(0, str(TESTS))

LONGEST_S = 120.0


@dataclass(frozen=True)
class Fault:
    """A fault and what became of it; `is_well` is whether that is what was wanted."""

    name: str
    happened: str
    counted: str
    logged: str
    took: str
    is_well: bool


@dataclass(frozen=True)
class Ended:
    """How a `clipdepth run` ended."""

    status: int
    seconds: float
    errors: list[str]
    """The lines on stderr."""
    report: dict[str, Any] = field(default_factory=dict)


def run_command(
    *arguments: str | Path, wrapper: Sequence[str] = (), until: Callable[[], object] | None = None
) -> Ended:
    """Run `clipdepth run` to its end, or interrupt it when `until` returns; `seconds` then count from there."""
    command = [*wrapper, sys.executable, "-m", "clipdepth", "run", *arguments]
    # Every message once, and as people see it.
    environment = {**os.environ, "COLUMNS": "1000"}
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    if until:
        until()
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LONGEST_S)
    lines = [line for line in errors.splitlines() if line.strip()]
    return Ended(process.returncode, time.monotonic() - started, lines, _report(arguments))


def _report(arguments: Sequence[str | Path]) -> dict[str, Any]:
    given = list(arguments)
    path = Path(given[given.index("--json") + 1]) if "--json" in given else None
    return dict(json.loads(path.read_text())) if path and path.exists() else {}


@contextmanager
def logged() -> Iterator[list[str]]:
    """The messages of warnings and errors from here to the end."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    keeper, root = Keeper(logging.WARNING), logging.getLogger()
    root.addHandler(keeper)
    try:
        yield lines
    finally:
        root.removeHandler(keeper)


def each_once(lines: Sequence[str]) -> bool:
    """Whether there is something and nothing was said twice."""
    return bool(lines) and max(Counter(lines).values()) == 1
