"""The procedural rooms as a set of RGB-D pairs, rendered on the fly."""

from functools import lru_cache

import numpy as np

from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.data.sample import RgbdPair, Split, View

SECONDS_BETWEEN_FRAMES = 1.5
SECONDS_TO_NEIGHBOUR = 0.33
TEST_ROOMS = 20
FRAMES_A_ROOM = {"train": 40, "test": 10}
# Rooms that are open at the same time: each takes 0.15 s to furnish and 20 MB.
OPEN_ROOMS = 24
# Rooms of the two splits never meet.
FIRST_ROOM = {"train": 0, "test": 1_000_000}


# Those of one window while those of the one before are still being shown.
@lru_cache(maxsize=2 * OPEN_ROOMS)
def _room(seed: int) -> Room:
    return Room(seed)


class RoomsSet:
    """Views of rooms at the size that is asked for: 40 of each of `training_rooms`, or 10 of each of 20 test rooms.

    Depth beyond `max_depth` metres is 0, unknown.
    """

    def __init__(self, split: Split, height: int, width: int, training_rooms: int, max_depth: float) -> None:
        self._first = FIRST_ROOM[split]
        self._frames_a_room = FRAMES_A_ROOM[split]
        self._length = self._frames_a_room * (training_rooms if split == "train" else TEST_ROOMS)
        self._max_depth = max_depth
        self.shuffle_window = OPEN_ROOMS * self._frames_a_room
        self._camera = default_intrinsics(height, width)
        self.focal = (self._camera.fx, self._camera.fy)
        self.centre = (self._camera.cx, self._camera.cy)
        self.picture_size = (height, width)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> RgbdPair:
        room, seconds = self._place(index)
        seen = room.render(seconds, self._camera)
        return RgbdPair(seen.frame, np.where(seen.depth > self._max_depth, np.float32(0), seen.depth))

    def neighbour(self, index: int, after: bool) -> View:
        """See RgbdSet: a third of a second of walking away."""
        room, seconds = self._place(index)
        there = room.render(seconds + (SECONDS_TO_NEIGHBOUR if after else -SECONDS_TO_NEIGHBOUR), self._camera)
        return View(there.frame, np.linalg.inv(there.pose) @ room.path.pose(seconds))

    def _place(self, index: int) -> tuple[Room, float]:
        """The room of a pair, and the moment of its view."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        room, view = divmod(index, self._frames_a_room)
        return _room(self._first + room), view * SECONDS_BETWEEN_FRAMES
