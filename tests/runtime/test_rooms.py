"""Rooms against closed forms, and against a warp from one view into the next that shares no code with them."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import clipdepth.rooms
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.rooms import RgbdFrame, Room, default_intrinsics
from clipdepth.rooms.render import meet_shell, ray_directions
from clipdepth.rooms.shapes import Box, Cylinder, Shape, Sphere
from clipdepth.rooms.surface import Material

PAINT = Material(0)
CAMERA = default_intrinsics(120, 160)
SEEDS = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def rooms() -> list[Room]:
    return [Room(seed) for seed in SEEDS]


def meet(shape: Shape, origin: tuple[float, ...], direction: tuple[float, ...]) -> tuple[float, int]:
    rays = np.array(direction, np.float32)[:, None]
    depth, face = shape.meet(np.array(origin, np.float64), rays)
    return float(depth[0]), int(face[0])


def to_world(view: RgbdFrame) -> NDArray[np.float64]:
    """(H, W, 3) world points by the pinhole equations, in double precision."""
    k, (height, width) = view.intrinsics, view.depth.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    z = view.depth.astype(np.float64)
    seen = np.stack([(x - k.cx) / k.fx * z, (y - k.cy) / k.fy * z, z], -1)
    return np.asarray(seen @ view.pose[:3, :3].T + view.pose[:3, 3])


def warp_error(target: RgbdFrame, source: RgbdFrame, scale: float = 1.0) -> tuple[float, float]:
    """Mean absolute colour error, in [0, 1], of `source` warped into `target` with depth × scale, and the
    share of pixels seen in both.
    """
    scaled = RgbdFrame(target.frame, target.depth * np.float32(scale), target.pose, target.intrinsics)
    seen = (to_world(scaled) - source.pose[:3, 3]) @ source.pose[:3, :3]
    k = source.intrinsics
    u = (seen[..., 0] / seen[..., 2] * k.fx + k.cx).astype(np.float32)
    v = (seen[..., 1] / seen[..., 2] * k.fy + k.cy).astype(np.float32)
    warped = cv2.remap(source.frame.astype(np.float32), u, v, cv2.INTER_LINEAR)
    there = cv2.remap(source.depth, u, v, cv2.INTER_NEAREST)
    inside = (u >= 0) & (u <= k.width - 1) & (v >= 0) & (v <= k.height - 1) & (seen[..., 2] > 0)
    both = inside if scale != 1.0 else inside & (np.abs(there - seen[..., 2]) < 0.03 * seen[..., 2])
    error = np.abs(warped - target.frame).mean(-1) / 255
    return float(error[both].mean()), float(both.mean())


def test_all_is_what_the_module_offers() -> None:
    assert sorted(clipdepth.rooms.__all__) == ["RgbdFrame", "Room", "default_intrinsics"]


def test_default_camera_is_a_kinect() -> None:
    assert default_intrinsics(480, 640) == Intrinsics(640, 480, 518.86, 518.86, 319.5, 239.5)
    small = default_intrinsics(240, 320)
    assert 2 * math.degrees(math.atan(160 / small.fx)) == pytest.approx(63.3, abs=0.1)


def test_box_met_square_on() -> None:
    box = Box((0, 0, 1), (0.5, 0.25, 1), 0.0, PAINT)
    assert meet(box, (-3, 0, 1), (1, 0, 0)) == (2.5, 0)
    assert meet(box, (3, 0, 1), (-1, 0, 0)) == (2.5, 1)
    assert meet(box, (0, -3, 1), (0, 1, 0)) == (2.75, 2)
    assert meet(box, (0.1, 0, 5), (0, 0, -1)) == (3.0, 5)
    assert meet(box, (-3, 0, 1), (-1, 0, 0))[0] == math.inf
    assert meet(box, (-3, 0.3, 1), (1, 0, 0))[0] == math.inf


def test_turned_box_is_met_at_its_edge() -> None:
    cube = Box((0, 0, 0), (1, 1, 1), math.pi / 4, PAINT)
    assert meet(cube, (-4, 0.1, 0), (1, 0, 0))[0] == pytest.approx(4 - math.sqrt(2) + 0.1, abs=1e-5)
    oblong = Box((1, 2, 0), (2, 0.5, 1), math.pi / 2, PAINT)
    assert meet(oblong, (-3, 2, 0), (1, 0, 0))[0] == pytest.approx(3.5, abs=1e-5)


def test_depth_counts_in_directions_not_metres() -> None:
    box = Box((0, 0, 1), (0.5, 0.5, 1), 0.0, PAINT)
    assert meet(box, (-3.5, 0, 1), (1.5, 0.1, 0.1))[0] == pytest.approx(2.0, abs=1e-6)


def test_sphere() -> None:
    ball = Sphere((0, 0, 1), 0.5, PAINT)
    assert meet(ball, (-2, 0, 1), (1, 0, 0))[0] == pytest.approx(1.5, abs=1e-6)
    assert meet(ball, (-2, 0.3, 1), (1, 0, 0))[0] == pytest.approx(1.6, abs=1e-6)
    assert meet(ball, (-2, 0.51, 1), (1, 0, 0))[0] == math.inf
    assert meet(ball, (2, 0, 1), (1, 0, 0))[0] == math.inf


def test_cylinder() -> None:
    tin = Cylinder((0, 0, 1), 0.5, 1.0, PAINT)
    depth, face = meet(tin, (-2, 0.3, 1.5), (1, 0, 0))
    assert depth == pytest.approx(1.6, abs=1e-6)
    assert face == 0
    assert meet(tin, (0.2, 0.2, 4), (0, 0, -1)) == (2.0, 2)
    assert meet(tin, (0.2, 0.2, -1), (0, 0, 1)) == (1.0, 1)
    assert meet(tin, (0.4, 0.4, 4), (0, 0, -1))[0] == math.inf
    assert meet(tin, (-2, 0, 2.1), (1, 0, 0))[0] == math.inf
    assert meet(tin, (-2, 0, 3), (1, 0, -0.75))[0] == pytest.approx(1.5, abs=1e-6)


def test_walls_are_planes_in_depth() -> None:
    pose = np.eye(4)
    pose[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    pose[:3, 3] = (1.0, 2.0, 1.2)
    camera = Intrinsics(9, 9, 4.0, 4.0, 4.0, 4.0)
    depth, face = meet_shell(np.array([4.0, 5.0, 2.5]), pose[:3, 3], ray_directions(pose, camera))
    assert depth[4, 4] == 3.0
    assert face[4, 4] == 1
    # Left of the axis by 4/4: the side wall y = 5 is 3 m away, as is the far wall; below by 4/4: the floor.
    np.testing.assert_allclose(depth[4], [3, 3, 3, 3, 3, 3, 3, 8 / 3, 2], rtol=1e-6)
    np.testing.assert_allclose(depth[8, 4], 1.2, rtol=1e-6)
    np.testing.assert_allclose(depth[0, 4], 1.3, rtol=1e-6)
    assert (face[8, 4], face[0, 4], face[4, 8]) == (4, 5, 2)


@pytest.mark.parametrize(
    ("shape", "outside", "metres"),
    [
        (Box((0, 0, 0), (1, 1, 1), 0.0, PAINT), (2, 2, 0), math.sqrt(2)),
        (Box((0, 0, 0), (1, 1, 1), math.pi / 4, PAINT), (2, 0, 0), 2 - math.sqrt(2)),
        (Cylinder((0, 0, 0), 1.0, 1.0, PAINT), (3, 4, 1), 4.0),
        (Sphere((0, 0, 0), 1.0, PAINT), (0, 3, 4), 4.0),
    ],
)
def test_distance(shape: Shape, outside: tuple[float, ...], metres: float) -> None:
    points = np.array([outside, (0, 0, 0)], np.float64)
    distances = shape.distance(points)
    assert distances[0] == pytest.approx(metres)
    assert distances[1] < 0


def test_frame_types_and_values(rooms: list[Room]) -> None:
    view = rooms[0].render(1.5, CAMERA)
    assert view.frame.shape == (120, 160, 3)
    assert view.frame.dtype == np.uint8
    assert view.depth.shape == (120, 160)
    assert view.depth.dtype == np.float32
    assert view.pose.shape == (4, 4)
    assert view.pose.dtype == np.float64
    assert view.intrinsics == CAMERA
    np.testing.assert_allclose(view.pose[:3, :3] @ view.pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.pose[:3, :3]) == pytest.approx(1.0)
    assert view.pose[2, 1] < -0.5, "the camera's y points down"


def test_every_pixel_lies_on_a_surface_of_the_room(rooms: list[Room]) -> None:
    for room in rooms:
        view = room.render(7.0, CAMERA)
        points = to_world(view)
        assert np.isfinite(view.depth).all()
        assert view.depth.min() > 0.2
        to_shell = np.minimum(points, room.size - points).min(-1)
        assert to_shell.min() > -1e-5, "nothing is seen through the walls"
        gaps = np.stack([np.abs(shape.distance(points)) for shape in room.shapes])
        assert np.minimum(gaps.min(0), np.abs(to_shell)).max() < 2e-5


def test_nothing_nearer_is_overlooked(rooms: list[Room]) -> None:
    """Bounding boxes on screen must not cut shapes off: every shape is met again over the whole picture."""
    for room in rooms:
        for time in (0.0, 9.0, 21.0):
            view = room.render(time, CAMERA)
            rays = ray_directions(view.pose, CAMERA)
            nearest, _ = meet_shell(room.size, view.pose[:3, 3], rays)
            for shape in room.shapes:
                nearest = np.minimum(nearest, shape.meet(view.pose[:3, 3], rays)[0])
            np.testing.assert_array_equal(view.depth, nearest)


def test_neighbouring_views_agree_where_both_see(rooms: list[Room]) -> None:
    for room in rooms:
        for time in (2.0, 12.0, 26.0):
            target, source = room.render(time, CAMERA), room.render(time + 1 / 30, CAMERA)
            error, share = warp_error(target, source)
            assert error < 0.02, f"seed {room.seed}, {time} s"
            assert share > 0.8


def test_true_depth_warps_best(rooms: list[Room]) -> None:
    """Over half a second of walking; averaged over a few moments, since a blank wall alone tells little."""
    errors = np.zeros(3)
    for room in rooms:
        for time in (2.0, 12.0, 26.0):
            target, source = room.render(time, CAMERA), room.render(time + 0.5, CAMERA)
            errors += [warp_error(target, source, scale)[0] for scale in (0.8, 1.0, 1.25)]
    assert errors[1] < 0.7 * errors[0]
    assert errors[1] < 0.7 * errors[2]


def test_same_bits_in_any_order() -> None:
    first, second = Room(5), Room(5)
    late, early = first.render(3.0, CAMERA), first.render(1.0, CAMERA)
    for view, time in ((early, 1.0), (late, 3.0)):
        again = second.render(time, CAMERA)
        np.testing.assert_array_equal(view.frame, again.frame)
        np.testing.assert_array_equal(view.depth, again.depth)
        np.testing.assert_array_equal(view.pose, again.pose)


def test_picture_size_does_not_move_the_camera(rooms: list[Room]) -> None:
    large, small = rooms[0].render(4.0, default_intrinsics(240, 480)), rooms[0].render(4.0, CAMERA)
    np.testing.assert_array_equal(large.pose, small.pose)


def test_seeds_differ(rooms: list[Room]) -> None:
    views = [room.render(0.0, CAMERA) for room in rooms]
    assert len({room.size.tobytes() for room in rooms}) == len(rooms)
    assert len({view.frame.tobytes() for view in views}) == len(rooms)
    assert len({view.depth.tobytes() for view in views}) == len(rooms)


def test_camera_keeps_clear_and_walks_at_a_walking_pace(rooms: list[Room]) -> None:
    for room in rooms:
        places = np.array([room.path.position(n / 10) for n in range(1200)])
        assert (np.minimum(places, room.size - places) > 0.35).all()
        assert min(shape.distance(places).min() for shape in room.shapes) > 0.35
        assert places[:, 2].min() > 0.9
        assert places[:, 2].max() < 1.8
        speeds = np.linalg.norm(np.diff(places, axis=0), axis=1) * 10
        assert 0.25 < speeds.mean() < 0.65
        assert speeds.max() < 1.0


def test_neighbouring_frames_turn_gently(rooms: list[Room]) -> None:
    for room in rooms:
        for time in np.arange(0, 30, 0.5):
            a, b = room.path.pose(time), room.path.pose(time + 1 / 30)
            cosine = (np.trace(a[:3, :3].T @ b[:3, :3]) - 1) / 2
            assert math.degrees(math.acos(min(cosine, 1.0))) < 3
