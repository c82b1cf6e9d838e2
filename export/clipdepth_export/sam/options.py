"""The options of `clipdepth export-sam`."""

from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser
from clipdepth_export.sam import PRECISIONS
from clipdepth_train.commands.sam_arguments import add_sam_arguments


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    about = "Export Segment Anything to ONNX, verified against PyTorch, to segment frames on a device."
    parser = ArgumentParser("clipdepth export-sam", about, "clipdepth export-sam --variant mini --out sam-mini")
    add_sam_arguments(parser, short=True)
    add = parser.add_argument
    add(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=list(PRECISIONS),
        metavar="P",
        help=f"which of {', '.join(PRECISIONS)} to write (default: all)",
    )
    add(
        "--data", type=Path, metavar="DIR", help="dataset whose test frames it is verified on (default: rendered rooms)"
    )
    add("--out", type=Path, metavar="DIR", help="folder to write (default: sam-VARIANT)")
    return parser
