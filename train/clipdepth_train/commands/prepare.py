"""`clipdepth data prepare`: other people's datasets, in the folder layout that training reads."""

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

from clipdepth.camera.camera import Camera
from clipdepth.cli.arguments import ArgumentParser, float_or_nan, positive_int
from clipdepth.cli.camera_options import CameraOptions, add_camera_arguments
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth_train.data import nyu
from clipdepth_train.data.datasets.pair import Options
from clipdepth_train.data.datasets.table import DATASETS, Dataset, prepare
from clipdepth_train.data.download import download

LISTS_HELP = "the folder of the lists and tables that come apart from the pictures (default: FROM)"
_MOST_MILLISECONDS = 10_000


def add_prepare(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the action, with a dataset of the table each."""
    about = "Bring a dataset into the layout that training reads; docs/data.md has each one's layout and terms."
    parser = actions.add_parser("prepare", help="convert a published dataset or a recording", description=about)
    datasets = parser.add_subparsers(required=True, metavar="DATASET")
    _add_nyu(datasets)
    for name, dataset in DATASETS.items():
        _add(datasets, name, dataset)


def prepare_nyu(arguments: argparse.Namespace) -> str:
    """Use the files that are given, or those in the download folder, downloaded if they are not there."""
    refuse_overwriting([arguments.labeled, arguments.splits], [arguments.out])
    folder: Path = arguments.download_to or arguments.out / "download"
    splits = arguments.splits or _fetch(nyu.SPLITS_MAT, folder)
    labeled = arguments.labeled or _fetch(nyu.LABELED, folder)
    frames = nyu.prepare_nyu(labeled, splits, arguments.out)
    return told(arguments.out, *([files.split for files in frames].count(split) for split in ("train", "test")))


def told(out: Path, train: int, test: int) -> str:
    """What is said of a dataset that is ready."""
    return f"{out}: {train} frames to train, {test} to test"


def _prepare(name: str, arguments: argparse.Namespace) -> str:
    refuse_overwriting([arguments.source], [arguments.out])
    fields = [field for field in DATASETS[name].options if field != "camera"]
    given = {field: getattr(arguments, field) for field in fields if getattr(arguments, field) is not None}
    camera = _camera(arguments) if "camera" in DATASETS[name].options else None
    options = Options(camera=camera, **given)
    counts = prepare(name, arguments.source, arguments.out, options, arguments.every)
    return told(arguments.out, counts["train"], counts["test"])


def _add(datasets: "argparse._SubParsersAction[ArgumentParser]", name: str, dataset: Dataset) -> None:
    about = f"{dataset.title} ({dataset.page}). Terms: {dataset.terms}."
    parser = datasets.add_parser(name, help=dataset.title, description=about)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, metavar="DIR", help="where it is, see docs/data.md"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the layout goes")
    parser.add_argument(
        "--every", type=positive_int, default=1, metavar="N", help="take one of N pairs of a scene (default: all)"
    )
    for option in dataset.options:
        _OPTIONS[option](parser)
    parser.set_defaults(run=partial(_prepare, name))


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


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "lists": _add_lists,
    "with_nyu": _add_with_nyu,
    "picture_topic": partial(_add_topic, "picture"),
    "depth_topic": partial(_add_topic, "depth"),
    "within": _add_within,
    "depth": _add_depth,
    "camera": add_camera_arguments,
}


def _camera(arguments: argparse.Namespace) -> Camera:
    names = (field.name for field in dataclasses.fields(CameraOptions))
    return CameraOptions(**{name: getattr(arguments, name) for name in names}).camera


def _milliseconds(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value <= _MOST_MILLISECONDS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a time in milliseconds, above 0")
    return value / 1000


def _fetch(remote: nyu.RemoteFile, folder: Path) -> Path:
    return download(remote.url, folder / remote.name, remote.md5)


def _add_nyu(datasets: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = f"The 1449 labelled pictures of NYU Depth v2 ({nyu.PAGE}), 795 to train and 654 to test."
    parser = datasets.add_parser("nyu", help="NYU Depth v2, labelled subset (2.97 GB)", description=about)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the layout goes")
    parser.add_argument("--labeled", type=Path, metavar="PATH", help=f"{nyu.LABELED.name}, if you have it")
    parser.add_argument("--splits", type=Path, metavar="PATH", help=f"{nyu.SPLITS_MAT.name}, if you have it")
    parser.add_argument(
        "--download-to",
        type=Path,
        metavar="DIR",
        help="where files not given are kept (default: OUT/download)",
    )
    parser.set_defaults(run=prepare_nyu)
