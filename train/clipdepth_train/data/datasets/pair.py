"""A pair of a dataset on its way to our layout."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.camera import Camera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth_train.data.sample import Split

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""
Depth = NDArray[np.float32]
"""(H, W) float32 metres along the optical axis; not finite, 0 and below are unknown."""


@dataclass(frozen=True)
class Pair:
    """A picture and its depth: files of the dataset that are listed where they lie, or what reads what is written.

    A depth file is a 16-bit PNG at the scale of its dataset.
    """

    scene: str
    """The sequence it belongs to; names a folder, and may hold slashes."""
    name: str
    """Names it within its scene."""
    camera: Intrinsics
    """Of the picture as it is listed or read."""
    picture: Path | Callable[[], Picture]
    depth: Path | Callable[[], Depth]
    split: Split | None = None
    """As the dataset says; None where it does not, so that whole places are held out."""
    place: str = ""
    """What is held out together, where that is more than the scene."""

    @property
    def held_with(self) -> str:
        """What is in one split as a whole."""
        return self.place or self.scene


@dataclass(frozen=True)
class Options:
    """What a user may say of a dataset; each reader takes what it has a use for."""

    lists: Path | None = None
    """The folder of the lists and tables that do not come with the pictures; None for the dataset's own."""
    with_nyu: bool = False
    """Whether SUN RGB-D's part of NYU Depth v2 is taken, whose test pictures are among it."""
    camera: Camera | None = None
    """The camera of videos, or of pictures beside a depth camera."""
    baseline: float = 0.025
    """How many metres the colour camera is to the right of the depth camera; a Kinect's is 25 mm."""
    depth: Path | None = None
    """The folder of depth videos, where they do not lie beside the videos."""
    picture_topic: str | None = None
    depth_topic: str | None = None
    within: float = 0.02
    """By how many seconds a picture and its depth may differ."""

    @property
    def told(self) -> dict[str, str]:
        """What was said of the cameras, by the field: what is written depends on it. A file is told by its content."""
        told = {} if self.baseline == Options.baseline else {"baseline": f"{self.baseline:g}"}
        if self.camera is None:
            return told
        values = ((field.name, getattr(self.camera, field.name)) for field in fields(self.camera))
        told |= {name: str(value) for name, value in values if value is not None and name != "calibration"}
        file = self.camera.calibration
        return told if file is None or not file.is_file() else {**told, "calibration": _digest(file)}


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
