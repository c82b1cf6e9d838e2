"""`clipdepth export MODEL`: from a trained run, or another depth model, to a verified bundle."""

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table

from clipdepth.bundle.agreement import MOST_LOOSENED, TOLERANCES, Tolerance, largest_mean
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import MANIFEST, PRECISIONS, InputSize, Manifest, Precision
from clipdepth.cli.arguments import ArgumentParser, picture_size, positive_float, positive_int
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.cli.progress import LongProgress
from clipdepth.files.foreign import shown
from clipdepth_export.exporter import ExportConfig, Exported, require_free, write_bundle
from clipdepth_export.measured import read_accuracy
from clipdepth_export.reference import Item
from clipdepth_export.sources.asked import UNKNOWN, Asked
from clipdepth_export.sources.named import PREFIXES, named_source
from clipdepth_train.imported.told import Told


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 1 where a precision was refused."""
    options = _parser().parse_args(argv)
    out = options.out or _default_out(options.model)
    local = [] if options.model.startswith(PREFIXES) else [Path(options.model)]
    refuse_overwriting([*local, options.frames, options.data, options.sam_weights, *options.accuracy], [], [out])
    require_free(out)
    size = InputSize(*options.size[0]) if options.size else None
    config = ExportConfig(
        precisions=list(dict.fromkeys(options.precision)),
        max_batch=options.max_batch,
        tolerances=dict(options.tolerance),
        other_sizes=options.size[1:] if options.size else None,
        weights=options.weights,
        description=" ".join(options.description.split()),
    )
    told = Told(size, options.kind, options.max_depth, options.licence)
    asked = Asked(options.frames, options.data, told, options.focal)
    accuracy = [read_accuracy(path, Path(options.model).name) for path in options.accuracy]
    source = named_source(options.model, asked, options.sam_weights, accuracy)
    console = Console(stderr=True)
    with LongProgress(console=console, transient=True) as progress:
        exported = write_bundle(source, out, config, _Bars(progress))
    _print(exported, out)
    return 1 if exported.refused else 0


class _Bars:
    """A bar for whatever takes long."""

    def __init__(self, progress: LongProgress) -> None:
        self._progress = progress

    def __call__(self, items: Sequence[Item], description: str) -> Iterable[Item]:
        """See `Track`."""
        return self._progress.track(items, description=description)


def _print(exported: Exported, out: Path) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    manifest = exported.manifest
    model, size = manifest.model, manifest.input
    batch = f", batch 1 to {size.max_batch}" if size.max_batch > 1 else ""
    facts = f"{model.parameters:,} parameters, {model.flops / 1e9:.1f} GFLOP a frame"
    console.print(f"{out}: {size.height}×{size.width}{batch}, {facts}")
    console.print(_table(manifest))
    frames = manifest.graphs[0].verification.frames
    console.print(f"depth differs so much from PyTorch's on {frames} test frames, relatively; Δδ1 is in points")
    for graph in manifest.graphs:
        if graph.excluded:
            worst = graph.excluded[0]
            others = f", and {len(graph.excluded) - 1} more that {MANIFEST} names" if len(graph.excluded) > 1 else ""
            console.print(shown(f"{graph.label} leaves {worst.layer} out, since {worst.reason}{others}"))
    for precision, reason in exported.refused.items():
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(
            f"clipdepth: error: {precision} is not in {out}: {reason}"
        )


def _table(manifest: Manifest) -> Table:
    table = Table("graph", box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("MB", "operators", "mean", "p99", "largest", "Δrel", "Δδ1"):
        table.add_column(heading, justify="right")
    for graph in manifest.graphs:
        found = graph.verification
        values = [f"{value:.1e}" for value in (found.mean, found.p99, found.largest)]
        changes = [
            "-" if found.rel_change is None else f"{found.rel_change:+.4f}",
            "-" if found.delta1_change is None else f"{100 * found.delta1_change:+.2f}",
        ]
        megabytes = f"{manifest.bytes_of(graph) / 1e6:.1f}"
        table.add_row(graph.label, megabytes, str(graph.operators), *values, *changes)
    return table


def tolerance(text: str) -> tuple[Precision, Tolerance]:
    """Read 'PRECISION=MEAN' or 'PRECISION=MEAN,POINTS'; for `add_argument(type=…)`."""
    name, _, limits = text.partition("=")
    try:
        mean, *points = (float(part) for part in limits.split(","))
        found = next(precision for precision in PRECISIONS if precision == name)
    except (ValueError, StopIteration):
        mean, points = -1.0, []
    if len(points) > 1 or not all(0 <= value < float("inf") for value in (mean, *points)):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not PRECISION=MEAN[,POINTS], such as int8=0.03,1: the mean relative difference of depth "
            "from PyTorch's, and the change of δ1 in points"
        )
    if mean > largest_mean(found):
        raise argparse.ArgumentTypeError(
            f"'{text}' allows more than {largest_mean(found):g}, {MOST_LOOSENED} times what {found} may differ by"
        )
    usual = TOLERANCES[found]
    return found, Tolerance(mean, points[0] / 100 if points else usual.delta1, usual.confidence)


def focal(text: str) -> float | str:
    """Read a focal length, or 'unknown'; for `add_argument(type=…)`."""
    return UNKNOWN if text == UNKNOWN else positive_float(text)


def _default_out(model: str) -> Path:
    """Beside a folder; in the working directory for what comes from elsewhere."""
    if not model.startswith(PREFIXES):
        path = Path(model)
        return path.with_name(path.name + ".bundle")
    return Path(re.split(r"[/:]", model.partition("@")[0])[-1] + ".bundle")


def _parser() -> ArgumentParser:
    parser = ArgumentParser("clipdepth export", "Export a depth model to a bundle, verified against PyTorch.")
    add = parser.add_argument
    add(
        "model",
        metavar="MODEL",
        help="a trained run's folder, hf:OWNER/NAME[@REVISION], a folder that transformers loads, or "
        "python:PACKAGE.MODULE:FUNCTION, which returns a PyTorch module",
    )
    add("--out", type=Path, metavar="BUNDLE", help="folder to write (default: MODEL's name with .bundle)")
    add(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["fp32"],
        help="the graphs to write (default: fp32); int8 is calibrated on up to 64 frames",
    )
    add("--data", help="dataset for golden and calibration frames (default: what the run was trained on)")
    add("--frames", metavar="PICTURES", help="the same for a model that is no run: a folder of pictures or a video")
    add(
        "--size",
        type=picture_size,
        action="append",
        metavar="HxW",
        help="the input's height and width in pixels (default: the model's own, all that a run was trained on); given "
        "more than once, the bundle has graphs of each, from one set of weights, and a device takes the one of the "
        "nearest shape",
    )
    add("--kind", choices=get_args(DepthKind), help="what the model answers (default: what its config says)")
    add("--max-depth", type=positive_float, metavar="METRES", help="the largest depth of a metric model, likewise")
    add(
        "--focal",
        type=focal,
        metavar=f"PIXELS|{UNKNOWN}",
        help="the training camera's focal length in pixels of the input, where the model does not say it",
    )
    add("--licence", metavar="TEXT", help="what the model may be used for, where its card does not say it")
    add("--weights", action="store_true", help="put the weights in, in half, for 'clipdepth train --start BUNDLE'")
    add(
        "--accuracy",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="state what 'clipdepth evaluate RUN --json FILE' measured",
    )
    add("--description", default="", metavar="TEXT", help="state the trunk and the data in a line")
    add("--sam-weights", metavar="PATH", help="SAM's weights, for a model that was trained with its masks")
    add(
        "--max-batch",
        type=positive_int,
        default=1,
        metavar="N",
        help="frames at once, at most (default: 1, every shape static)",
    )
    add(
        "--tolerance",
        type=tolerance,
        action="append",
        default=[],
        metavar="P=MEAN[,POINTS]",
        help="allow precision P another mean relative difference, and change of δ1, than "
        "fp32=1e-4, fp16=5e-3,0.2 and int8=3e-2,1; at most ten times that mean, and said wherever a verdict is",
    )
    return parser
