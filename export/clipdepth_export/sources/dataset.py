"""Frames of a dataset with measured depth, as the frames of an export."""

from dataclasses import replace

from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import InputSize
from clipdepth_export.reference import spread_frames
from clipdepth_export.variants import CALIBRATION_FRAMES
from clipdepth_train.data.loader import open_set
from clipdepth_train.recipe import DataConfig


class DatasetFrames:
    """The frames of a dataset, as `frames` says to read them; see `SourceFrames`."""

    least = CALIBRATION_FRAMES

    def __init__(self, data: str, frames: DataConfig) -> None:
        self.name, self._frames = data, frames
        self._held_out = open_set(data, "test", frames)

    def held_out(self, count: int, size: InputSize) -> Golden:
        """Test frames."""
        return spread_frames(self._held_out, self._frames, size, count)

    def training(self, count: int, size: InputSize) -> Golden:
        """Training frames."""
        frames = replace(self._frames, dense=False)
        return spread_frames(open_set(self.name, "train", frames), frames, size, count)
