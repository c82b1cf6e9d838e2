"""`clipdepth export-sam`: Segment Anything as verified ONNX graphs, to run without PyTorch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipdepth.bundle.sam_folder import SamManifest
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import UsageError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_export.sam.exporter import export_sam
from clipdepth_export.sam.options import parser
from clipdepth_train.commands.sam_arguments import sam_config
from clipdepth_train.data.folder import FolderSet, read_frame
from clipdepth_train.data.sample import evenly_spread
from clipdepth_train.segmentation import weights_remedy

FRAMES = 2
"""How many frames the graphs are verified on."""


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth export-sam --help`."""
    options = parser().parse_args(argv)
    config = sam_config(options)
    if config is None:
        raise UsageError(f"--variant {options.sam} needs weights; {weights_remedy(options.sam)}")
    out = options.out or Path(f"sam-{config.variant}")
    refuse_overwriting([options.data, config.weights], [], replaced=[out])
    with Console(stderr=True).status(Text(f"exporting SAM's {config.variant}")) as status:
        manifest = export_sam(
            config, out, options.precision, _frames(options.data), lambda doing: status.update(Text(doing))
        )
    _print(manifest, out)
    return 0


def _frames(data: Path | None) -> list[NDArray[np.uint8]]:
    """Test frames of a dataset, or rendered ones: one lying and one standing."""
    if data is None:
        return [
            Room(seed).render(0, default_intrinsics(*size)).frame for seed, size in enumerate(((480, 640), (640, 480)))
        ]
    pictures = FolderSet(data, "test", scale=1000.0, max_depth=10.0).pictures
    return [read_frame(pictures[i]) for i in evenly_spread(len(pictures), FRAMES)]


def _print(manifest: SamManifest, out: Path) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    sam = manifest.sam
    console.print(f"{out}: SAM {sam.variant}, {sam.points_per_side}×{sam.points_per_side} points a frame")
    console.print(_table(manifest))
    checked = next(iter(sam.graphs.values())).verification
    console.print(
        f"over {checked.frames} frames and {checked.points} points in each, fp16 with every half tensor rounded; "
        "the predicted IoU is SAM's own measure of a mask"
    )


def _table(manifest: SamManifest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file")
    table.add_column("MB", justify="right")
    table.add_column("agreement with PyTorch")
    for graphs in manifest.sam.graphs.values():
        found = graphs.verification
        said = {
            graphs.encoder: f"mean cosine {found.cosine:.6f} of embeddings",
            graphs.decoder: f"mean IoU {found.mask_iou:.4f} of masks, predicted IoU off by {found.predicted_iou:.1g}",
        }
        for name in graphs.files:
            table.add_row(name, f"{manifest.files[name].size / 1e6:.1f}", said.get(name, "weights"))
    return table
