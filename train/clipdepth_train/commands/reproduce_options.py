"""The options of `clipdepth reproduce`."""

from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser, picture_size, positive_int
from clipdepth_train.commands.sam_arguments import add_sam_arguments
from clipdepth_train.reproduce.published import TABLES

FIGURE7 = "figure7"


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    about = "Measure a table of the paper, or draw its figure 7; the same command continues where it was interrupted."
    parser = ArgumentParser("clipdepth reproduce", about, "clipdepth reproduce table1 --data nyu --dry-run")
    parser.add_argument("table", choices=(*TABLES, FIGURE7), help="which")
    parser.add_argument(
        "--data", required=True, metavar="DATA", help="folder of RGB-D pairs, such as NYU Depth v2 prepared, or 'rooms'"
    )
    parser.add_argument("--out", type=Path, default=Path("reproduce"), metavar="DIR", help="folder for runs and tables")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="ROW", help="recipes of the rows to measure, and of those they refine"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list the runs with their size, cost and time, and what they lack"
    )
    less = parser.add_argument_group("less than the paper", "what is not given stays as in the paper")
    less.add_argument("--epochs", type=positive_int, metavar="N", help="of each run")
    less.add_argument("--batch-size", type=positive_int, metavar="N", help="of each run")
    less.add_argument(
        "--size", type=picture_size, metavar="HxW", help="input, of the whole picture in place of the paper's crop"
    )
    less.add_argument("--clip", metavar="NAME", help="another CLIP of open_clip's list, or RN-mini")
    less.add_argument("--clip-weights", metavar="TAG|PATH|none", help="weights of the CLIP")
    less.add_argument("--mixed-precision", choices=("no", "bf16", "fp16"), help="of each run")
    less.add_argument("--workers", type=positive_int, metavar="N", help="processes that load data")
    add_sam_arguments(parser.add_argument_group("SAM", "without weights, or --sam mini, rows with SAM are left out"))
    return parser
