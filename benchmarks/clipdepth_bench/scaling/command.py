"""`clipdepth bench scaling BUNDLE --out DIR`: how latency and memory grow."""

from argparse import Namespace
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import PRECISIONS, Precision
from clipdepth.bundle.record import encode_record
from clipdepth.cli.arguments import BUNDLE_HELP, DEVICE_HELP, ArgumentParser, device_index, positive_int
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.engines import AUTO, ENGINES, engines_for, usable_cores
from clipdepth.engines.choice import choose_engine
from clipdepth.errors import MissingExtraError, UsageError
from clipdepth_bench.measure.environment import environment
from clipdepth_bench.report.terminal import wide_console
from clipdepth_bench.scaling.graphs import Graphs
from clipdepth_bench.scaling.points import Plan
from clipdepth_bench.scaling.record import AXES, SCHEMA, Scaling
from clipdepth_bench.scaling.run import Run, run_scaling
from clipdepth_bench.scaling.table import print_scaling

PROG = "clipdepth bench scaling"
_BUILT = "tensorrt"


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, 1 where no point could be measured, 130 where it was interrupted."""
    options = parser().parse_args(argv)
    refuse_overwriting([find_folder(options.bundle)], [options.out])
    if find_spec("matplotlib") is None:
        raise MissingExtraError("plotting", "matplotlib", "bench")
    bundle = open_bundle(options.bundle)
    if bundle.manifest.sam is not None:
        raise UsageError(f"{bundle.path} is of a model with SAM, which has no scaling; give another bundle")
    scaling = run_scaling(_run(bundle, options), Console(stderr=True))

    from clipdepth_bench.scaling.plots import draw_scaling

    console = wide_console()
    print_scaling(scaling, console)
    for path in draw_scaling(scaling, options.out):
        console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    if scaling.interrupted:
        return 130
    return 0 if any(measured.samples for measured in scaling.measured) else 1


def _run(bundle: Bundle, options: Namespace) -> Run:
    precisions: list[Precision] = [name for name in PRECISIONS if name in bundle.manifest.precisions]
    for name in options.precision:
        bundle.require(name)
    chosen = [name for name in precisions if not options.precision or name in options.precision]
    engine = options.engine
    if engine == AUTO:
        engine = choose_engine(bundle, chosen, options.threads, device=options.device).engine
    if engine not in engines_for(options.device):
        raise UsageError(f"--device {options.device}: engine '{engine}' is not for GPUs; leave one of them out")
    axes = options.axis or AXES
    if engine == _BUILT and {"size", "batch"} & set(axes):
        raise UsageError(
            "TensorRT's engines are built for the bundle's own graphs; "
            "give --axis threads --axis cameras, or another --engine"
        )
    if not bundle.manifest.model.recipe and {"size", "batch"} & set(axes):
        raise UsageError(
            f"{bundle.path} was not trained by clipdepth, which cannot build it at other sizes; "
            "give --axis threads --axis cameras"
        )
    start = Scaling(
        schema=SCHEMA,
        bundle=bundle.name,
        bundle_sha256=sha256(encode_record(bundle.manifest)).hexdigest(),
        engine=engine,
        seconds=options.seconds,
        camera_fps=options.camera_fps,
        environment=environment(options.threads),
        interrupted=False,
        measured=[],
        device=options.device,
    )
    plan = Plan(bundle.manifest.input, chosen, options.threads, axes)
    graphs = Graphs(bundle, chosen, options.out / "bundles")
    return Run(start, plan.points(), options.rounds, graphs, options.out)


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        PROG,
        "Measure how latency and memory grow with size, batch, threads and cameras.",
        "clipdepth bench scaling edge-nyu --axis threads --out scaling",
    )
    parser.add_argument("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="for results; it may hold earlier ones")
    parser.add_argument("--engine", choices=[AUTO, *ENGINES], default=AUTO, help="default: the fastest here")
    parser.add_argument("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    parser.add_argument("--precision", action="append", choices=PRECISIONS, default=[], help="default: the bundle's")
    parser.add_argument("--axis", action="append", choices=AXES, default=[], help="default: all; may be repeated")
    parser.add_argument(
        "--rounds", type=positive_int, metavar="N", default=3, help="samples of each point (default: 3)"
    )
    parser.add_argument(
        "--seconds", type=positive_int, metavar="SECONDS", default=2, help="of each sample (default: 2)"
    )
    parser.add_argument("--camera-fps", type=positive_int, metavar="N", default=30, help="of each camera (default: 30)")
    parser.add_argument(
        "--threads", type=positive_int, metavar="N", default=usable_cores(), help="threads (default: all cores)"
    )
    return parser
