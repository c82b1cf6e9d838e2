"""Furnished rooms that the computer draws: an endless source that needs no camera and no file."""

from collections.abc import Iterator
from itertools import count

from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sources import Captured

FPS = 30
FRAMES_A_ROOM = 10 * FPS
HEIGHT, WIDTH = 480, 640


class RoomsSource:
    """A camera that moves through one room for ten seconds, then through the next, without end."""

    live = False
    timed = True
    fps = float(FPS)
    frame_count = None
    losses = 0
    is_lost = False

    def __init__(self, seed: int) -> None:
        self.name = f"rooms:{seed}"
        self._seed = seed

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`."""
        intrinsics = default_intrinsics(HEIGHT, WIDTH)
        for number in count():
            room = Room(self._seed + number)
            for step in range(FRAMES_A_ROOM):
                index = number * FRAMES_A_ROOM + step
                frame = room.render(step / FPS, intrinsics).frame
                yield Captured(frame, index / FPS, index, focal_px=intrinsics.fx)

    def close(self) -> None:
        """See `Source.close`."""

    def __enter__(self) -> "RoomsSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
