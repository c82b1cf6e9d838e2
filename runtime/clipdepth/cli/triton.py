"""`clipdepth triton`: a bundle as a model repository for NVIDIA's Triton Inference Server."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.triton import Accelerator, triton_models, write_repository
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser, positive_int
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0."""
    options = parser().parse_args(argv)
    refuse_overwriting([find_folder(options.bundle)], [], [options.out])
    bundle = open_bundle(options.bundle)
    name = options.name or bundle.path.name.removesuffix(".bundle")
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for a model; give one of letters, digits, . _ and - with --name")
    precision = options.precision or bundle.manifest.precisions[0]
    models = triton_models(bundle, name, precision, options.accelerator, options.instances)
    write_repository(models, options.out)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for model in models:
        size = model.bundle.manifest.input
        console.print(f"{options.out / model.name}: {size}, {precision}, batch up to {size.max_batch}")
    return 0


def parser() -> ArgumentParser:
    """The options of `clipdepth triton`."""
    parser = ArgumentParser(
        "clipdepth triton",
        "Write a bundle as a model repository for Triton Inference Server.",
        "clipdepth triton edge-nyu --out models",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add("--out", type=Path, required=True, metavar="DIR", help="the repository; other models in it stay")
    add("--name", metavar="NAME", help="what Triton calls the model (default: the bundle's folder)")
    add("--precision", metavar="P", help="which of the bundle's graphs (default: the first)")
    add(
        "--accelerator",
        choices=get_args(Accelerator),
        help="what Triton's ONNX Runtime hands the graph to (default: none); tensorrt takes a GPU",
    )
    add("--instances", type=positive_int, default=1, metavar="N", help="copies that run side by side (default: 1)")
    return parser
