"""Bounded fuzzing: the same examples in every run, spoiled from something sound, and what holds of each."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings

from clipdepth.errors import ClipdepthError

NASTY = (
    b"\0",
    b"\n",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80" * 10,
    b'"',
    b"{" * 50,
    b"99999999999999999999",
)
STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1e308,
    float("nan"),
    "",
    "../x",
    "a\nb",
    "\x1b[2J",
    "\ud800",
    "x" * 10_000,
    {"x" * 10_000: 1},
    [],
    {},
    {"a\nb": 1},
    [[[[{}]]]],
)


def bounded(examples: int) -> settings:
    """So many examples, the same each time; one that takes five seconds counts as a hang."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=timedelta(seconds=5),
        suppress_health_check=list(HealthCheck),
    )


def spoiled(sound: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a few of them overwritten, cut out, put in or repeated."""
    place = st.integers(0, len(sound))
    new = st.binary(max_size=8) | st.sampled_from(NASTY)
    edits = st.tuples(place, st.integers(0, 8), new) | st.tuples(place, st.just(0), _pieces(sound))
    cut = st.tuples(place, st.just(len(sound)), st.just(b""))
    return st.lists(edits | cut, min_size=1, max_size=5).map(lambda chosen: _edited(sound, chosen))


def _pieces(sound: bytes) -> st.SearchStrategy[bytes]:
    return st.tuples(st.integers(0, len(sound)), st.integers(1, 64)).map(lambda at: sound[at[0] : sum(at)])


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, removed, new in edits:
        data = data[:place] + new + data[place + removed :]
    return data


@cache
def spoiled_json(text: bytes) -> st.SearchStrategy[bytes]:
    """The JSON with a few of its values replaced, keys renamed or members dropped, or spoiled as text."""
    sound = json.loads(text)
    change = st.tuples(st.sampled_from(sorted(_places(sound), key=str)), _values())
    changes = st.lists(change, min_size=1, max_size=3)
    return changes.map(lambda chosen: _changed(sound, chosen)) | spoiled(text)


def _values() -> st.SearchStrategy[Any]:
    return st.sampled_from(("drop", "rename")) | st.sampled_from(STRANGE).map(lambda value: ("put", value))


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*at, key)
        yield from _places(member, (*at, key))


def _changed(sound: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> bytes:
    changed = deepcopy(sound)
    for (*folders, last), change in changes:
        with suppress(AttributeError, IndexError, KeyError, TypeError):  # an earlier change took the place away
            holder = changed
            for folder in folders:
                holder = holder[folder]
            if change == "drop":
                del holder[last]
            elif change == "rename":
                holder[f"{last}\n"] = holder.pop(last)
            else:
                holder[last] = deepcopy(change[1])
    return json.dumps(changed).encode()


@contextmanager
def taken_or_refused(kind: type[ClipdepthError]) -> Iterator[None]:
    """The block ends well or with an error of that `kind` in a line; any other exception is raised further."""
    message = ""
    try:
        yield
    except kind as error:
        message = str(error)
    assert message.isprintable(), repr(message)
    assert len(message) < 2000


@contextmanager
def little_memory(megabytes: int) -> Iterator[None]:
    """In the block the process' memory grows by that much at most, as Linux counts it."""
    status = Path("/proc/self/status")
    if not status.exists():
        yield
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is now what there is
    before = _kilobytes(status, "VmRSS")
    yield
    assert _kilobytes(status, "VmHWM") - before < megabytes * 1024


def _kilobytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
