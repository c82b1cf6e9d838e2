"""What an export starts from: a network behind the frame contract, and what a bundle has to say of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from clipdepth.bundle.golden import Golden
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import Accuracy, DepthRange, InputSize, Licence, Model, TrainingCamera
from clipdepth_train.segmentation import SamConfig


class SourceFrames(Protocol):
    """The pictures that an export looks at, fitted into an input of the model, with no depth of the model's yet."""

    @property
    def name(self) -> str:
        """What they are of, for messages."""

    @property
    def least(self) -> int:
        """How many training frames int8 needs at least."""

    def held_out(self, count: int, size: InputSize) -> Golden:
        """At most `count` frames, evenly spread, that graphs of that size are held to PyTorch on."""

    def training(self, count: int, size: InputSize) -> Golden:
        """At most `count` others, evenly spread, that the ranges of fp16 and int8 are taken from."""


@dataclass(frozen=True)
class ExportSource:
    """A model that can be exported.

    `module` takes frames, (N, H, W, 3) uint8 BGR at `height` × `width`, and gives (N, H, W) float32; with `sam` it
    takes SAM's segmentation, (N, H, W, 3) uint8, as well. It is on the CPU and in eval mode.
    """

    name: str
    """Of the bundle, where --out says no other."""
    module: nn.Module
    model: Model
    height: int
    width: int
    frames: SourceFrames
    depth: DepthRange | None
    """Metres that the module can answer; None where its answer is not in metres."""
    camera: TrainingCamera | None
    """In pixels of the input; None where nobody knows."""
    licences: Sequence[Licence]
    kind: DepthKind = METRIC
    trained: nn.Module | None = None
    """The module as it was trained, where `module` is a simplified form of it that has to give the same."""
    sam: SamConfig | None = None
    accuracy: Sequence[Accuracy] = ()
    """What the model was measured to be worth."""
    other_sizes: Sequence[tuple[int, int]] = ()
    """Heights and widths of further inputs that the network was made for."""
    confident: bool = False
    """Whether `module` and `trained` give confidence beside depth, (N, H, W) float32 from 0 to 1, and novelty, (N,)."""
    write_weights: Callable[[Path], None] | None = None
    """Writes the weights to train on from; None where clipdepth cannot train the network."""

    @property
    def inputs(self) -> list[str]:
        """The names of the graph's inputs."""
        return ["frame", "segmentation"] if self.sam else ["frame"]
