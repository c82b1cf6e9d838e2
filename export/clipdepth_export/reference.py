"""Real frames and PyTorch's depth of them: what graphs are held to, and what a bundle carries of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from clipdepth.bundle.answer import Answer, join
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.letterbox import Letterbox
from clipdepth_train.data.sample import RgbdPair, RgbdSet, evenly_spread
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.recipe import DataConfig

HELD_OUT = 64
"""Test frames that a graph is measured on, at most: of fewer, chance alone can change δ1 by a point."""
MOST_GOLDEN, OTHERS_GOLDEN = 8, 2
"""Golden frames of a bundle's first size, and of each other one, at most."""
MOST_BYTES = 4_000_000
_CONFIDENCE_STEPS = np.float32(2**14)

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
    masks, answers = found.segmentation, list[Answer]()
    with torch.inference_mode():
        for index in track(range(len(found.frames)), "PyTorch's depth"):
            inputs = [found.frames] if masks is None else [found.frames, masks]
            answer = module(*(torch.from_numpy(part[index][None]) for part in inputs))
            parts = answer if isinstance(answer, tuple) else (answer,)
            answers.append(Answer(*(part.float().numpy() for part in parts)))
    return replace(found, **join(answers)._asdict())


def spread_frames(pairs: RgbdSet, frames: DataConfig, size: InputSize, count: int) -> Golden:
    """At most `count` frames, evenly spread over `pairs`, as they are evaluated, with no depth yet.

    For another size than that of `frames`, the middle of each that has its shape.
    """
    own = (size.height, size.width) == (frames.height, frames.width)
    found = [test_pair(pairs[i], frames) for i in evenly_spread(len(pairs), count)]
    chosen = found if own else [_middle(pair, size) for pair in found]
    boxes = [Letterbox.of(*_size(pair), size.height, size.width) for pair in chosen]
    both = list(zip(boxes, chosen, strict=True))
    pictures = np.stack([box.picture(pair.frame) for box, pair in both])
    truth = np.stack([box.measured(pair.depth) for box, pair in both])
    painted = [box.segmentation(pair.segmentation) for box, pair in both if pair.segmentation is not None]
    masks: NDArray[np.uint8] | None = np.stack(painted) if painted else None
    return Golden(pictures, np.zeros_like(truth), truth, masks)


def _size(pair: RgbdPair) -> tuple[int, int]:
    height, width = pair.depth.shape
    return height, width


def _middle(pair: RgbdPair, size: InputSize) -> RgbdPair:
    """What of a pair's middle has the shape of `size`."""
    height, width = _size(pair)
    rows, columns = min(height, width * size.height // size.width), min(width, height * size.width // size.height)
    top, left = (height - rows) // 2, (width - columns) // 2
    rest = (slice(top, top + rows), slice(left, left + columns))
    masks = None if pair.segmentation is None else pair.segmentation[rest]
    return RgbdPair(pair.frame[rest], pair.depth[rest], masks)


def golden_frames(reference: Golden, most: int = MOST_GOLDEN) -> Golden:
    """At most so many of the frames, evenly spread; fewer for a file under 4 MB, at least one.

    Confidence comes besides, rounded to 14 bits, a third of what fp32 may differ by: half the bytes.
    """
    if reference.confidence is not None:
        rounded = np.round(reference.confidence * _CONFIDENCE_STEPS) / _CONFIDENCE_STEPS
        reference = replace(reference, confidence=rounded)
    count = min(most, len(reference.frames))
    while True:
        golden = reference.at(evenly_spread(len(reference.frames), count))
        written = _bytes(replace(golden, confidence=None))
        if written < MOST_BYTES or count == 1:
            return golden
        count = max(1, min(count - 1, count * MOST_BYTES // written))


def _bytes(golden: Golden) -> int:
    buffer = BytesIO()
    golden.save(buffer)
    return len(buffer.getvalue())
