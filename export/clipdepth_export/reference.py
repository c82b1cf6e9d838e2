"""Real frames and PyTorch's depth of them: what graphs are held to, and what a bundle carries of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clipdepth.bundle.golden import Golden
from clipdepth.camera.resize import resize_frame, resize_measured_depth, resize_segmentation
from clipdepth_train.data.sample import RgbdSet, evenly_spread
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.recipe import DataConfig

HELD_OUT = 32
"""Test frames that a graph is measured on, at most."""
MOST_GOLDEN = 8
MOST_BYTES = 4_000_000

Item = TypeVar("Item")


class Track(Protocol):
    """Goes through items while it shows how far it is."""

    def __call__(self, items: Sequence[Item], description: str) -> Iterable[Item]:
        """See the class."""


def silently(items: Sequence[Item], description: str) -> Iterable[Item]:
    """Go through items without showing it."""
    return items


def with_depth(found: Golden, module: nn.Module, track: Track) -> Golden:
    """The frames with `module`'s answers to them, in fp32."""
    masks, answers = found.segmentation, list[NDArray[np.float32]]()
    with torch.inference_mode():
        for index in track(range(len(found.frames)), "PyTorch's depth"):
            inputs = [found.frames] if masks is None else [found.frames, masks]
            answer = module(*(torch.from_numpy(part[index][None]) for part in inputs))
            answers.append(answer[0].float().numpy())
    return replace(found, depth=np.stack(answers))


def spread_frames(pairs: RgbdSet, frames: DataConfig, count: int) -> Golden:
    """At most `count` frames, evenly spread over `pairs`, as they are evaluated, with no depth yet."""
    size = (frames.height, frames.width)
    chosen = [test_pair(pairs[i], frames) for i in evenly_spread(len(pairs), count)]
    pictures = np.stack([resize_frame(np.ascontiguousarray(pair.frame), *size) for pair in chosen])
    truth = np.stack([resize_measured_depth(np.ascontiguousarray(pair.depth), *size) for pair in chosen])
    painted = [resize_segmentation(pair.segmentation, *size) for pair in chosen if pair.segmentation is not None]
    masks: NDArray[np.uint8] | None = np.stack(painted) if painted else None
    return Golden(pictures, np.zeros_like(truth), truth, masks)


def golden_frames(reference: Golden) -> Golden:
    """Up to 8 of the frames, evenly spread, for a file under 4 MB: fewer where they are large, at least one."""
    count = min(MOST_GOLDEN, len(reference.frames))
    while True:
        golden = reference.at(evenly_spread(len(reference.frames), count))
        written = _size(golden)
        if written < MOST_BYTES or count == 1:
            return golden
        count = max(1, min(count - 1, count * MOST_BYTES // written))


def _size(golden: Golden) -> int:
    buffer = BytesIO()
    golden.save(buffer)
    return len(buffer.getvalue())
