"""The options of `clipdepth data`."""

import argparse
import re
from pathlib import Path

from clipdepth.cli.arguments import ArgumentParser, picture_size, positive_float, positive_int
from clipdepth_train.commands.prepare_options import add_prepare
from clipdepth_train.commands.sam_arguments import add_sam_arguments
from clipdepth_train.data_config import DataConfig

FRAMES_PER_ROOM = 20
PAIRS = 200
SHEET, REPORT = "pairs.png", "check.json"


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth data",
        "Prepare a dataset, render one, check, segment or label it.",
        "clipdepth data prepare nyu --out nyu",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add_prepare(actions)
    about = "Render a synthetic dataset."
    render = actions.add_parser(
        "render",
        help="render a synthetic dataset",
        description=about,
        example="clipdepth data render rooms --out rooms --train 1000 --test 200",
    )
    _add_rooms(render.add_subparsers(required=True, metavar="DATASET"))
    _add_check(actions)
    _add_segment(actions)
    _add_label(actions)
    return parser


def _add_rooms(datasets: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = f"Frames of synthetic rooms with exact depth and poses, {FRAMES_PER_ROOM} a room."
    parser = datasets.add_parser(
        "rooms",
        help="synthetic rooms",
        description=about,
        example="clipdepth data render rooms --out rooms --train 1000 --test 200",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the layout goes")
    parser.add_argument(
        "--train", type=_count, default=1000, metavar="N", help="frames to train on (default: %(default)s)"
    )
    parser.add_argument(
        "--test", type=_count, default=200, metavar="N", help="frames to test on (default: %(default)s)"
    )
    parser.add_argument(
        "--size", type=picture_size, default="480x640", metavar="HxW", help="height and width (default: %(default)s)"
    )
    parser.add_argument("--seed", type=_count, default=0, metavar="N", help="which rooms (default: %(default)s)")
    parser.set_defaults(run="render")


def _add_segment(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = "Paint Segment Anything's masks of every picture into DIR/segments; the same command continues."
    parser = actions.add_parser(
        "segment",
        help="segment a dataset's pictures",
        description=about,
        example="clipdepth data segment --data nyu --sam mini",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the dataset is")
    add_sam_arguments(parser)
    parser.set_defaults(run="segment")


def _add_label(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = "Keep what a teacher answers to every training picture in DIR/teacher; the same command continues."
    parser = actions.add_parser(
        "label",
        help="ask a teacher for the depth of pictures",
        description=about,
        example="clipdepth data label --data videos --teacher edge-nyu",
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="a dataset, a folder of pictures, or a video")
    parser.add_argument(
        "--teacher", required=True, metavar="NAME", help="a run, a bundle, a model that ships, or hf:OWNER/NAME"
    )
    parser.add_argument(
        "--every",
        type=_seconds,
        default=DataConfig.every,
        metavar="SECONDS",
        help="seconds between the frames that are taken of a video; 0 for all (default: %(default)s)",
    )
    parser.set_defaults(run="label")


def _add_check(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = "Look for what is wrong with a set of RGB-D pairs, and write a picture of it; exits with 1 where there is."
    parser = actions.add_parser(
        "check", help="say what is wrong with a set", description=about, example="clipdepth data check nyu"
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="the set's folder")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where {SHEET} and {REPORT} go (default: DATA/check)")
    parser.add_argument(
        "--depth-scale",
        type=positive_float,
        metavar="UNITS",
        help="units of the depth PNGs a metre (default: what the folder's depth_scale.txt says, or 1000)",
    )
    parser.add_argument(
        "--max-depth",
        type=positive_float,
        default=DataConfig.max_depth,
        metavar="METRES",
        help="metres beyond which depth is not trained on (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs",
        type=positive_int,
        default=PAIRS,
        metavar="N",
        help="how many pairs are read whole, spread over the set (default: %(default)s)",
    )
    parser.set_defaults(run="check")


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds, 0 or more")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 999999")
    return int(text)
