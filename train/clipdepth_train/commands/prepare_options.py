"""The options of `clipdepth data prepare`."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser, float_or_nan, positive_int
from clipdepth.cli.camera_options import add_camera_arguments
from clipdepth_train.data.datasets.pair import Options
from clipdepth_train.data.datasets.table import DATASETS, Dataset
from clipdepth_train.data.nyu_files import LABELED, PAGE, SPLITS_MAT

LISTS_HELP = "the folder of the lists and tables that come apart from the pictures (default: FROM)"
_MOST_MILLISECONDS = 10_000
_MOST_METRES = 1.0


def add_prepare(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the action, with a dataset of the table each."""
    about = "Bring a dataset into the layout that training reads; docs/data.md has each one's layout and terms."
    parser = actions.add_parser(
        "prepare",
        help="convert a published dataset or a recording",
        description=about,
        example="clipdepth data prepare nyu --out nyu",
    )
    datasets = parser.add_subparsers(required=True, metavar="DATASET")
    _add_nyu(datasets)
    for name, dataset in DATASETS.items():
        _add(datasets, name, dataset)


def _add_nyu(datasets: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = f"The 1449 labelled pictures of NYU Depth v2 ({PAGE}), 795 to train and 654 to test."
    parser = datasets.add_parser(
        "nyu",
        help="NYU Depth v2, labelled subset (2.97 GB)",
        description=about,
        example="clipdepth data prepare nyu --out nyu",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the layout goes")
    parser.add_argument("--labeled", type=Path, metavar="FILE", help=f"{LABELED.name}, if you have it")
    parser.add_argument("--splits", type=Path, metavar="FILE", help=f"{SPLITS_MAT.name}, if you have it")
    parser.add_argument(
        "--download-to",
        type=Path,
        metavar="DIR",
        help="where files not given are kept (default: OUT/download)",
    )
    parser.set_defaults(run="prepare nyu")


def _add(datasets: "argparse._SubParsersAction[ArgumentParser]", name: str, dataset: Dataset) -> None:
    about = f"{dataset.title} ({dataset.page}). Terms: {dataset.terms}."
    example = f"clipdepth data prepare {name} --from downloads/{name} --out {name}"
    parser = datasets.add_parser(name, help=dataset.title, description=about, example=example)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, metavar="DIR", help="where it is, see docs/data.md"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the layout goes")
    parser.add_argument(
        "--every", type=positive_int, default=1, metavar="N", help="take one of N pairs of a scene (default: all)"
    )
    for option in dataset.options:
        _OPTIONS[option](parser)
    parser.set_defaults(run="prepare", dataset=name)


def _add_lists(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lists", type=Path, metavar="DIR", help=LISTS_HELP)


def _add_with_nyu(parser: argparse.ArgumentParser) -> None:
    about = "take the pictures of NYU Depth v2 too, of which some are NYU's own test pictures"
    parser.add_argument("--with-nyu", action="store_true", help=about)


def _add_topic(what: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument(f"--{what}-topic", metavar="TOPIC", help=f"the topic of the {what} (default: by its name)")


def _add_depth(parser: argparse.ArgumentParser) -> None:
    about = "where the depth videos are, by the same names as the videos with .mkv behind them (default: FROM)"
    parser.add_argument("--depth", type=Path, metavar="DIR", help=about)


def _add_within(parser: argparse.ArgumentParser) -> None:
    about = f"by how much the times of a picture and its depth may differ (default: {Options.within * 1000:g})"
    parser.add_argument("--within", type=_milliseconds, metavar="MS", help=about)


def _add_baseline(parser: argparse.ArgumentParser) -> None:
    about = (
        f"metres that the colour camera is right of the depth camera, below 0 for left (default: {Options.baseline:g})"
    )
    parser.add_argument("--baseline", type=_metres, metavar="METRES", help=about)


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "lists": _add_lists,
    "with_nyu": _add_with_nyu,
    "picture_topic": partial(_add_topic, "picture"),
    "depth_topic": partial(_add_topic, "depth"),
    "within": _add_within,
    "depth": _add_depth,
    "camera": add_camera_arguments,
    "baseline": _add_baseline,
}


def _metres(text: str) -> float:
    value = float_or_nan(text)
    if not abs(value) <= _MOST_METRES:
        raise argparse.ArgumentTypeError(f"'{text}' is not a distance of up to {_MOST_METRES:g} m, such as 0.025")
    return value


def _milliseconds(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value <= _MOST_MILLISECONDS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time in milliseconds, above 0")
    return value / 1000
