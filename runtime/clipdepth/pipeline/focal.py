"""The focal lengths with which pictures became metres, for reports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clipdepth.camera.pinhole import Intrinsics, Origin

MOST_NAMED = 3
TEXTS: dict[Origin, str] = {
    "told": "told",
    "metadata": "by the file's own metadata",
    "assumed": "assumed",
    "unknown": "unknown",
}


@dataclass(frozen=True)
class FocalLength:
    """A focal length, and how many frames were filmed with it."""

    origin: Origin
    """Where it comes from."""
    focal_px: float | None
    """In pixels of the frames, the geometric mean of both axes; None where it is unknown."""
    width: int
    height: int
    """Of the frames."""
    frames: int = 0

    @classmethod
    def of(cls, pinhole: Intrinsics) -> "FocalLength":
        """That of a frame's camera, without frames."""
        return cls(pinhole.origin, pinhole.focal if pinhole.is_known else None, pinhole.width, pinhole.height)

    def __str__(self) -> str:
        said = TEXTS[self.origin]
        return said if self.focal_px is None else f"{said}: {self.focal_px:.0f} px at {self.width}×{self.height}"


class FocalLengths:
    """Counts frames by their focal length."""

    def __init__(self) -> None:
        self._frames: dict[FocalLength, int] = {}

    def add(self, pinhole: Intrinsics) -> None:
        """Count a frame."""
        focal = FocalLength.of(pinhole)
        self._frames[focal] = self._frames.get(focal, 0) + 1

    def counted(self) -> list[FocalLength]:
        """Each, with its frames, the most frequent first."""
        pairs = sorted(self._frames.items(), key=lambda pair: -pair[1])
        return [replace(focal, frames=frames) for focal, frames in pairs]


def describe_focal(found: Sequence[FocalLength]) -> str:
    """The focal lengths of a source in a line: the most frequent ones, where there are many."""
    if len(found) < 2:
        return "".join(map(str, found)) or "no frame"
    named = "; ".join(
        f"{focal} in {focal.frames} frame{'s' if focal.frames > 1 else ''}" for focal in found[:MOST_NAMED]
    )
    others = f"; {len(found) - MOST_NAMED} others" if len(found) > MOST_NAMED else ""
    return named + others
