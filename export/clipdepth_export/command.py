"""`clipdepth export RUN`: from a trained run to a verified bundle."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from clipdepth.arguments import ArgumentParser
from clipdepth_export.exporter import export_run


def main(argv: Sequence[str]) -> int:
    """Run the command; see `clipdepth export --help`."""
    parser = ArgumentParser("clipdepth export", "Export a trained run to a bundle, verified against PyTorch.")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run")
    parser.add_argument("--out", type=Path, metavar="BUNDLE", help="folder to write (default: RUN.bundle)")
    parser.add_argument("--data", help="dataset for the golden frames (default: what the run was trained on)")
    arguments = parser.parse_args(argv)
    out = arguments.out or arguments.run.with_name(arguments.run.name + ".bundle")
    with Console(stderr=True).status(Text(f"exporting {arguments.run}")):
        manifest = export_run(arguments.run, out, arguments.data)
    model, size = manifest.model, manifest.input
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{out}: {size.height}×{size.width}, {model.parameters:,} parameters, {model.flops / 1e9:.1f} GFLOP")
    for precision, graph in manifest.graphs.items():
        megabytes = manifest.files[graph.file].size / 1e6
        console.print(f"  {precision}: {graph.file}, {megabytes:.1f} MB, {graph.verification}")
    return 0
