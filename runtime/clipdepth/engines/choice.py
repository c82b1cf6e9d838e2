"""`--engine auto`: the fastest engine and graph that work here, found once and remembered for this device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clipdepth.bundle.folder import Bundle
from clipdepth.engines import Engine, engines_for, load_engine, usable_cores
from clipdepth.engines.trial import Trial
from clipdepth.engines.trial_cache import forget, recall, remember, situation
from clipdepth.engines.trial_process import try_apart
from clipdepth.errors import ClipdepthError, EngineError


@dataclass(frozen=True)
class Choice:
    """The engine and graph that were chosen, and all that were tried."""

    engine: str
    precision: str
    trials: tuple[Trial, ...]
    remembered: bool = False
    """Whether it was measured at an earlier start."""

    def __str__(self) -> str:
        works = [trial for trial in self.trials if trial.passed]
        chosen = min(works, key=_time)
        when = ", as measured before" if self.remembered else ""
        tried = sum(not trial.absent for trial in self.trials)
        return f"{chosen}, the fastest of {len(works)} that work here ({tried} tried){when}"


def choose_engine(
    bundle: Bundle,
    precisions: Sequence[str] = (),
    threads: int | None = None,
    device: int | None = None,
) -> Choice:
    """Choose the fastest of all engines and `precisions` (the bundle's) that load and agree with PyTorch.

    All are timed with the graphs of the bundle's first size, and the fastest has to agree at its other sizes too.

    Each engine is tried in a process of its own; one that ends it or hangs has failed. The choice is remembered until
    the bundle, its built engines, a library, the hardware or the threads change. With a `device`, a GPU's number, only
    engines on GPUs are tried, on that one. Raises UsageError for a precision the bundle does not have, EngineError
    where nothing works.
    """
    for precision in precisions:
        bundle.require(precision)
    among = list(dict.fromkeys(precisions or bundle.manifest.precisions))
    now = situation(bundle, among, threads or usable_cores(), device)
    trials = recall(bundle, now)
    if trials:
        return replace(_fastest(bundle, trials, device), remembered=True)
    trials = [trial for name in engines_for(device) for trial in try_apart(bundle, name, among, threads, device)]
    while True:
        choice = _fastest(bundle, trials, device)
        problem = _problem_at_other_sizes(bundle, choice, threads, device)
        if problem is None:
            remember(bundle, now, trials)
            return choice
        trials = [_failed(trial, problem) if _is_chosen(trial, choice) else trial for trial in trials]


def _problem_at_other_sizes(bundle: Bundle, choice: Choice, threads: int | None, device: int | None) -> str | None:
    """Why what is fastest with the first size's graph may not be used with another one's; None where it may."""
    for sized in bundle.sizes[1:]:
        size = sized.manifest.input
        for trial in try_apart(sized, choice.engine, [choice.precision], threads, device):
            if not trial.passed:
                return f"at {size.height}×{size.width}: {trial.problem}"
    return None


def _is_chosen(trial: Trial, choice: Choice) -> bool:
    return (trial.engine, trial.precision) == (choice.engine, choice.precision)


def _failed(trial: Trial, problem: str) -> Trial:
    return replace(trial, milliseconds=None, problem=problem)


def load_fastest(
    bundle: Bundle,
    precisions: Sequence[str] = (),
    threads: int | None = None,
    device: int | None = None,
) -> tuple[Engine, Choice]:
    """Choose as `choose_engine` and load; a remembered choice that does not load any more is made again."""
    choice = choose_engine(bundle, precisions, threads, device)
    try:
        return load_engine(bundle, choice.engine, choice.precision, threads, device), choice
    except ClipdepthError:
        if not choice.remembered:
            raise
    forget(bundle)
    choice = choose_engine(bundle, precisions, threads, device)
    return load_engine(bundle, choice.engine, choice.precision, threads, device), choice


def _fastest(bundle: Bundle, trials: Sequence[Trial], device: int | None) -> Choice:
    works = [trial for trial in trials if trial.passed]
    if not works:
        where, option = ("", "") if device is None else (f" on device {device}", f" --device {device}")
        raise EngineError(
            f"no engine runs {bundle.path}{where}; 'clipdepth doctor {bundle.path}{option}' tells why, and what to "
            "install"
        )
    best = min(works, key=_time)
    return Choice(best.engine, best.precision, tuple(trials))


def _time(trial: Trial) -> float:
    assert trial.milliseconds is not None
    return trial.milliseconds
