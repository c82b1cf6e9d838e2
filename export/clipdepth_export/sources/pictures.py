"""Plain pictures, without measured depth, as the frames of an export."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.letterbox import Letterbox
from clipdepth.errors import UsageError
from clipdepth.sources import open_source
from clipdepth_export.reference import HELD_OUT
from clipdepth_export.variants import CALIBRATION_FRAMES
from clipdepth_train.data.sample import evenly_spread

_KEPT = HELD_OUT + CALIBRATION_FRAMES
_EVERY = 3
"""Every third picture is held out, the others are for calibration."""


class PictureFrames:
    """The frames of any source that ends, a folder, a video or a pattern; see `SourceFrames`."""

    least = 16

    def __init__(self, spec: str) -> None:
        self.name = spec
        self._kept: dict[InputSize, list[NDArray[np.uint8]]] = {}

    def held_out(self, count: int, size: InputSize) -> Golden:
        """Every third picture."""
        frames = self._frames(size)
        return _golden(frames[_EVERY // 2 :: _EVERY] or frames, count)

    def training(self, count: int, size: InputSize) -> Golden:
        """The other pictures."""
        return _golden([frame for i, frame in enumerate(self._frames(size)) if i % _EVERY != _EVERY // 2], count)

    def _frames(self, size: InputSize) -> list[NDArray[np.uint8]]:
        if size not in self._kept:
            self._kept[size] = self._read(size)
        return self._kept[size]

    def _read(self, size: InputSize) -> list[NDArray[np.uint8]]:
        """Between 96 and 191 frames, evenly spread over the source, or all of a shorter one."""
        kept, step = list[NDArray[np.uint8]](), 1
        with open_source(self.name) as source:
            if source.live or source.frame_count is None:
                raise UsageError(f"{self.name} has no end; give a folder of pictures or a video")
            for captured in source:
                if captured.index % step:
                    continue
                height, width = captured.frame.shape[:2]
                kept.append(Letterbox.of(height, width, size.height, size.width).picture(captured.frame))
                if len(kept) == 2 * _KEPT:
                    kept, step = kept[::2], 2 * step
        if not kept:
            raise UsageError(f"{self.name} has no picture; give a folder of pictures or a video")
        return kept


def _golden(frames: list[NDArray[np.uint8]], count: int) -> Golden:
    chosen = [frames[i] for i in evenly_spread(len(frames), count)]
    unknown = np.zeros((len(chosen), *frames[0].shape[:2]), np.float32)
    return Golden(np.stack(chosen), unknown, unknown)
