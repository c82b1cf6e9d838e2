"""How far an engine's depth is from PyTorch's: the one check behind export, verify and bench."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Agreement:
    """The relative depth difference |d - r| / r over all pixels of all frames, r being PyTorch fp32's depth.

    It is true when it passes: everything finite and the mean within `tolerance`.
    """

    frames: int
    mean: float
    p99: float
    largest: float
    finite: bool
    tolerance: float

    def __bool__(self) -> bool:
        return self.finite and self.mean <= self.tolerance

    def __str__(self) -> str:
        verdict = "agrees with" if self else "differs from"
        if not self.finite:
            return f"{verdict} PyTorch: its depth has NaN or infinite values"
        return (
            f"{verdict} PyTorch: relative depth difference mean {self.mean:.2g}, p99 {self.p99:.2g}, "
            f"largest {self.largest:.2g} over {self.frames} frames (tolerance {self.tolerance:g} on the mean)"
        )


def compare_depth(depth: NDArray[np.float32], reference: NDArray[np.float32], tolerance: float) -> Agreement:
    """Compare an engine's depth with PyTorch's, both (N, H, W) float32 metres, the reference positive.

    Raises ValueError when the shapes differ.
    """
    if depth.shape != reference.shape:
        raise ValueError(f"the depth is {depth.shape}, the reference {reference.shape}")
    if not np.isfinite(depth).all():
        # Zeros and not NaN, so that the manifest and the reports stay valid JSON.
        return Agreement(len(depth), 0.0, 0.0, 0.0, False, tolerance)
    difference = np.abs(depth.astype(np.float64) - reference) / reference
    return Agreement(
        frames=len(depth),
        mean=float(difference.mean()),
        p99=float(np.percentile(difference, 99)),
        largest=float(difference.max()),
        finite=True,
        tolerance=tolerance,
    )
