"""`clipdepth bench pareto BUNDLE… --data DATA --out DIR`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.record import encode_record
from clipdepth.cli.arguments import BUNDLE_HELP, DEVICE_HELP, ArgumentParser, device_index, picture_size, positive_int
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.engines import ENGINES, usable_cores
from clipdepth.errors import MissingExtraError
from clipdepth.files.atomic import atomic_file, make_folder
from clipdepth_bench.measure.timing import Limits
from clipdepth_bench.report import require_plots, write_document
from clipdepth_bench.report.document import Table, text_of

_WIDTH, _DPI = 150, 200

if TYPE_CHECKING:
    from clipdepth_bench.pareto.report import ParetoReport


def main(argv: Sequence[str]) -> int:
    """Run the command: 0; 1 where a row's depth differs from PyTorch's or none was measured; 130 if interrupted."""
    options = parser().parse_args(argv)
    refuse_overwriting([*map(find_folder, options.bundles), options.data], [options.out])
    require_plots("clipdepth bench pareto")
    try:
        from clipdepth_bench.pareto.contest import prepare
        from clipdepth_bench.pareto.run import Contest, run_contest
    except ModuleNotFoundError as error:
        raise MissingExtraError("clipdepth bench pareto", error.name or "PyTorch", "train") from None
    bundles = [open_bundle(named).of_size(options.size) for named in options.bundles]
    examination = prepare(bundles, options.data, options.crop, options.frames)
    make_folder(options.out)
    contest = Contest(bundles, options.engine, options.threads, options.data, examination, options.device)
    limits = Limits(options.seconds, options.rounds, options.per_round)
    report = run_contest(contest, limits, Console(stderr=True))
    _print(report)
    _write(report, options.out)
    if report.interrupted:
        return 130
    return 0 if report.measured and all(point.row.status != "failed" for point in report.points) else 1


def _print(report: "ParetoReport") -> None:
    from clipdepth_bench.pareto.document import points_table

    console = Console(width=max(Console().width, _WIDTH))
    title = (
        f"{report.data}, {report.frames} test frames, {report.environment.cpu}, {report.environment.threads} threads"
    )
    console.print(_rich(points_table(report, short=True), title))
    for note in report.notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    if report.interrupted:
        console.print("interrupted: this is what was measured until then")


def _rich(table: Table, title: str) -> RichTable:
    printed = RichTable(title=escape(title), title_justify="left")
    for index, heading in enumerate(table.heading):
        printed.add_column(heading, justify="right" if index else "left", no_wrap=not index)
    for line in table.lines:
        printed.add_row(*(escape(text_of(cell)) for cell in line.cells))
    return printed


def _write(report: "ParetoReport", folder: Path) -> None:
    """Write pareto.json, .md, .html, .svg and .png."""
    from clipdepth_bench.pareto.document import pareto_document
    from clipdepth_bench.pareto.plot import pareto_plot

    with atomic_file(folder / "pareto.json") as partial:
        partial.write_bytes(encode_record(report))
    write_document(pareto_document(report), folder, "pareto")
    figure = pareto_plot(report)
    if figure:
        with atomic_file(folder / "pareto.png") as partial:
            figure.savefig(partial, dpi=_DPI)


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth bench pareto",
        "Time the engines of several bundles in turn, and measure them.",
        "clipdepth bench pareto edge-nyu my.bundle --data rooms --out pareto",
    )
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument(
        "--data", required=True, metavar="DATA", help="folder of RGB-D pairs, or 'rooms'; its test frames count"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for tables, plots and JSON")
    parser.add_argument("--engine", action="append", choices=tuple(ENGINES), default=[], help="may be repeated (all)")
    parser.add_argument("--size", type=picture_size, metavar="HxW", help="which of each bundle's sizes (the first)")
    parser.add_argument("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    parser.add_argument("--frames", type=positive_int, metavar="N", help="test frames, evenly spread (default: all)")
    parser.add_argument(
        "--crop", choices=("all", "eigen", "paper"), default="all", help="pixels that count, as in 'clipdepth evaluate'"
    )
    parser.add_argument(
        "--seconds", type=positive_int, metavar="SECONDS", default=60, help="time at most for the timing (default: 60)"
    )
    parser.add_argument("--rounds", type=positive_int, metavar="N", help="rounds at most (default: as many as fit)")
    parser.add_argument(
        "--per-round", type=positive_int, metavar="N", help="samples a round of each (default: a quarter second's)"
    )
    parser.add_argument(
        "--threads", type=positive_int, metavar="N", default=usable_cores(), help="threads (default: all cores)"
    )
    return parser
