"""A room as a colour camera sees it, and its depth as a depth camera beside it does, by the renderer."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.rooms import RgbdFrame, Room
from clipdepth.rooms.render import cast


def seen_from_beside(room: Room, time: float, camera: Intrinsics, right: float) -> NDArray[np.float32]:
    """The depth, (H, W) metres, of a camera `right` metres to the right of the one that `Room.render` has at `time`."""
    pose = room.path.pose(time).copy()
    pose[:3, 3] += right * pose[:3, 0]
    return np.asarray(cast(room._scene, pose, camera)[0], np.float32)


def colour_and_depth(
    seed: int, colour: Intrinsics, depth: Intrinsics, baseline: float
) -> tuple[RgbdFrame, NDArray[np.float32]]:
    """What the colour camera sees, with its true depth, and the depth of a camera `baseline` metres to its left."""
    room = Room(seed)
    return room.render(1.0, colour), seen_from_beside(room, 1.0, depth, -baseline)
