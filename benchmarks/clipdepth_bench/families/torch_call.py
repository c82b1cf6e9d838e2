"""A PyTorch model as an engine: arrays in, arrays out, timed on its own device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clipdepth.bundle.answer import Answer
from clipdepth_bench.measure.duration import Duration


class Mark(Protocol):
    """A point in a device's queue of work, as `torch.cuda.Event` with its timing enabled."""

    def record(self) -> None:
        """Pass it when all before it is done."""

    def elapsed_time(self, end: Any) -> float:
        """Milliseconds from here to `end`, both passed."""


class HostMark:
    """The same on the CPU, which does its work when it is told."""

    def record(self) -> None:
        """See `Mark`."""
        self.time = perf_counter()

    def elapsed_time(self, end: "HostMark") -> float:
        """See `Mark`."""
        return (end.time - self.time) * 1000


class TorchCall:
    """Runs `model`, which takes (N, H, W, 3) uint8 frames on `device` and gives (N, H, W) float depth.

    With `tf32`, convolutions on a GPU may round to TF32, as they do in PyTorch unless one forbids it.
    """

    def __init__(self, model: Callable[[Tensor], Tensor], device: torch.device, tf32: bool = False) -> None:
        self._model, self._device, self._tf32 = model, device, tf32
        self._gpu = device.type == "cuda"

    def __call__(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`; a model with SAM is not timed."""
        depth, _ = self._run(frames)
        return Answer(depth)

    def measure(self, frames: NDArray[np.uint8]) -> Duration:
        """See `Measure`; by events on a GPU."""
        _, duration = self._run(frames)
        return duration

    @torch.inference_mode()
    def _run(self, frames: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Duration]:
        with _convolutions_in_tf32(self._tf32):
            return self._timed(frames)

    def _timed(self, frames: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Duration]:
        marks = [self._mark() for _ in range(4)]
        given = torch.from_numpy(frames)
        marks[0].record()
        frame = given.to(self._device)
        marks[1].record()
        answer = self._model(frame)
        marks[2].record()
        depth: NDArray[np.float32] = answer.float().cpu().numpy()
        marks[3].record()
        if self._gpu:
            torch.cuda.synchronize(self._device)
        first, before, after, last = marks
        return depth, Duration(first.elapsed_time(last) / 1000, before.elapsed_time(after) / 1000)

    def _mark(self) -> Mark:
        event: Any = torch.cuda.Event
        mark: Mark = event(enable_timing=True) if self._gpu else HostMark()
        return mark


@contextmanager
def _convolutions_in_tf32(allowed: bool) -> Iterator[None]:
    """cuDNN's use of TF32 inside alone: the flag is global, and contenders take turns in one process."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def weight_bytes(model: nn.Module) -> int:
    """The size of its weights and buffers, as a checkpoint would hold them."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
