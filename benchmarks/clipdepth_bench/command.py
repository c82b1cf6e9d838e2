"""`clipdepth bench BUNDLE`: how fast, and is it still PyTorch's depth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from clipdepth.arguments import ArgumentParser, positive_int
from clipdepth.atomic import write_json
from clipdepth.bundle import open_bundle
from clipdepth.engines import usable_cores
from clipdepth_bench.contender import Contender, contenders, present
from clipdepth_bench.environment import environment
from clipdepth_bench.report import as_json, as_table, make_rows
from clipdepth_bench.timing import Samples, interleave


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 1 where a row's depth differs from PyTorch's or no engine could be loaded."""
    options = _parser().parse_args(argv)
    bundle = open_bundle(options.bundle)
    # Before the timing, so that the load is that of others.
    machine = environment(options.threads)
    rows = contenders(bundle, options.run, options.threads)
    samples = _time(rows, bundle.golden().frames, options.rounds, options.per_round)
    report = make_rows(rows, samples, rows[0].key)
    size = bundle.manifest.input
    title = f"{options.bundle.name}, {size.height}×{size.width}, {machine['cpu']}, {options.threads} threads"
    # Wide enough that no row is broken, also where the output is no terminal.
    Console(width=max(Console().width, 150)).print(as_table(report, title))
    if options.json:
        hashes = {name: bundle.manifest.files[graph.file].sha256 for name, graph in bundle.manifest.graphs.items()}
        write_json(options.json, as_json(report, options.bundle.name, hashes, machine))
    engines = [row for row in rows[1:] if row.infer is not None]
    return 1 if not engines or any(row.failed for row in rows) else 0


def _time(rows: Sequence[Contender], frames: NDArray[np.uint8], rounds: int, per_round: int) -> dict[str, Samples]:
    timed = present(rows)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("timing", total=rounds + 1)
        infers = [infer for _, infer in timed]
        samples = interleave(infers, frames, rounds, per_round, lambda: progress.advance(task))
    return {row.key: kept for (row, _), kept in zip(timed, samples, strict=True)}


def _parser() -> ArgumentParser:
    parser = ArgumentParser("clipdepth bench", "Time a bundle's engines and PyTorch in one run, round by round.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("--run", type=Path, metavar="RUN", help="the run it was exported from, for PyTorch's weights")
    parser.add_argument("--rounds", type=positive_int, default=20, help="rounds (default: 20)")
    parser.add_argument("--per-round", type=positive_int, default=5, help="samples a round of each (default: 5)")
    parser.add_argument("--threads", type=positive_int, default=usable_cores(), help="threads (default: all cores)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there")
    return parser
