"""Which form of a peer is the fastest of those that answer as its fp32 does."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from hashlib import sha256
from itertools import cycle
from json import dumps
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
from msgspec.structs import replace
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
from clipdepth_bench.measure.duration import by_clock
from clipdepth_bench.measure.timing import Limits, interleave

TOLERANCE = Tolerance(TOLERANCES["int8"].mean)
"""How far any form may be from the peer's own fp32 in PyTorch: as far as our int8 graphs from theirs."""
_LEAST, _SECONDS = 5, 1.5
"""A form's time is at first the least of so many frames, and of as many as fit into that."""
_FINALISTS, _ROUNDS, _FINAL_SECONDS = 4, 30, 20.0
"""So many of the fastest are timed again, in turns, for so many rounds or that long."""


class FormTrial(Record, frozen=True):
    """What came of one form: a time, or the problem."""

    form: str
    milliseconds: float | None = None
    """The least time of a frame, when it was alone; None where it may not be used."""
    difference: float | None = None
    """The mean relative difference to the peer's fp32; None where it did not run."""
    problem: str | None = None
    in_turns: float | None = None
    """The least time in turns with the other fastest ones, so that a busy hour is busy for all; None for the rest."""


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
    new = [form for form in forms if form.name not in known]
    for number, form in enumerate(new, 1):
        tell(f"{form.name} ({number} of {len(new)})")
        known[form.name] = _try(material, form, threads)
        _remember(path, list(known.values()))
    best = [trial.form for trial in fastest([known[form.name] for form in forms])[:_FINALISTS]]
    if len(best) > 1 and all(known[name].in_turns is None for name in best):
        tell("the fastest forms in turns")
        times = _time_in_turns(material, [form for form in forms if form.name in best], threads)
        known.update({name: replace(known[name], in_turns=least) for name, least in times.items()})
        _remember(path, list(known.values()))
    return [known[form.name] for form in forms]


def fastest(trials: Sequence[FormTrial]) -> list[FormTrial]:
    """Those that hold the peer's accuracy, the fastest first; those that were timed in turns before the others."""
    timed = [trial for trial in trials if trial.milliseconds is not None]
    return sorted(timed, key=lambda trial: (trial.in_turns is None, trial.in_turns or trial.milliseconds or 0.0))


def _time_in_turns(material: Material, forms: Sequence[Form], threads: int) -> dict[str, float]:
    """The least time of a frame of each form, milliseconds."""
    with ExitStack() as stack:
        engines = [stack.enter_context(closing(form.open(material, threads).engine)) for form in forms]
        measures = [by_clock(engine.infer) for engine in engines]
        timing = interleave(measures, material.frames, Limits(_FINAL_SECONDS, _ROUNDS, 1))
    if timing.stopped == "interrupted":
        raise KeyboardInterrupt
    return {form.name: 1000 * min(samples.all) for form, samples in zip(forms, timing.samples, strict=True)}


def _try(material: Material, form: Form, threads: int) -> FormTrial:
    try:
        opened = form.open(material, threads)
        with closing(opened.engine):
            infer = opened.engine.infer
            answers = np.concatenate([infer(frame[None]).depth for frame in material.frames])
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
