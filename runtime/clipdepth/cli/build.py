"""`clipdepth build`: TensorRT engines of a bundle's graphs, built for this device and verified on it."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli.arguments import BUNDLE_HELP, DEVICE_HELP, ArgumentParser, device_index, positive_int
from clipdepth.engines.precisions import Precisions
from clipdepth.engines.tensorrt.bars import ProgressBars
from clipdepth.engines.tensorrt.deploy import Deployment, deploy
from clipdepth.engines.tensorrt.engine import TensorRt
from clipdepth.engines.tensorrt.gpu import Gpu, find_gpu
from clipdepth.engines.tensorrt.library import import_tensorrt
from clipdepth.engines.tensorrt.record import EngineRecord, engine_key
from clipdepth.engines.tensorrt.store import EngineStore


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0. What fails is an error, and what was built before it stays."""
    options = parser().parse_args(argv)
    bundle = open_bundle(options.bundle)
    precisions = _precisions(bundle, options.precision)
    version = import_tensorrt().__version__
    gpu = find_gpu(options.device)
    console = Console()
    console.print(f"{bundle.path} for {gpu}, TensorRT {version}", highlight=False, soft_wrap=True)
    wanted = [(sized, precision) for sized in bundle.sizes for precision in precisions]
    built = [(sized, _build(sized, each, gpu, version, options.workspace_mb, console)) for sized, each in wanted]
    console.print(_table(built))
    for precision in precisions:
        if looser := bundle.manifest.looser_limits(precision):
            console.print(f"{precision} agrees with PyTorch by {looser}", highlight=False, soft_wrap=True)
    for sized, record in built:
        console.print(str(EngineStore(sized).path(record.key)), highlight=False, soft_wrap=True)
    return 0


def _precisions(bundle: Bundle, asked: Sequence[str] | None) -> list[str]:
    graphs = bundle.manifest.precisions
    for precision in asked or ():
        bundle.require(precision)
    return list(dict.fromkeys(asked or [name for name in graphs if name != "fp32"] or graphs))


def _build(
    bundle: Bundle, precision: str, gpu: Gpu, version: str, workspace_mb: int | None, console: Console
) -> EngineRecord:
    key, size = engine_key(bundle, precision, gpu, version), bundle.manifest.input
    named = f"{precision} at {size.height}×{size.width}"
    earlier = EngineStore(bundle).find(key)
    if earlier is not None:
        console.print(f"{named}: built before", highlight=False)
        return earlier
    wanted = Deployment(bundle, key, lambda engine: TensorRt(engine, gpu), workspace_mb, gpu)
    with ProgressBars(console) as bars:
        record = deploy(wanted, bars)
    console.print(f"{named}: built in {record.build_seconds:.0f} s and verified", highlight=False)
    return record


def _table(built: Sequence[tuple[Bundle, EngineRecord]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("precision")
    table.add_column("size")
    table.add_column("convolutions and matrix products")
    for heading in ("MB", "mean", "p99", "largest", "tolerance"):
        table.add_column(heading, justify="right")
    for sized, record in built:
        agreement, input_size = record.verification, sized.manifest.input
        numbers = (agreement.mean, agreement.p99, agreement.largest, agreement.tolerance.mean)
        layers = str(Precisions(record.engine_precisions)) if record.engine_precisions else "not told by TensorRT"
        size = f"{record.stored.size / 1e6:.1f}"
        shape = f"{input_size.height}×{input_size.width}"
        table.add_row(record.key.precision, shape, layers, size, *(f"{number:.2g}" for number in numbers))
    return table


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth build",
        "Build TensorRT engines of a bundle's graphs on this device, verify them on the golden frames and keep them "
        "in the user's cache. An engine that was built before is not built again.",
        "clipdepth build edge-nyu --precision fp16",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add(
        "--precision",
        action="append",
        metavar="P",
        help="build only this graph; may be given more than once (default: all but fp32, or fp32 where it is alone)",
    )
    add("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    add(
        "--workspace-mb",
        type=positive_int,
        metavar="MIB",
        help="the most GPU memory that one layer may use while it runs, in MiB (default: TensorRT's)",
    )
    return parser
