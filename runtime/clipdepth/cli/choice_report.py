"""The choice of `--engine auto` on a terminal."""

from rich.console import Console

from clipdepth.engines.choice import Choice
from clipdepth.engines.trial import Trial
from clipdepth.files.foreign import shown


def print_choice(choice: Choice, console: Console) -> None:
    """Print what was chosen and, where it was measured just now, a line for every candidate, the fastest first.

    What is not here at all, be it a library or a device, has one line together.
    """
    lines = [] if choice.remembered else [f"  {trial}" for trial in _worth_a_line(choice.trials)]
    absent = list(dict.fromkeys(trial.engine for trial in choice.trials if trial.absent))
    if absent and not choice.remembered:
        lines.append(f"  not here: {', '.join(absent)}; 'clipdepth doctor' tells what each lacks")
    for line in (*lines, str(choice)):
        console.print(shown(line), highlight=False, markup=False, soft_wrap=True)


def _worth_a_line(trials: tuple[Trial, ...]) -> list[Trial]:
    """An engine that fails in the same way with every precision is there once."""
    works = sorted((trial for trial in trials if trial.passed), key=lambda trial: trial.milliseconds or 0)
    fails = {(trial.engine, trial.problem): trial for trial in reversed(trials) if not (trial.passed or trial.absent)}
    return [*works, *reversed(fails.values())]
