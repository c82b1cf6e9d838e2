"""The options by which a command is told what runs the network."""

import argparse

from clipdepth.cli.arguments import DEVICE_HELP, device_index, positive_int
from clipdepth.engines import AUTO, ENGINES


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --engine, --device, --precision and --threads, as `load` takes them."""
    add = parser.add_argument
    add(
        "--engine",
        default=AUTO,
        metavar="NAME",
        help=f"{AUTO}: the fastest that works here and agrees with PyTorch, or one of {', '.join(ENGINES)} "
        "(default: %(default)s)",
    )
    add("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    add("--precision", metavar="P", help="which of the bundle's graphs (default: auto's fastest, else the first)")
    add("--threads", type=positive_int, metavar="N", help="threads of the engine (default: all usable cores)")
