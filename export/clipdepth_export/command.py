"""`clipdepth export MODEL`: from a trained run, or another depth model, to a verified bundle."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clipdepth.bundle.manifest import MANIFEST, InputSize, Manifest
from clipdepth.cli.models import conditions, confidence_line
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.cli.progress import LongProgress
from clipdepth.files.foreign import shown
from clipdepth_export.exporter import ExportConfig, Exported, require_free, write_bundle
from clipdepth_export.measured import read_accuracy
from clipdepth_export.options import parser
from clipdepth_export.reference import Item
from clipdepth_export.sources.asked import Asked
from clipdepth_export.sources.named import PREFIXES, named_source
from clipdepth_train.imported.told import Told


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 1 where a precision was refused."""
    options = parser().parse_args(argv)
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
    if manifest.confidence:
        # Not as columns: the table would not fit into 80.
        changes = (
            f"{graph.label} {graph.verification.confidence_change:.1e}, {graph.verification.novelty_change:.1e}"
            for graph in manifest.graphs
        )
        console.print(f"confidence, from 0 to 1, and novelty, relatively, differ by {'; '.join(changes)}")
    for found in manifest.accuracy:
        if found.confidence:
            console.print(f"{conditions(found)}: {confidence_line(found.confidence)}")
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


def _default_out(model: str) -> Path:
    """Beside a folder; in the working directory for what comes from elsewhere."""
    if not model.startswith(PREFIXES):
        path = Path(model)
        return path.with_name(path.name + ".bundle")
    return Path(re.split(r"[/:]", model.partition("@")[0])[-1] + ".bundle")
