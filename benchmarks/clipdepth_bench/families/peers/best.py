"""Which form of a peer is the fastest of those that answer as its fp32 does."""

from collections.abc import Callable, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import cycle
from json import dumps
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.agreement import TOLERANCES, Tolerance, compare_depth
from clipdepth.bundle.cache import read_own
from clipdepth.bundle.record import Record
from clipdepth.engines import Infer
from clipdepth.engines.hardware import describe_hardware
from clipdepth.engines.trial_cache import library_versions
from clipdepth.files.atomic import atomic_file
from clipdepth_bench.contender import first_line
from clipdepth_bench.families.peers.form import Form
from clipdepth_bench.families.peers.material import Material

TOLERANCE = Tolerance(TOLERANCES["int8"].mean)
"""How far any form may be from the peer's own fp32 in PyTorch: as far as our int8 graphs from theirs."""
_LEAST, _SECONDS = 5, 1.5
"""A form's time is the least of so many frames, and of as many as fit into that."""


class FormTrial(Record, frozen=True):
    """What came of one form: a time, or the problem."""

    form: str
    milliseconds: float | None = None
    """The least time of a frame; None where it may not be used."""
    difference: float | None = None
    """The mean relative difference to the peer's fp32; None where it did not run."""
    problem: str | None = None


class _Cached(Record, frozen=True):
    trials: list[FormTrial]


def try_forms(
    material: Material, forms: Sequence[Form], threads: int, tell: Callable[[str], None] = lambda text: None
) -> list[FormTrial]:
    """A trial of each form; those of an earlier call with the same machine and versions, where there are any.

    `tell` hears which form is being made. What an interrupted call made stays.
    """
    path = _path(material, threads)
    known = {trial.form: trial for trial in _recall(path)}
    for number, form in enumerate(forms, 1):
        if form.name not in known:
            tell(f"{form.name} ({number} of {len(forms)})")
            known[form.name] = _try(material, form, threads)
            _remember(path, list(known.values()))
    return [known[form.name] for form in forms]


def fastest(trials: Sequence[FormTrial]) -> list[FormTrial]:
    """Those that hold the peer's accuracy, the fastest first."""
    timed = [(trial.milliseconds, trial) for trial in trials if trial.milliseconds is not None]
    return [trial for _, trial in sorted(timed, key=lambda pair: pair[0])]


def _try(material: Material, form: Form, threads: int) -> FormTrial:
    try:
        opened = form.open(material, threads)
        with closing(opened.engine):
            infer = opened.engine.infer
            answers = np.concatenate([infer(frame[None]) for frame in material.frames])
            agreement = compare_depth(answers, material.reference, TOLERANCE, kind=material.peer.kind)
            if not agreement.finite:
                return FormTrial(form.name, problem="its answer is not finite")
            if not agreement.passed:
                return FormTrial(form.name, None, agreement.mean, f"{100 * agreement.mean:.2g}% from its fp32")
            return FormTrial(form.name, _least_time(infer, material.frames), agreement.mean)
    except ModuleNotFoundError as error:
        return FormTrial(form.name, problem=f"no {error.name}")
    except Exception as error:  # another project's, at whatever version is installed
        return FormTrial(form.name, problem=first_line(error))


def _least_time(infer: Infer, frames: NDArray[np.uint8]) -> float:
    """Milliseconds: the least, since what else runs here only ever adds to it."""
    times: list[float] = []
    for frame in cycle(frames):
        start = perf_counter()
        infer(frame[None])
        times.append((perf_counter() - start) * 1000)
        if len(times) >= _LEAST and sum(times) > _SECONDS * 1000:
            return min(times)
    raise AssertionError("there are frames")


def _path(material: Material, threads: int) -> Path:
    now = {"threads": threads, "libraries": library_versions(), "hardware": describe_hardware()}
    return material.folder / f"trials-{sha256(dumps(now, sort_keys=True).encode()).hexdigest()[:16]}.json"


def _recall(path: Path) -> list[FormTrial]:
    try:
        return msgspec.json.decode(read_own(path) or b"", type=_Cached).trials
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _remember(path: Path, trials: list[FormTrial]) -> None:
    with atomic_file(path) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(_Cached(trials)), indent=2))
