"""What a camera is asked for."""

from dataclasses import dataclass

from clipdepth.errors import UsageError


@dataclass(frozen=True)
class CameraMode:
    """What a camera is asked for, or gives; None for what is left to it or not known."""

    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    fps: float | None = None
    """Frames a second."""
    fourcc: str | None = None
    """The pixel format, four characters, such as MJPG or YUYV."""

    def __post_init__(self) -> None:
        if self.fourcc is not None and not (len(self.fourcc) == 4 and self.fourcc.isascii()):
            raise UsageError(f"'{self.fourcc}' is no pixel format; give four characters, such as MJPG or YUYV")

    def __str__(self) -> str:
        size = f"{self.width or '?'}×{self.height or '?'}" if self.width or self.height else ""
        rate = f"{self.fps:g}/s" if self.fps else ""
        return " ".join(part for part in (size, rate, self.fourcc) if part)
