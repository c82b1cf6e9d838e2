"""`clipdepth data`: prepare or render a dataset in the layout that training reads; check, segment or label one."""

import argparse
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from rich.console import Console

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli.progress import follow
from clipdepth.errors import UsageError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.commands.check import check
from clipdepth_train.commands.data_options import FRAMES_PER_ROOM, parser
from clipdepth_train.commands.prepare import prepare_nyu, prepare_other, told
from clipdepth_train.commands.sam_arguments import sam_config
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

SECONDS_PER_FRAME = 0.5
_ROOMS_PER_SEED = 1_000_000


def main(argv: Sequence[str]) -> int:
    """Run `clipdepth data ARGV`."""
    arguments = parser().parse_args(argv)
    sys.stdout.write(f"{_ACTIONS[arguments.run](arguments)}\n")
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


_ACTIONS = {
    "prepare": prepare_other,
    "prepare nyu": prepare_nyu,
    "render": render_rooms,
    "check": check,
    "segment": segment,
    "label": label,
}
"""What each of the parser's actions does."""
