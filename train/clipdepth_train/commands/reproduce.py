"""`clipdepth reproduce TABLE`: train what is missing, and set measured figures beside the published ones."""

import argparse
import shlex
from collections.abc import Sequence, Set
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object
from rich.console import Console

from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import UsageError, WeightsError
from clipdepth.sinks.picture_grid import save_picture
from clipdepth_train.commands.plan_table import print_plan
from clipdepth_train.commands.reproduce_options import FIGURE7, parser
from clipdepth_train.commands.sam_arguments import sam_config
from clipdepth_train.data.segments import segment_folder, segments_name
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.reproduce.figure7 import best_run, figure7
from clipdepth_train.reproduce.missing import Missing, require_files, unavailable
from clipdepth_train.reproduce.plan import (
    PlannedRun,
    Reduction,
    needed,
    needs_sam,
    plan,
    planned_recipe,
)
from clipdepth_train.reproduce.table import MeasuredTable
from clipdepth_train.trainer import Trainer

NOT_ASKED = "left out by --only"


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth reproduce --help`."""
    arguments = parser().parse_args(argv)
    if arguments.table == FIGURE7 and arguments.only:
        raise UsageError("--only chooses rows of a table; figure7 has none")
    refuse_overwriting([arguments.data], [arguments.out])
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
    wanted = set(needed(arguments.table, arguments.only))
    require_files(run for run in runs if run.name in wanted)
    if arguments.dry_run:
        print_plan([run for run in runs if run.name in wanted])
        return 0
    table = MeasuredTable(arguments.table, arguments.out, f"clipdepth reproduce {shlex.join(argv)}", segments)
    _measure(runs, wanted, table, processes, console)
    if processes.is_main_process:
        Console().print(f"{arguments.out / arguments.table}.md, .json", markup=False, soft_wrap=True)
    processes.end_training()
    return 0


def _measure(
    runs: Sequence[PlannedRun], wanted: Set[str], table: MeasuredTable, processes: Accelerator, console: Console
) -> None:
    """Make the wanted runs that can be made; raises WeightsError where there is none."""
    missing, reasons = Missing(partial(_unavailable, processes, console)), list[str]()
    for run in runs:
        if run.name not in wanted:
            reason, report = NOT_ASKED, run.finished_report()
        elif reason := missing.reason(run):
            console.print(f"{run.name}: left out, {reason}", markup=False, highlight=False, soft_wrap=True)
            reasons, report = [*reasons, reason], None
        else:
            report = _train(run, console)
        if processes.is_main_process and report is not None:
            table.add(run, report)
        elif processes.is_main_process:
            table.leave_out(run.name, reason)
    if len(reasons) == len(wanted):
        raise WeightsError(f"no row of {table.table} could be measured; {reasons[0]}")


def _unavailable(processes: Accelerator, console: Console, clip: PretrainedConfig) -> str:
    """Why a CLIP's weights cannot be downloaded, one answer for all processes; empty where they can."""
    with console.status(f"looking for the weights '{clip.weights}' of {clip.name}"), processes.main_process_first():
        reason = unavailable(clip)
    return next(filter(None, gather_object([reason])), "")


def _train(run: PlannedRun, console: Console) -> dict[str, Any]:
    console.rule(f"[bold]{run.name}")
    return Trainer(run.recipe, run.out, console).run()


def _draw_figure7(arguments: argparse.Namespace, reduction: Reduction, segments: str, console: Console) -> None:
    out, name = arguments.out, "depthclip"
    best = best_run(out / "runs")
    run = PlannedRun(name, planned_recipe(name, arguments.data, out, reduction, segments), out / "runs" / name)
    require_files([run])
    if reason := Missing(unavailable).reason(run):
        raise WeightsError(reason)
    _train(run, console)
    if not console.quiet:
        save_picture(out / f"{FIGURE7}.png", figure7(run.out, best, segments))
        Console().print(f"{out / FIGURE7}.png", markup=False, soft_wrap=True)


def _segments(arguments: argparse.Namespace, console: Console) -> str:
    """The name of SAM's segmentation of the data, made where it is missing; empty without SAM's weights."""
    config = sam_config(arguments)
    if config is None:
        return ""
    wanted = arguments.table == FIGURE7 or any(map(needs_sam, needed(arguments.table, arguments.only)))
    if wanted and arguments.data == "rooms":
        raise UsageError(
            "'rooms' has no segmentation; write them with 'clipdepth data render rooms' and give that folder"
        )
    if arguments.dry_run or not wanted:
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
