"""The procedural rooms as training and test data."""

import numpy as np
import pytest

from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.data.rooms import RoomsSet
from clipdepth_train.data.sample import Split


def opened(split: Split, rooms: int = 2) -> RoomsSet:
    return RoomsSet(split, 12, 16, rooms, 10.0)


def test_sizes() -> None:
    assert len(opened("train", 2)) == 80
    assert len(opened("train", 50)) == 2000
    assert len(opened("test", 2)) == 200
    pairs = opened("train")
    camera = default_intrinsics(12, 16)
    assert pairs.picture_size == (12, 16)
    assert pairs.focal == (camera.fx, camera.fy)


@pytest.mark.parametrize(
    ("split", "index", "room", "seconds"),
    [("train", 0, 0, 0.0), ("train", 41, 1, 1.5), ("test", 0, 1_000_000, 0.0), ("test", 9, 1_000_000, 13.5)],
)
def test_a_pair_is_a_view_of_its_room(split: Split, index: int, room: int, seconds: float) -> None:
    pair = opened(split)[index]
    seen = Room(room).render(seconds, default_intrinsics(12, 16))
    np.testing.assert_array_equal(pair.frame, seen.frame)
    np.testing.assert_array_equal(pair.depth, seen.depth)


def test_no_training_room_is_a_test_room(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Seen(Room):
        def __init__(self, seed: int) -> None:
            asked.append(seed)
            super().__init__(0)

    monkeypatch.setattr("clipdepth_train.data.rooms._room", Seen)
    opened("train", 3)[119]
    opened("test", 3)[0]
    opened("test", 3)[199]
    assert asked == [2, 1_000_000, 1_000_019]


def test_depth_beyond_the_limit_is_unknown() -> None:
    exact = Room(0).render(0.0, default_intrinsics(12, 16)).depth
    limit = float(np.median(exact))
    depth = RoomsSet("train", 12, 16, 1, limit)[0].depth
    np.testing.assert_array_equal(depth, np.where(exact > limit, 0, exact))
    assert (depth == 0).any()


@pytest.mark.parametrize("split", ["train", "test"])
def test_indices_outside_are_refused(split: Split) -> None:
    pairs = opened(split)
    for index in (-1, len(pairs)):
        with pytest.raises(IndexError):
            pairs[index]
