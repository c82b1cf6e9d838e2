"""A bundle of a network whose weights are random: its speed is real, its depth is not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import DepthRange, InputSize, Licence, Precision, TrainingCamera
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import describe

FRAMES = 2
_ANY = Tolerance(1e6)
"""Rounding may do anything to the depth of random weights; only fp32 is held to PyTorch's."""


class GivenFrames:
    """Pictures, or noise where there are none, on which no accuracy can be claimed; see `SourceFrames`."""

    name = "pictures"
    least = 1

    def __init__(self, size: InputSize, frames: NDArray[np.uint8] | None) -> None:
        noise = np.random.default_rng(0)
        shape = FRAMES, size.height, size.width, 3
        self._frames = noise.integers(0, 256, shape, dtype=np.uint8) if frames is None else frames

    def held_out(self, count: int, size: InputSize) -> Golden:
        """The first ones."""
        frames = self._frames[:count]
        unknown = np.zeros(frames.shape[:3], np.float32)
        return Golden(frames, unknown, unknown)

    training = held_out


def write_random_bundle(
    path: Path,
    module: nn.Module,
    size: InputSize,
    precisions: Sequence[Precision],
    licences: Sequence[Licence] = (),
    frames: NDArray[np.uint8] | None = None,
) -> None:
    """Write a bundle of `module`, (N, H, W, 3) uint8 to (N, H, W) float32, for `size` and at most `size.max_batch`.

    Every layer is quantised, since no accuracy is claimed, calibrated on `frames`, (N, H, W, 3) uint8, or on noise.
    Raises ExportError where torch cannot export it, VerificationError where the fp32 graph differs from PyTorch.
    """
    source = ExportSource(
        name="random",
        module=module,
        model=describe(module, size, "random weights"),
        height=size.height,
        width=size.width,
        frames=GivenFrames(size, frames),
        depth=DepthRange(1e-3, 1e3),
        camera=TrainingCamera(size.width, size.width),
        licences=licences,
    )
    limits = {"fp16": _ANY, "int8": _ANY}
    config = ExportConfig(list(dict.fromkeys(("fp32", *precisions))), size.max_batch, tolerances=limits)
    write_bundle(source, path, config)
