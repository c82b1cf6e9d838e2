"""Golden frames: a few real frames and the depth PyTorch fp32 made of them, kept in the bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.errors import BundleError
from clipdepth.files.foreign import shortened


@dataclass(frozen=True)
class Golden:
    """Frames at the model's size and what belongs to them.

    `frames` is (N, H, W, 3) uint8 BGR; `depth`, PyTorch fp32's answer, is (N, H, W) float32, metres if metric; `truth`,
    the measured depth, is (N, H, W) float32 metres with 0 where it is unknown. `segmentation`, for a model with SAM,
    is its painted masks, (N, H, W, 3) uint8. `confidence`, (N, H, W) float32 from 0 to 1, and `novelty`, (N,) float32
    above 0, are PyTorch's, for a model that has them.
    """

    frames: NDArray[np.uint8]
    depth: NDArray[np.float32]
    truth: NDArray[np.float32]
    segmentation: NDArray[np.uint8] | None = None
    confidence: NDArray[np.float32] | None = None
    novelty: NDArray[np.float32] | None = None

    @property
    def answer(self) -> Answer:
        """PyTorch's."""
        return Answer(self.depth, self.confidence, self.novelty)

    def save(self, path: Path | BinaryIO) -> None:
        """Write an .npz; the truth is rounded to millimetres."""
        millimetres = np.round(self.truth * 1000).astype(np.uint16)
        arrays: dict[str, Any] = {"frames": self.frames, "depth": self.depth, "truth_mm": millimetres}
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        arrays |= {name: array for name, array in optional.items() if array is not None}
        np.savez_compressed(path, **arrays)

    def at(self, indices: Sequence[int]) -> "Golden":
        """Those frames alone."""
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        parts = {name: array if array is None else array[indices] for name, array in optional.items()}
        return Golden(self.frames[indices], self.depth[indices], self.truth[indices], **parts)


_OPTIONAL = ("segmentation", "confidence", "novelty")
_MOST_BYTES = 256_000_000
"""More than any export writes, unpacked; a small file can unpack to what no memory holds."""


def load_golden(path: Path, height: int, width: int, kind: DepthKind = METRIC) -> Golden:
    """Read golden frames of a model of that input size and kind; raises BundleError where they are not that."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            _require_small(arrays)
            frames, depth, millimetres = (_array(arrays, name) for name in ("frames", "depth", "truth_mm"))
            segmentation, confidence, novelty = (_array(arrays, name) if name in arrays else None for name in _OPTIONAL)
    except Exception as error:  # what numpy, zipfile and zlib raise shares no base class
        raise BundleError(f"{path} cannot be read ({shortened(str(error))}); export the bundle again") from None
    shape = (*frames.shape[:1], height, width)
    if frames.shape != (*shape, 3) or depth.shape != shape or millimetres.shape != shape or not frames.size:
        raise BundleError(f"{path} does not hold frames of {height}×{width}; export the bundle again")
    if (frames.dtype, depth.dtype, millimetres.dtype) != (np.uint8, np.float32, np.uint16):
        raise BundleError(f"{path} does not hold uint8, float32 and uint16 arrays; export the bundle again")
    if not np.isfinite(depth).all() or (kind == METRIC and not (depth > 0).all()):
        raise BundleError(f"{path} holds depth that is not finite and positive; export the bundle again")
    if segmentation is not None and (segmentation.shape, segmentation.dtype) != (frames.shape, np.uint8):
        raise BundleError(f"{path} does not hold a segmentation of {height}×{width} in uint8; export the bundle again")
    if confidence is not None and not _is_confidence(confidence, shape):
        raise BundleError(f"{path} does not hold confidence of {height}×{width} from 0 to 1; export the bundle again")
    if (novelty is None) != (confidence is None) or (novelty is not None and not _is_novelty(novelty, len(frames))):
        raise BundleError(f"{path} does not hold novelty above 0 beside confidence; export the bundle again")
    return Golden(frames, depth, millimetres.astype(np.float32) / 1000, segmentation, confidence, novelty)


def _is_confidence(array: NDArray[Any], shape: tuple[int, ...]) -> bool:
    return array.shape == shape and array.dtype == np.float32 and bool(((array >= 0) & (array <= 1)).all())


def _is_novelty(array: NDArray[Any], frames: int) -> bool:
    shaped = array.shape == (frames,) and array.dtype == np.float32
    return shaped and bool((np.isfinite(array) & (array > 0)).all())


def _array(arrays: np.lib.npyio.NpzFile, name: str) -> Any:
    array = arrays[name]
    if not isinstance(array, np.ndarray):  # numpy gives what is no .npy file as bytes
        raise ValueError(f"{name} is no array")
    return array


def _require_small(arrays: np.lib.npyio.NpzFile) -> None:
    unpacked = sum(entry.file_size for entry in arrays.zip.infolist()) if arrays.zip else 0
    if unpacked > _MOST_BYTES:
        raise ValueError(f"it unpacks to {unpacked} bytes, more than {_MOST_BYTES}")
