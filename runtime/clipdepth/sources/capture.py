"""What a live source reads: a camera or a network stream that is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Reading:
    """A frame, (H, W, 3) uint8 BGR, and when its sender says that it was taken."""

    frame: NDArray[np.uint8]
    sent: float | None = None
    """Seconds by the sender's clock, from any start; None where it has none."""
    focal_px: float | None = None
    """The focal length in pixels that the camera states; None where it states none."""
    measured: NDArray[np.float32] | None = None
    """See `Captured.measured`."""


class Capture(Protocol):
    """An open camera or stream; the last reference to it closes it."""

    @property
    def fps(self) -> float | None:
        """Frames a second, as it says; None where it does not know."""

    def read(self) -> Reading | None:
        """Wait for the next frame; None where there is none: it is lost."""
