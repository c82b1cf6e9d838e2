"""`clipdepth data`: prepare or render a dataset in the layout that training reads; check, segment or label one."""

import argparse
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from rich.console import Console

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli.arguments import ArgumentParser, picture_size
from clipdepth.cli.progress import follow
from clipdepth.errors import UsageError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.commands.check import add_check
from clipdepth_train.commands.prepare import add_prepare, told
from clipdepth_train.commands.sam_arguments import add_sam_arguments, sam_config
from clipdepth_train.data.layout import (
    SPLITS,
    FrameFiles,
    remove_lists,
    write_depth,
    write_intrinsics,
    write_lists,
    write_pose,
    write_rgb,
)
from clipdepth_train.data.segments import segment_folder
from clipdepth_train.data.video_frames import BESIDE
from clipdepth_train.recipe import DataConfig
from clipdepth_train.segmentation import weights_remedy
from clipdepth_train.teacher.labels import label_pictures
from clipdepth_train.teacher.named import open_teacher
from clipdepth_train.training_data import open_pictures

FRAMES_PER_ROOM = 20
SECONDS_PER_FRAME = 0.5
_ROOMS_PER_SEED = 1_000_000


def main(argv: Sequence[str]) -> int:
    """Run `clipdepth data ARGV`."""
    arguments = _parser().parse_args(argv)
    done: str = arguments.run(arguments)
    sys.stdout.write(f"{done}\n")
    return 0


def render_rooms(arguments: argparse.Namespace) -> str:
    """Write rendered frames, 20 a room, half a second apart.

    Rooms to train on have even numbers and rooms to test on odd ones, so no room is in both, and the
    test rooms of a seed stay the same whatever the number of training frames.
    """
    out: Path = arguments.out
    intrinsics = default_intrinsics(*arguments.size)
    frames = [
        FrameFiles(out, split, f"room_{2 * room + parity:05d}", index)
        for parity, (split, count) in enumerate((("train", arguments.train), ("test", arguments.test)))
        for room, index in (divmod(number, FRAMES_PER_ROOM) for number in range(count))
    ]
    remove_lists(out)
    write_intrinsics(out, intrinsics)
    for files in follow(frames, "rooms"):
        _render(files, arguments.seed, intrinsics)
    write_lists(out, frames, intrinsics.fx)
    return told(out, *([files.split for files in frames].count(split) for split in SPLITS))


def segment(arguments: argparse.Namespace) -> str:
    """Segment and paint the pictures of a dataset, beside it."""
    config = sam_config(arguments)
    if config is None:
        raise UsageError(f"--sam {arguments.sam} needs weights; {weights_remedy(arguments.sam)}")
    name, count = segment_folder(arguments.data, config, Console(stderr=True))
    return f"{arguments.data}: {count} pictures segmented; train with --frames.segments {name}"


def label(arguments: argparse.Namespace) -> str:
    """Ask a teacher what training on the pictures would ask it."""
    teacher, data = open_teacher(arguments.teacher), str(arguments.data)
    pairs = open_pictures(data, DataConfig(every=arguments.every))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    label_pictures(pairs, teacher, device, Console(stderr=True))
    kept = pairs.folder / BESIDE / teacher.key
    return f"{data}: {len(pairs.pictures)} pictures labelled in {kept}"


def _render(files: FrameFiles, seed: int, intrinsics: Intrinsics) -> None:
    number = int(files.scene.removeprefix("room_"))
    room = _room(seed * _ROOMS_PER_SEED + number)
    rgbd = room.render(files.index * SECONDS_PER_FRAME, intrinsics)
    write_rgb(files.rgb, rgbd.frame)
    write_depth(files.depth, rgbd.depth)
    write_pose(files.pose, rgbd.pose)


@lru_cache(maxsize=1)
def _room(seed: int) -> Room:
    """A room, kept for the frames that follow: furnishing it takes longer than a view of it."""
    return Room(seed)


def _parser() -> ArgumentParser:
    parser = ArgumentParser("clipdepth data", "Prepare a dataset, render one, check, segment or label it.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add_prepare(actions)
    about = "Render a synthetic dataset."
    render = actions.add_parser("render", help="render a synthetic dataset", description=about)
    _add_rooms(render.add_subparsers(required=True, metavar="DATASET"))
    add_check(actions)
    _add_segment(actions)
    _add_label(actions)
    return parser


def _add_rooms(datasets: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = f"Frames of synthetic rooms with exact depth and poses, {FRAMES_PER_ROOM} a room."
    parser = datasets.add_parser("rooms", help="synthetic rooms", description=about)
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
    parser.add_argument("--seed", type=_count, default=0, metavar="S", help="which rooms (default: %(default)s)")
    parser.set_defaults(run=render_rooms)


def _add_segment(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = "Paint Segment Anything's masks of every picture into DIR/segments; the same command continues."
    parser = actions.add_parser("segment", help="segment a dataset's pictures", description=about)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where the dataset is")
    add_sam_arguments(parser)
    parser.set_defaults(run=segment)


def _add_label(actions: "argparse._SubParsersAction[ArgumentParser]") -> None:
    about = "Keep what a teacher answers to every training picture in DIR/teacher; the same command continues."
    parser = actions.add_parser("label", help="ask a teacher for the depth of pictures", description=about)
    parser.add_argument("--data", required=True, metavar="DIR", help="a dataset, a folder of pictures, or a video")
    parser.add_argument(
        "--teacher", required=True, metavar="NAME", help="a run, a bundle, a model that ships, or hf:OWNER/NAME"
    )
    parser.add_argument(
        "--every",
        type=_seconds,
        default=DataConfig.every,
        metavar="S",
        help="seconds between the frames that are taken of a video; 0 for all (default: %(default)s)",
    )
    parser.set_defaults(run=label)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds, 0 or more")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 999999")
    return int(text)
