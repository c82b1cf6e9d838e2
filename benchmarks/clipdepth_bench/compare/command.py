"""`clipdepth bench compare BEFORE.json AFTER.json`: what changed."""

from collections.abc import Sequence
from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser
from clipdepth_bench.compare.compare import print_comparison
from clipdepth_bench.compare.reference import REFERENCE_HELP, pair_reports
from clipdepth_bench.report.record import read_report
from clipdepth_bench.report.terminal import wide_console


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0. Raises ReportError for reports without a reference that both have."""
    options = parser().parse_args(argv)
    before, after = read_report(options.before), read_report(options.after)
    pair = pair_reports(before, after, options.reference, (str(options.before), str(options.after)))
    print_comparison(pair, wide_console())
    return 0


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth bench compare",
        "Compare two reports of 'clipdepth bench --json'.",
        "clipdepth bench compare before.json after.json",
    )
    parser.add_argument("before", type=Path, metavar="BEFORE.json", help="the earlier report")
    parser.add_argument("after", type=Path, metavar="AFTER.json", help="the later report")
    parser.add_argument("--reference", metavar="ROW", help=REFERENCE_HELP)
    return parser
