"""`clipdepth bench BUNDLE`: how fast, and is it still PyTorch's depth?"""

import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.record import encode_record
from clipdepth.cli.arguments import (
    BUNDLE_HELP,
    DEVICE_HELP,
    SIZE_HELP,
    ArgumentParser,
    device_index,
    picture_size,
    positive_int,
)
from clipdepth.cli.json_report import add_json_argument
from clipdepth.cli.json_report import write_report as write_json_report
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.engines import ENGINES, usable_cores
from clipdepth.errors import UsageError
from clipdepth_bench.bench.rounds import Parts, run_bench
from clipdepth_bench.compare.compare import compare_reports, lost_rows
from clipdepth_bench.compare.reference import REFERENCE_HELP, pair_reports, require_time, timed_rows
from clipdepth_bench.contender import Setup
from clipdepth_bench.families.pytorch import EAGER
from clipdepth_bench.measure.timing import Limits
from clipdepth_bench.registry import list_entries
from clipdepth_bench.report import require_plots, write_pages
from clipdepth_bench.report.conditions import parse_condition, parse_share
from clipdepth_bench.report.record import Report, ReportError, read_report
from clipdepth_bench.report.terminal import print_report, wide_console
from clipdepth_bench.roofline import require_packages

PARTS = ("compile", "streaming", "memory")
"""What `--skip` takes."""


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Return 0; 1 where a row's depth differs from PyTorch's, no engine could be loaded or a condition is broken; 130
    where it was interrupted.
    """
    options = parser().parse_args(argv)
    read = [find_folder(options.bundle), options.run, options.fail_if_slower_than]
    refuse_overwriting(read, [options.json, options.out, options.out and options.out / "report.json"])
    if options.out:
        require_plots("clipdepth bench --out")
    if options.roofline:
        require_packages()
    before = _read_before(options)
    setup = Setup(
        open_bundle(options.bundle).of_size(options.size),
        options.run,
        options.threads,
        "compile" not in options.skip,
        options.peers,
        tuple(options.without),
        options.device,
    )
    _check_rows(options, setup)
    limits = Limits(options.seconds, options.rounds, options.per_round)
    parts = Parts("streaming" not in options.skip, "memory" not in options.skip, options.roofline)
    report = run_bench(setup, limits, parts, Console(stderr=True))
    print_report(report, wide_console(beside=options.json))
    if options.json:
        write_json_report(options.json, encode_record(report).decode())
    if options.out:
        write_pages(report, options.out)
    if report.interrupted:
        return 130
    return 1 if _say_broken(options, report, before) or not _is_usable(report) else 0


def _check_rows(options: Namespace, setup: Setup) -> None:
    """Raise UsageError for a row that there cannot be, or cannot be without, before minutes are spent."""
    every = _names(replace(setup, without=()))
    for name in setup.without:
        if name not in every:
            raise UsageError(f"--without '{name}': no row is called so; there are {', '.join(sorted(every))}")
        if name in (EAGER, f"{EAGER} fp32"):
            raise UsageError(f"--without '{name}': all others are compared with it")
    known = _names(setup)
    if options.reference and options.reference not in known:
        raise UsageError(
            f"--reference '{options.reference}': no row is called so; there are {', '.join(sorted(known))}"
        )
    for condition in options.fail_if:
        if condition.row is not None and condition.row not in known:
            raise UsageError(f"--fail-if '{condition.text}': no row is called so; there are {', '.join(sorted(known))}")


def _read_before(options: Namespace) -> Report | None:
    """The report that rows must not be slower than; raises ReportError for one without the reference's time."""
    path = options.fail_if_slower_than
    if path is None:
        if options.reference:
            raise UsageError("--reference is of --fail-if-slower-than; give that too, or neither")
        return None
    before = read_report(path)
    require_time(before, options.reference or before.method.reference, str(path), timed_rows(before))
    return before


def _names(setup: Setup) -> set[str]:
    entries = list_entries(setup)
    return {entry.key for entry in entries} | {entry.name for entry in entries}


def _say_broken(options: Namespace, report: Report, before: Report | None) -> bool:
    """Print a line for each broken condition; return whether there is one."""
    lines = [line for condition in options.fail_if for line in condition.broken(report)]
    if before is not None:
        lines += lost_rows(before, report) + _slower(options, before, report)
    for line in lines:
        sys.stderr.write(f"clipdepth bench: failed: {line}\n")
    return bool(lines)


def _slower(options: Namespace, before: Report, report: Report) -> list[str]:
    """A line for each row that is slower than before beside the reference, or why that cannot be told."""
    path = options.fail_if_slower_than
    try:
        pair = pair_reports(before, report, options.reference, (str(path), "this run"))
    except ReportError as error:
        return [str(error)]
    slower = [change for change in compare_reports(pair) if change.is_slower_by(options.by)]
    return [
        f"beside {pair.reference}, {change.key} takes {change.ratio:.2f} times as long as in {path}"
        for change in slower
    ]


def _is_usable(report: Report) -> bool:
    engines = [row for row in report.rows if row.name in ENGINES and row.status != "absent"]
    return bool(engines) and all(row.status != "failed" for row in report.rows)


def _seconds(text: str) -> float:
    """Read a number of seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"'{text}' is not a number of seconds above 0")
    return value


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth bench",
        "Time a bundle's engines and PyTorch in one run, round by round. 'clipdepth bench compare' sets two reports "
        "side by side, 'bench pareto' accuracy against latency, and 'bench scaling' tells how times grow.",
        "clipdepth bench edge-nyu --out report",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument("--run", metavar="RUN", help="the run or model it was exported from, for PyTorch's weights")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=Limits.seconds,
        metavar="SECONDS",
        help="time at most; ends before when all are sure to 2%%",
    )
    parser.add_argument("--rounds", type=positive_int, metavar="N", help="rounds at most (default: as many as fit)")
    parser.add_argument(
        "--per-round", type=positive_int, metavar="N", help="samples a round of each (default: a quarter second's)"
    )
    parser.add_argument(
        "--threads", type=positive_int, metavar="N", default=usable_cores(), help="threads (default: all cores)"
    )
    parser.add_argument("--size", type=picture_size, metavar="HxW", help=SIZE_HELP)
    parser.add_argument("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    parser.add_argument("--skip", action="append", choices=PARTS, default=[], help="leave a part out; may be repeated")
    parser.add_argument(
        "--without",
        action="extend",
        nargs="+",
        default=[],
        metavar="ROW",
        help="leave rows out: 'tensorrt', 'onnxruntime-rtx int8'; may be repeated",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="time what else people use, in its best form; the first time may take an hour",
    )
    parser.add_argument("--roofline", action="store_true", help="measure the machine's limits and hold engines to them")
    add_json_argument(parser, "the report")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write it there as JSON, Markdown and HTML with plots")
    parser.add_argument(
        "--fail-if",
        action="append",
        type=parse_condition,
        default=[],
        metavar="CONDITION",
        help="exit with 1 where it holds: 'p50 > 20ms' (of the fastest engine), 'openvino int8: fps < 30fps'",
    )
    parser.add_argument("--fail-if-slower-than", type=Path, metavar="REPORT", help="exit with 1 where a row is slower")
    parser.add_argument("--reference", metavar="ROW", help=REFERENCE_HELP)
    parser.add_argument("--by", type=parse_share, default=0.1, metavar="SHARE", help="than so much (default: 10%%)")
    return parser
