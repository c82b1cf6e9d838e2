"""`clipdepth reproduce TABLE`: train what is missing, and set measured figures beside the published ones."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from rich.console import Console
from rich.table import Table

from clipdepth.arguments import ArgumentParser, picture_size, positive_int
from clipdepth.errors import UsageError
from clipdepth_train.commands.sam_arguments import add_sam_arguments, sam_config
from clipdepth_train.data.segments import segment_folder, segments_name
from clipdepth_train.picture_grid import save_picture
from clipdepth_train.reproduce.figure7 import best_run, figure7
from clipdepth_train.reproduce.plan import (
    PlannedRun,
    Reduction,
    measure_cost,
    needs_sam,
    plan,
    planned_recipe,
)
from clipdepth_train.reproduce.published import TABLES
from clipdepth_train.reproduce.table import MeasuredTable
from clipdepth_train.trainer import METRICS, Trainer

FIGURE7 = "figure7"


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth reproduce --help`."""
    arguments = _parser().parse_args(argv)
    processes = Accelerator(mixed_precision=arguments.mixed_precision or "no")
    console = Console(stderr=True, quiet=not processes.is_main_process)
    reduction = _reduction(arguments)
    # The others find what the first one painted.
    with processes.main_process_first():
        segments = _segments(arguments, console)
    if arguments.table == FIGURE7:
        _draw_figure7(arguments, reduction, segments, console)
        return 0
    runs = plan(arguments.table, arguments.data, arguments.out, reduction, segments)
    if arguments.dry_run:
        _print_plan(runs)
        return 0
    table = MeasuredTable(arguments.table, arguments.out, f"clipdepth reproduce {shlex.join(argv)}", segments)
    for run in runs:
        report = _train(run, console)
        if processes.is_main_process:
            table.add(run, report)
    if processes.is_main_process:
        Console().print(f"{arguments.out / arguments.table}.md, .json", markup=False, soft_wrap=True)
    processes.end_training()
    return 0


def _train(run: PlannedRun, console: Console) -> dict[str, Any]:
    console.rule(f"[bold]{run.name}")
    return Trainer(run.recipe, run.out, console).run()


def _draw_figure7(arguments: argparse.Namespace, reduction: Reduction, segments: str, console: Console) -> None:
    out, name = arguments.out, "depthclip"
    best = best_run(out / "runs")
    run = PlannedRun(name, planned_recipe(name, arguments.data, out, reduction, segments), out / "runs" / name)
    _train(run, console)
    if not console.quiet:
        save_picture(out / f"{FIGURE7}.png", figure7(run.out, best, segments))
        Console().print(f"{out / FIGURE7}.png", markup=False, soft_wrap=True)


def _print_plan(runs: Sequence[PlannedRun]) -> None:
    table = Table("run", "input")
    for heading in ("parameters", "GFLOP", "steps", "s a step", "hours"):
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
            f"{cost.parameters:,}",
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


def _segments(arguments: argparse.Namespace, console: Console) -> str:
    """The name of SAM's segmentation of the data, made where it is missing; empty without SAM's weights."""
    config = sam_config(arguments)
    table = TABLES.get(arguments.table, ())
    wanted = arguments.table == FIGURE7 or any(row.recipe and needs_sam(row.recipe) for row in table)
    if config is None or not wanted:
        return ""
    if arguments.data == "rooms":
        raise UsageError(
            "'rooms' has no segmentation; write them with 'clipdepth data render rooms' and give that folder"
        )
    if arguments.dry_run:
        return segments_name(config)
    return segment_folder(Path(arguments.data), config, console)[0]


def _reduction(arguments: argparse.Namespace) -> Reduction:
    return Reduction(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        size=arguments.size,
        clip=arguments.clip,
        clip_weights=arguments.clip_weights,
        mixed_precision=arguments.mixed_precision,
        workers=arguments.workers,
    )


def _parser() -> ArgumentParser:
    about = "Measure a table of the paper, or draw its figure 7; the same command continues where it was interrupted."
    parser = ArgumentParser("clipdepth reproduce", about)
    parser.add_argument("table", choices=(*TABLES, FIGURE7))
    parser.add_argument(
        "--data", required=True, help="folder of RGB-D pairs, such as NYU Depth v2 prepared, or 'rooms'"
    )
    parser.add_argument("--out", type=Path, default=Path("reproduce"), metavar="DIR", help="folder for runs and tables")
    parser.add_argument("--dry-run", action="store_true", help="list the runs with their size, cost and time")
    less = parser.add_argument_group("less than the paper", "what is not given stays as in the paper")
    less.add_argument("--epochs", type=positive_int, metavar="N", help="of each run")
    less.add_argument("--batch-size", type=positive_int, metavar="N", help="of each run")
    less.add_argument(
        "--size", type=picture_size, metavar="HxW", help="input, of the whole picture in place of the paper's crop"
    )
    less.add_argument("--clip", metavar="NAME", help="another CLIP of open_clip's list, or RN-mini")
    less.add_argument("--clip-weights", metavar="TAG|PATH|none", help="weights of the CLIP")
    less.add_argument("--mixed-precision", choices=("no", "bf16", "fp16"))
    less.add_argument("--workers", type=positive_int, metavar="N", help="processes that load data")
    add_sam_arguments(parser.add_argument_group("SAM", "without weights, or --sam mini, rows with SAM are left out"))
    return parser
