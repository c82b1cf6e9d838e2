"""Plain pictures, without measured depth, as the frames of an export."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.golden import Golden
from clipdepth.camera.resize import resize_frame
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

    def __init__(self, spec: str, height: int, width: int) -> None:
        self.name, self._size = spec, (height, width)

    def held_out(self, count: int) -> Golden:
        """Every third picture."""
        return _golden(self._frames[_EVERY // 2 :: _EVERY] or self._frames, count)

    def training(self, count: int) -> Golden:
        """The other pictures."""
        return _golden([frame for i, frame in enumerate(self._frames) if i % _EVERY != _EVERY // 2], count)

    @cached_property
    def _frames(self) -> list[NDArray[np.uint8]]:
        """Between 96 and 191 frames, evenly spread over the source, or all of a shorter one."""
        kept, step = list[NDArray[np.uint8]](), 1
        with open_source(self.name) as source:
            if source.live or source.frame_count is None:
                raise UsageError(f"{self.name} has no end; give a folder of pictures or a video")
            for captured in source:
                if captured.index % step:
                    continue
                kept.append(resize_frame(captured.frame, *self._size))
                if len(kept) == 2 * _KEPT:
                    kept, step = kept[::2], 2 * step
        if not kept:
            raise UsageError(f"{self.name} has no picture; give a folder of pictures or a video")
        return kept


def _golden(frames: list[NDArray[np.uint8]], count: int) -> Golden:
    chosen = [frames[i] for i in evenly_spread(len(frames), count)]
    unknown = np.zeros((len(chosen), *frames[0].shape[:2]), np.float32)
    return Golden(np.stack(chosen), unknown, unknown)
