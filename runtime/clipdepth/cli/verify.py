"""`clipdepth verify`: does a bundle's depth, on this machine, agree with PyTorch's?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli.arguments import BUNDLE_HELP, DEVICE_HELP, ArgumentParser, device_index
from clipdepth.cli.json_report import add_json_argument, console_beside, write_report
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.engines import ENGINES
from clipdepth.engines.precisions import Precisions, some, titled
from clipdepth.errors import EngineError
from clipdepth.files.foreign import shown
from clipdepth.model import DepthModel, load


@dataclass(frozen=True)
class Verdict:
    """How one graph did on one engine."""

    precision: str
    engine: str
    device: str
    """What the engine really ran on."""
    agreement: Agreement
    looser_limits: str | None
    """What the depth was held to, where that is less than clipdepth asks for."""
    executed: Precisions | None
    """What its arithmetic really ran in; None where that cannot be read."""
    size: tuple[int, int]
    """Height and width of the graph's input."""


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 1 when a graph does not agree."""
    options = parser().parse_args(argv)
    refuse_overwriting([find_folder(options.bundle)], [options.json])
    bundle = open_bundle(options.bundle)
    precisions = options.precision or bundle.manifest.precisions
    for precision in precisions:
        bundle.require(precision)
    verdicts = [
        _verify(sized, options.engine, precision, options.device) for sized in bundle.sizes for precision in precisions
    ]
    console = console_beside(options.json)
    console.print(_table(verdicts))
    frames = verdicts[0].agreement.frames
    each = " of the first size" if len(bundle.manifest.inputs) > 1 else ""
    note = (
        f"relative difference from PyTorch's depth on {frames} golden frames{each}; the limit is on the mean; "
        "Δδ1 is the change against the measured depth, in points"
    )
    console.print(note, highlight=False, soft_wrap=True)
    for verdict in verdicts:
        if verdict.agreement.confidence_change is not None:
            console.print(_confidence(verdict), highlight=False, markup=False, soft_wrap=True)
    for verdict in verdicts[: len(precisions)]:  # a graph's kernels are the same at any size
        console.print(_ran(verdict), highlight=False, markup=False, soft_wrap=True)
    for looser in dict.fromkeys(verdict.looser_limits for verdict in verdicts if verdict.looser_limits):
        console.print(f"[yellow]{looser}[/yellow]", highlight=False, soft_wrap=True)
    passed = all(verdict.agreement.passed for verdict in verdicts)
    if options.json:
        write_report(options.json, _as_json(bundle.as_named(options.bundle), verdicts, passed))
    return 0 if passed else 1


def _verify(bundle: Bundle, engine: str, precision: str, device: int | None) -> Verdict:
    with load(bundle, engine=engine, precision=precision, device=device) as model:
        ran = model.engine
        looser, size = bundle.manifest.looser_limits(precision), bundle.manifest.input
        executed, shape = _executed(model), (size.height, size.width)
        return Verdict(precision, ran.name, ran.device, model.verify(), looser, executed, shape)


def _executed(model: DepthModel) -> Precisions | None:
    """Its depth is verified all the same where this cannot be read."""
    try:
        return model.executed()
    except EngineError:
        return None


def _as_json(bundle: str, verdicts: Sequence[Verdict], passed: bool) -> dict[str, Any]:
    graphs = [{**asdict(verdict), "passed": verdict.agreement.passed} for verdict in verdicts]
    return {"bundle": bundle, "passed": passed, "graphs": graphs}


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    several = len({verdict.size for verdict in verdicts}) > 1
    for heading in ("graph", *(["size"] if several else []), "engine", "device"):
        table.add_column(heading)
    for heading in ("mean", "p99", "largest", "limit", "Δδ1"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for verdict in verdicts:
        title = titled(verdict.precision, verdict.precision, verdict.executed)
        size = ["×".join(map(str, verdict.size))] if several else []
        table.add_row(title, *size, verdict.engine, verdict.device, *_numbers(verdict.agreement), _word(verdict))
    return table


def _ran(verdict: Verdict) -> str:
    """What the engine ran, and which layers not as the graph has them."""
    what, found = f"{verdict.precision} on {verdict.engine}", verdict.executed
    if found is None or not found.layers:
        return f"{what}: it tells of no convolution or matrix product"
    strayed = f"; quantised, and not run in int8: {shown(some(found.strayed))}" if found.strayed else ""
    return f"{what}: arithmetic {found}{strayed}"


def _confidence(verdict: Verdict) -> str:
    """How far its confidence and novelty are from PyTorch's, each held to a limit of its own."""
    found, size = verdict.agreement, "×".join(map(str, verdict.size))
    changes = [("confidence", found.confidence_change, found.tolerance.confidence)]
    changes.append(("novelty", found.novelty_change, found.tolerance.novelty))
    told = [
        f"{name} differs by {change:.2g} on average (limit {'none' if limit is None else f'{limit:g}'})"
        for name, change, limit in changes
        if change is not None
    ]
    return f"{verdict.precision} on {verdict.engine} at {size}: {', '.join(told)}"


def _numbers(agreement: Agreement) -> list[str]:
    tolerance = f"{agreement.tolerance.mean:.2g}"
    if not agreement.finite:
        return ["-", "-", "-", tolerance, "-"]
    found = [f"{value:.2g}" for value in (agreement.mean, agreement.p99, agreement.largest)]
    delta1 = "-" if agreement.delta1_change is None else f"{100 * agreement.delta1_change:+.2f}"
    return [*found, tolerance, delta1]


def _word(verdict: Verdict) -> str:
    if not verdict.agreement.passed:
        return "[red]differs[/red]" if verdict.agreement.finite else "[red]NaN or infinite[/red]"
    return "[yellow]agrees, looser[/yellow]" if verdict.looser_limits else "[green]agrees[/green]"


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth verify",
        "Check a bundle's files, run its golden frames and compare the depth with PyTorch's.",
        "clipdepth verify edge-nyu --engine openvino",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add("--engine", default="onnxruntime", metavar="NAME", help=f"one of {', '.join(ENGINES)} (default: %(default)s)")
    add("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    add(
        "--precision",
        action="append",
        metavar="P",
        help="check only this graph; may be given more than once (default: all)",
    )
    add_json_argument(parser, "the verdicts")
    return parser
