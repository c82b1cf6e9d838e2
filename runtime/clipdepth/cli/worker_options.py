"""The options by which a command is told what Ray's workers may have."""

import argparse
from dataclasses import dataclass

from clipdepth.cli.arguments import float_from_0, positive_float, positive_int

CPUS = 1.0
"""Of each worker, where nobody says."""


@dataclass(frozen=True)
class WorkerOptions:
    """What a command was told of workers; `add_worker_arguments` says what each is."""

    workers: int | None
    cpus: float | None
    gpus: float | None


def add_worker_arguments(parser: argparse.ArgumentParser, workers: str, prefix: str = "") -> None:
    """Add --workers, --cpus and --gpus; `workers` is the help of the first, and helps begin with `prefix`."""
    add = parser.add_argument
    add("--workers", type=positive_int, metavar="N", help=f"{prefix}{workers}")
    add(
        "--cpus",
        type=positive_float,
        metavar="N",
        help=f"{prefix}CPUs of each worker, and its engine's threads (default: {CPUS:g})",
    )
    add(
        "--gpus",
        type=float_from_0,
        metavar="F",
        help=f"{prefix}GPUs of each worker, such as 0.25 (default: 1 where there are any)",
    )
