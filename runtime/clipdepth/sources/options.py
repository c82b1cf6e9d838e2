"""What a source is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipdepth.sources.mode import CameraMode

if TYPE_CHECKING:
    from clipdepth.files.hwaccel import HardwareDecoder
    from clipdepth.sources.live import Reconnect


ANY_MODE = CameraMode()


@dataclass(frozen=True)
class SourceOptions:
    """What a source is asked for; each kind of source takes what concerns it."""

    mode: CameraMode = ANY_MODE
    """Of a camera that has modes."""
    reconnect: Reconnect | None = None
    """How a camera or stream is sought that is away."""
    decoder: HardwareDecoder | None = None
    """What decodes videos and network streams whose codec it knows."""
    topic: str | None = None
    """Which pictures of a bag are read."""
    measured: str | None = None
    """Where a sensor's depth of the pictures is: the topic of a bag, or the folder or pattern of 16-bit PNGs."""
