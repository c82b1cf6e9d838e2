"""Golden frames: a few real frames and the depth PyTorch fp32 made of them, kept in the bundle."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import BundleError


@dataclass(frozen=True)
class Golden:
    """Frames at the model's size and what belongs to them.

    `frames` is (N, H, W, 3) uint8 BGR; `depth`, PyTorch fp32's answer, is (N, H, W) float32 metres; `truth`,
    the measured depth, is (N, H, W) float32 metres with 0 where it is unknown.
    """

    frames: NDArray[np.uint8]
    depth: NDArray[np.float32]
    truth: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write an .npz; the truth is rounded to millimetres."""
        millimetres = np.round(self.truth * 1000).astype(np.uint16)
        np.savez_compressed(path, frames=self.frames, depth=self.depth, truth_mm=millimetres)


def load_golden(path: Path, height: int, width: int) -> Golden:
    """Read golden frames of a model of that input size; raises BundleError where they are not that."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            frames, depth, millimetres = arrays["frames"], arrays["depth"], arrays["truth_mm"]
    except Exception as error:  # what numpy, zipfile and zlib raise shares no base class
        raise BundleError(f"{path} cannot be read ({error}); export the bundle again") from None
    shape = (*frames.shape[:1], height, width)
    if frames.shape != (*shape, 3) or depth.shape != shape or millimetres.shape != shape or not frames.size:
        raise BundleError(f"{path} does not hold frames of {height}×{width}; export the bundle again")
    if (frames.dtype, depth.dtype, millimetres.dtype) != (np.uint8, np.float32, np.uint16):
        raise BundleError(f"{path} does not hold uint8, float32 and uint16 arrays; export the bundle again")
    if not (np.isfinite(depth) & (depth > 0)).all():
        raise BundleError(f"{path} holds depth that is not finite and positive; export the bundle again")
    return Golden(frames, depth, millimetres.astype(np.float32) / 1000)
