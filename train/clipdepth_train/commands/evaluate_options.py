"""The options of `clipdepth evaluate`."""

from typing import get_args

from clipdepth.bundle.metrics import Align
from clipdepth.cli.arguments import DEVICE_HELP, ArgumentParser, device_index, positive_float
from clipdepth.cli.json_report import add_json_argument
from clipdepth.engines import AUTO, DEFAULT, ENGINES


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    about = "Measure a run or a bundle: metrics per image, then averaged."
    parser = ArgumentParser("clipdepth evaluate", about, "clipdepth evaluate runs/edge --baseline --json metrics.json")
    add = parser.add_argument
    add("model", metavar="RUN_OR_BUNDLE", help="a model that ships, or the folder of a trained run or of a bundle")
    add("--data", metavar="DATA", help="folder of RGB-D pairs, or 'rooms' (default: what it was trained on)")
    add("--split", choices=("test", "train"), default="test", help="which frames (default: %(default)s)")
    add(
        "--crop",
        choices=("all", "eigen", "paper"),
        default="all",
        help="pixels that count: all the model sees, Eigen's crop, or the paper's (default: all)",
    )
    add(
        "--max-depth",
        type=positive_float,
        metavar="METRES",
        help="truth from there on does not count, and depth is clamped to it (default: as trained)",
    )
    add(
        "--align",
        choices=get_args(Align),
        help="'median' first scales each image's depth to its true median over the pixels that count, 'lsq' fits scale "
        "and shift (default: none; lsq for a model whose answer is not metric)",
    )
    mirror = parser.add_mutually_exclusive_group()
    mirror.add_argument("--mirror", action="store_true", default=None, help="average in the mirror image's depth")
    mirror.add_argument("--no-mirror", action="store_false", dest="mirror", help="one pass (default: as trained)")
    add("--engine", choices=(AUTO, *ENGINES), metavar="NAME", help=f"what runs a bundle (default: {DEFAULT})")
    add("--device", type=device_index, metavar="N", help=DEVICE_HELP)
    add("--precision", metavar="P", help="which of a bundle's graphs (default: the first, or auto's fastest)")
    add("--baseline", action="store_true", help="measure the constant median of the training depth too")
    add("--uncertainty", action="store_true", help="measure how well the model's confidence tells its errors")
    add_json_argument(parser, "the metrics")
    add_json_argument(parser, "each image's metrics, with its path,", "--frames-json")
    return parser
