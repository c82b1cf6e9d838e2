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
    assert pairs.centre == (camera.cx, camera.cy)


@pytest.mark.parametrize(
    ("split", "index", "room", "seconds"),
    [("train", 0, 0, 0.0), ("train", 41, 1, 1.5), ("test", 0, 1_000_000, 0.0), ("test", 9, 1_000_000, 13.5)],
)
def test_a_pair_is_a_view_of_its_room(split: Split, index: int, room: int, seconds: float) -> None:
    pair = opened(split)[index]
    seen = Room(room).render(seconds, default_intrinsics(12, 16))
    np.testing.assert_array_equal(pair.frame, seen.frame)
    np.testing.assert_array_equal(pair.depth, seen.depth)


@pytest.mark.parametrize(("index", "after", "seconds"), [(0, True, 0.33), (0, False, -0.33), (43, True, 4.83)])
def test_a_neighbour_is_a_third_of_a_second_away(index: int, after: bool, seconds: float) -> None:
    view, camera = opened("train").neighbour(index, after), default_intrinsics(12, 16)
    room, time = Room(index // 40), 1.5 * (index % 40)
    here, there = room.render(time, camera), room.render(seconds, camera)
    np.testing.assert_array_equal(view.frame, there.frame)
    # By its pose and the neighbour's own, a point before the camera is at the same place of the room.
    point = np.array([0.4, -0.3, 2.0, 1.0])
    np.testing.assert_allclose(there.pose @ (view.pose @ point), here.pose @ point, atol=1e-12)
    assert 0.05 < np.linalg.norm(view.pose[:3, 3]) < 1


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
