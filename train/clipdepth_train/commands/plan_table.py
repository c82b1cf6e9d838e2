"""The runs of a reproduction before they are made, as a table for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.reproduce.missing import Missing
from clipdepth_train.reproduce.plan import PlannedRun, measure_cost
from clipdepth_train.trainer import METRICS


def print_plan(runs: Sequence[PlannedRun]) -> None:
    """Print the size, cost and time of each run, and what keeps it from being made or may do so."""
    missing, doubtful = Missing(lambda clip: ""), Missing(_from_the_hub)
    left_out = {run.name: reason for run in runs if (reason := missing.reason(run))}
    _print_costs([run for run in runs if run.name not in left_out])
    console = Console()
    for run in runs:
        told = f"left out, {left_out[run.name]}" if run.name in left_out else doubtful.reason(run)
        if told:
            console.print(f"{run.name}: {told}", markup=False, highlight=False, soft_wrap=True)


def _from_the_hub(clip: PretrainedConfig) -> str:
    # Whether they can be downloaded only a download tells, and that is left to the real run.
    return f"needs the weights '{clip.weights}' of {clip.name} from their hub, or --clip-weights PATH"


def _print_costs(runs: Sequence[PlannedRun]) -> None:
    table = Table("run", "input")
    for heading in ("weights", "GFLOP", "steps", "s a step", "hours"):
        table.add_column(heading, justify="right")
    hours = 0.0
    for run in runs:
        with Console(stderr=True).status(f"timing {run.name}"):
            cost = measure_cost(run.recipe)
        trained = (run.out / METRICS).is_file()
        hours += 0 if trained else cost.hours
        table.add_row(
            run.name,
            f"{run.recipe.frames.height}×{run.recipe.frames.width}",
            f"{cost.parameters / 1e6:.1f} M",
            f"{cost.flops / 1e9:.1f}",
            f"{cost.steps:,}",
            f"{cost.seconds_a_step:.2f}",
            "trained" if trained else f"{cost.hours:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(
        f"{len(runs)} runs, {hours:.2f} hours of training steps to go on this machine; evaluation comes on top"
    )
