"""Small RGB-D folders and trained runs for tests."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState
from rich.console import Console

from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.data.layout import (
    FrameFiles,
    write_depth,
    write_intrinsics,
    write_lists,
    write_pose,
    write_rgb,
)
from clipdepth_train.models import EdgeConfig
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig, OptimConfig, Recipe
from clipdepth_train.trainer import Trainer
from tiny_clip import TINY_CLIP, TINY_MOBILE

SECONDS_BETWEEN_FRAMES = 1.5
TINY_EDGE = EdgeConfig(PretrainedConfig(TINY_CLIP, "none"), width=8, bins=8)
"""An edge model on a tiny ResNet: fast. Only processes that import tiny_clip can load it."""
MOBILE_EDGE = EdgeConfig(PretrainedConfig(TINY_MOBILE, "none"), stages=4, width=16, bins=16)
"""An edge model on a MobileCLIP's trunk, whose branches fold together."""


def write_rgbd_folder(path: Path, train: int = 4, test: int = 2, height: int = 64, width: int = 64) -> Path:
    """Write views of one room for training and of another for testing, in the NYU layout, and return `path`."""
    camera = default_intrinsics(height, width)
    files = []
    for seed, (split, count) in enumerate((("train", train), ("test", test))):
        for index in range(count):
            frame = FrameFiles(path, split, f"room_{seed}", index)
            seen = _room(seed).render(index * SECONDS_BETWEEN_FRAMES, camera)
            write_rgb(frame.rgb, seen.frame)
            write_depth(frame.depth, seen.depth)
            write_pose(frame.pose, seen.pose)
            files.append(frame)
    write_intrinsics(path, camera)
    write_lists(path, files, camera.fx)
    return path


def tiny_recipe(data: Path | str, **changes: Any) -> Recipe:
    """A recipe for one epoch of two frames a step at 64×64; `changes` are fields of Recipe."""
    recipe = Recipe(
        TINY_EDGE,
        (str(data),),
        DataConfig(64, 64, rooms=1, workers=0),
        optim=OptimConfig(trunk_learning_rate=1e-4),
        epochs=1,
        batch_size=2,
    )
    return replace(recipe, **changes)


def train_tiny_run(out: Path, data: Path | str, **recipe_changes: Any) -> Path:
    """Train `tiny_recipe` on `data` into folder `out`, in this process, and return `out`."""
    return train_recipe(out, tiny_recipe(data, **recipe_changes))


def train_recipe(out: Path, recipe: Recipe) -> Path:
    """Train `recipe` into folder `out`, in this process, and return `out`."""
    # accelerate lets a process train at one precision only.
    AcceleratorState._reset_state(reset_partial_state=True)
    Trainer(recipe, out, Console(quiet=True)).run()
    return out


@lru_cache(maxsize=2)
def _room(seed: int) -> Room:
    return Room(seed)
