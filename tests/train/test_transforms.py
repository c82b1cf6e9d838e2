"""Joint augmentation: what happens to the picture happens to its depth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from clipdepth.errors import UsageError
from clipdepth.rooms.frame import default_intrinsics
from clipdepth.rooms.room import Room
from clipdepth_train.data import transforms
from clipdepth_train.data.camera import camera_of
from clipdepth_train.data.sample import RgbdPair, View
from clipdepth_train.data.transforms import (
    Tilt,
    augment_pair,
    augment_views,
    augment_warped,
    augmentation,
    image_of,
    pair_seed,
)
from clipdepth_train.recipe import AugmentConfig, DataConfig, ViewConfig
from train.memory_set import MemorySet, coordinate_depth, coordinate_frame

HEIGHT, WIDTH = 64, 96
STILL = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0)
SAME_SIZE = DataConfig(HEIGHT, WIDTH)


def pair() -> RgbdPair:
    return RgbdPair(coordinate_frame(HEIGHT, WIDTH, 2), coordinate_depth(HEIGHT, WIDTH))


CAMERA = camera_of(MemorySet([pair()]))


def constant(metres: float) -> RgbdPair:
    return RgbdPair(coordinate_frame(HEIGHT, WIDTH, 2), np.full((HEIGHT, WIDTH), metres, np.float32))


def augmented(given: RgbdPair, transform: v2.Compose, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    batch = augment_pair(given, transform, seed)
    assert batch.keys() == {"frame", "depth"}
    frame, depth = batch["frame"], batch["depth"]
    assert frame.dtype == torch.uint8
    assert depth.dtype == torch.float32
    assert type(frame) is type(depth) is Tensor
    return frame.numpy(), depth.numpy()


def pixels_by_depth(transform: v2.Compose, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The row and column each pixel of depth was taken from; NaN where it is unknown or near such."""
    _, encoded = augmented(pair(), transform, seed)
    # The same draw on depth of a metre tells what depth was divided by.
    _, scale = augmented(constant(1.0), transform, seed)
    known = torch.nn.functional.max_pool2d(torch.tensor(scale == 0)[None].float(), 5, 1, 2)[0].numpy() == 0
    number = np.rint((encoded / np.where(known, scale, 1) - 1) * 1000)
    rows, columns = np.divmod(number, WIDTH)
    return np.where(known, rows, np.nan), np.where(known, columns, np.nan)


@pytest.mark.parametrize(
    "augment",
    [
        AugmentConfig(rotate=10, zoom=1, flip=0, jitter=0),
        AugmentConfig(rotate=0, zoom=1.5, flip=0, jitter=0),
        AugmentConfig(rotate=0, zoom=1, flip=1, jitter=0),
        AugmentConfig(rotate=0, tilt=5, zoom=1, flip=0, jitter=0),
        AugmentConfig(rotate=10, tilt=5, zoom=1.5, flip=0.5, jitter=0),
    ],
    ids=["rotated", "zoomed", "flipped", "tilted", "all"],
)
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (48, 80), (96, 128)], ids=["same", "smaller", "larger"])
def test_picture_and_depth_still_show_the_same_pixel(augment: AugmentConfig, size: tuple[int, int]) -> None:
    transform = augmentation(DataConfig(*size), augment, CAMERA)
    # A picture is interpolated and depth is not, so they may differ by half a pixel of the larger grid, and uint8
    # rounding adds a quarter. A turn and a tilt each round depth's pixels.
    rounded = 2 if augment.rotate and augment.tilt else 1
    tolerance = rounded * 0.8 * max(1.0, HEIGHT / size[0], WIDTH / size[1]) + 0.3
    for seed in range(5):
        frame, _ = augmented(pair(), transform, seed)
        rows, columns = pixels_by_depth(transform, seed)
        # Rotation and resize mix the picture's outermost pixels with the black beyond them.
        inside = (rows >= 3) & (rows <= HEIGHT - 4) & (columns >= 3) & (columns <= WIDTH - 4)
        assert inside.mean() > 0.5
        assert frame.shape == (*size, 3)
        assert np.abs(frame[..., 1] / 2 - rows)[inside].max() <= tolerance
        assert np.abs(frame[..., 2] / 2 - columns)[inside].max() <= tolerance


def test_without_augmentation_nothing_changes() -> None:
    frame, depth = augmented(pair(), augmentation(SAME_SIZE, STILL, CAMERA), 0)
    np.testing.assert_array_equal(frame, pair().frame)
    np.testing.assert_array_equal(depth, pair().depth)


def test_a_flip_is_exact() -> None:
    frame, depth = augmented(
        pair(), augmentation(SAME_SIZE, AugmentConfig(rotate=0, zoom=1, flip=1, jitter=0), CAMERA), 0
    )
    np.testing.assert_array_equal(frame, pair().frame[:, ::-1])
    np.testing.assert_array_equal(depth, pair().depth[:, ::-1])


def test_half_of_the_pairs_are_flipped() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=0, zoom=1, flip=0.5, jitter=0), CAMERA)
    flipped = [augmented(pair(), transform, seed)[0][0, 0, 2] > 0 for seed in range(60)]
    assert 15 < sum(flipped) < 45


def test_a_rotation_stays_within_its_angle_and_leaves_its_corners_unknown() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=10, zoom=1, flip=0, jitter=0), CAMERA)
    angles, seen = [], set[float]()
    for seed in range(20):
        rows, columns = pixels_by_depth(transform, seed)
        middle, left, right = HEIGHT // 2, WIDTH // 2 - 20, WIDTH // 2 + 20
        rise = rows[middle, right] - rows[middle, left]
        angles.append(np.degrees(np.arctan2(rise, columns[middle, right] - columns[middle, left])))
        _, depth = augmented(constant(3.0), transform, seed)
        seen |= set(np.unique(depth).tolist())
    assert seen == {0, 3}
    assert np.abs(angles).max() <= 10 + 1.5  # a pixel in 40
    assert min(angles) < -3
    assert max(angles) > 3


def test_a_zoom_divides_depth_by_its_factor() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=0, zoom=1.5, flip=0, jitter=0), CAMERA)
    factors = []
    for seed in range(20):
        frame, depth = augmented(constant(6.0), transform, seed)
        factor = 6 / depth.max()
        assert set(np.unique(depth)) <= {0, depth.max()}, "a row or a column may be filled"
        # The picture's own zoom, by how many columns and rows of the original it still spans.
        columns, rows = (np.ptp(frame[..., channel].astype(float)) / 2 for channel in (2, 1))
        assert columns + 1 == pytest.approx(WIDTH / factor, abs=1.6)
        assert rows + 1 == pytest.approx(HEIGHT / factor, abs=1.6)
        factors.append(factor)
    assert 1 <= min(factors) < 1.15
    assert 1.35 < max(factors) <= 1.5 + 1e-4


class Standing:
    """A path of one pose."""

    def __init__(self, pose: NDArray[np.float64]) -> None:
        self._pose = pose

    def pose(self, time: float) -> NDArray[np.float64]:
        return self._pose


def test_a_tilt_shows_what_the_renderer_sees_from_the_turned_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    intrinsics, room = default_intrinsics(120, 160), Room(3)
    matrix = np.array([[intrinsics.fx, 0, intrinsics.cx], [0, intrinsics.fy, intrinsics.cy], [0, 0, 1]])
    before = room.render(2.0, intrinsics)
    parts = [image_of(before.frame), tv_tensors.Mask(before.depth)]
    for seed in range(4):
        torch.manual_seed(seed)
        tilt = Tilt(8, matrix)
        params = tilt.make_params(parts)
        image, depth = (tilt.transform(part, params).numpy() for part in parts)
        pose = before.pose.copy()
        pose[:3, :3] = pose[:3, :3] @ params["turn"].T
        monkeypatch.setattr(room, "path", Standing(pose))
        seen = room.render(2.0, intrinsics)
        known = depth > 0
        assert 0.6 < known.mean() < 1
        ratio = (depth / seen.depth)[known]
        # Edges move by up to half a pixel, and slopes with them; nothing else does.
        assert np.median(np.abs(ratio - 1)) < 0.004
        assert np.mean(np.abs(ratio - 1) > 0.05) < 0.03
        apart = np.abs(image[::-1].transpose(1, 2, 0).astype(int) - seen.frame)[known]
        assert np.median(apart) <= 4
        # As a check of the check: without the division depth is another.
        assert np.median(np.abs(before.depth[known] / seen.depth[known] - 1)) > 0.01


def test_jitter_changes_colours_and_no_depth() -> None:
    grey = RgbdPair(np.full((HEIGHT, WIDTH, 3), [60, 100, 140], np.uint8), coordinate_depth(HEIGHT, WIDTH))
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0.2), CAMERA)
    means = []
    for seed in range(30):
        frame, depth = augmented(grey, transform, seed)
        np.testing.assert_array_equal(depth, grey.depth)
        means.append(frame.mean())
        assert frame[0, 0, 0] < frame[0, 0, 1] < frame[0, 0, 2]
    # The mean of a picture of one colour is moved by brightness alone, up to the luma's rounding.
    assert 100 * 0.8 - 6 <= min(means) < 95
    assert 105 < max(means) <= 100 * 1.2 + 6


def flat(blue: int, green: int, red: int) -> RgbdPair:
    return RgbdPair(np.full((HEIGHT, WIDTH, 3), [blue, green, red], np.uint8), coordinate_depth(HEIGHT, WIDTH))


def test_a_tint_is_a_factor_of_each_colour_alone() -> None:
    transform = augmentation(SAME_SIZE, replace(STILL, tint=0.2), CAMERA)
    factors = []
    for seed in range(40):
        frame, depth = augmented(flat(100, 100, 100), transform, seed)
        np.testing.assert_array_equal(depth, coordinate_depth(HEIGHT, WIDTH))
        assert np.ptp(frame.reshape(-1, 3), axis=0).tolist() == [0, 0, 0]
        factors.append(frame[0, 0] / 100)
    found = np.array(factors)
    assert (found >= 0.795).all()
    assert (found <= 1.205).all()
    assert (found.min(axis=0) < 0.85).all()
    assert (found.max(axis=0) > 1.15).all()
    assert np.abs(np.corrcoef(found.T)[np.triu_indices(3, 1)]).max() < 0.5


def test_gamma_is_a_power_of_all_colours() -> None:
    transform = augmentation(SAME_SIZE, replace(STILL, gamma=0.5), CAMERA)
    powers = []
    for seed in range(30):
        frame, _ = augmented(flat(0, 128, 255), transform, seed)
        assert frame[0, 0, [0, 2]].tolist() == [0, 255]
        powers.append(np.log(frame[0, 0, 1] / 255) / np.log(128 / 255))
    assert np.exp(-0.5) - 0.01 <= min(powers) < 0.8
    assert 1.25 < max(powers) <= np.exp(0.5) + 0.01


def test_a_sensor_blurs_and_is_noisy_as_often_as_it_is_asked() -> None:
    bright = flat(100, 100, 100)
    bright.frame[:, WIDTH // 2 :] = 200
    transform, noise, slopes = augmentation(SAME_SIZE, replace(STILL, sensor=0.5), CAMERA), [], []
    for seed in range(60):
        frame, depth = augmented(bright, transform, seed)
        np.testing.assert_array_equal(depth, bright.depth)
        columns = frame[..., 0].mean(axis=0)
        noise.append(frame[:, : WIDTH // 4].std())
        slopes.append(columns[WIDTH // 2] - columns[WIDTH // 2 - 1])
    assert 18 <= sum(deviation > 0 for deviation in noise) <= 42
    assert 6 < max(noise) <= 10.5
    assert min(slopes) < 50
    assert slopes.count(100) >= 18


def test_most_zooms_are_small() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=0, zoom=1.7, flip=0, jitter=0), CAMERA)
    zooms = [6 / augmented(constant(6.0), transform, seed)[1].max() for seed in range(200)]
    # z = 1 + 0.7 u²: the median is at u = 1/2, the mean of u² is 1/3.
    assert np.median(zooms) == pytest.approx(1 + 0.7 / 4, abs=0.05)
    assert np.mean(zooms) == pytest.approx(1 + 0.7 / 3, abs=0.05)


def test_one_picture_in_four_is_shrunk_and_filled_around() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0, shrink=0.6), CAMERA)
    depths = [augmented(constant(3.0), transform, seed)[1] for seed in range(200)]
    zooms = np.array([3 / depth.max() for depth in depths])
    shown = np.array([(depth > 0).mean() for depth in depths])
    assert 35 < (zooms < 1).sum() < 65
    assert zooms.min() == pytest.approx(0.6, abs=0.06)
    np.testing.assert_allclose(shown, zooms**2, atol=0.04)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (2 * HEIGHT, 2 * WIDTH), (WIDTH, HEIGHT)])
def test_other_shapes_lie_between_upright_and_wide_and_change_depth_by_their_scale_alone(
    size: tuple[int, int],
) -> None:
    augment = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0, shapes=1.0)
    transform = augmentation(SAME_SIZE, augment, CAMERA, size)
    aspects = []
    for seed in range(100):
        _, depth = augmented(constant(3.0), transform, seed)
        rows, columns = ((depth > 0).any(axis).sum() for axis in (1, 0))
        assert rows == size[0] or columns == size[1], "it is as large as it can be"
        aspects.append(columns / rows)
        whole = min(HEIGHT, WIDTH * rows / columns), min(WIDTH, HEIGHT * columns / rows)
        assert 3 / depth.max() == pytest.approx(rows / whole[0], rel=0.06)
    assert 9 / 16 / 1.06 < min(aspects) < 0.7
    assert 1.5 < max(aspects) < 16 / 9 * 1.06


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH // 2), (WIDTH, HEIGHT), (HEIGHT // 2, WIDTH)])
def test_an_input_of_another_shape_shows_what_a_camera_of_that_shape_would(size: tuple[int, int]) -> None:
    augment = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0)
    _, depth = augmented(constant(3.0), augmentation(SAME_SIZE, augment, CAMERA, size), 0)
    assert (depth > 0).mean() > 0.98, "nothing is filled, but for a row that rounding leaves"
    rows = min(HEIGHT, WIDTH * size[0] / size[1])
    assert depth.max() == pytest.approx(3 * rows / size[0], rel=0.03)


def test_the_papers_random_crop() -> None:
    rows, columns = np.mgrid[:480, :640]
    frame = np.stack([columns % 256, rows % 256, rows // 256 + 2 * (columns // 256)], axis=-1).astype(np.uint8)
    depth = coordinate_depth(480, 640)
    transform = augmentation(DataConfig(416, 544, "paper"), STILL, CAMERA)
    tops, lefts = [], []
    for seed in range(12):
        cut, cut_depth = augmented(RgbdPair(frame, depth), transform, seed)
        top = int(cut[0, 0, 1]) + 256 * (int(cut[0, 0, 2]) & 1)
        left = int(cut[0, 0, 0]) + 256 * (int(cut[0, 0, 2]) >> 1)
        np.testing.assert_array_equal(cut, frame[top : top + 416, left : left + 544])
        np.testing.assert_array_equal(cut_depth, depth[top : top + 416, left : left + 544])
        tops.append(top)
        lefts.append(left)
    assert 45 <= min(tops) < max(tops) <= 472 - 416
    assert 43 <= min(lefts) < max(lefts) <= 608 - 544


def painted() -> RgbdPair:
    """A pair whose segmentation tells the pixel: its column, its row, and 255 everywhere."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    masks = np.stack([columns, rows, np.full_like(rows, 255)], axis=-1).astype(np.uint8)
    return RgbdPair(pair().frame, pair().depth, masks)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (48, 80), (96, 128)], ids=["same", "smaller", "larger"])
def test_the_segmentation_is_moved_as_depth_is_and_mixes_no_colours(size: tuple[int, int]) -> None:
    transform = augmentation(DataConfig(*size), AugmentConfig(rotate=10, zoom=1.5, flip=0.5, jitter=0.4), CAMERA)
    for seed in range(5):
        masks = augment_pair(painted(), transform, seed)["segmentation"]
        assert (masks.dtype, tuple(masks.shape), type(masks)) == (torch.uint8, (*size, 3), Tensor)
        rows, columns = pixels_by_depth(transform, seed)
        known = np.isfinite(rows)
        assert known.mean() > 0.5
        np.testing.assert_array_equal(masks.numpy()[known, 0], columns[known])
        np.testing.assert_array_equal(masks.numpy()[known, 1], rows[known])
        assert set(np.unique(masks[..., 2]).tolist()) <= {0, 255}


def test_a_pair_looks_the_same_with_and_without_its_segmentation() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(), CAMERA)
    alone, together = (augment_pair(given, transform, 3) for given in (pair(), painted()))
    assert together.keys() - alone.keys() == {"segmentation"}
    assert all(torch.equal(together[name], value) for name, value in alone.items())


ALL = AugmentConfig(rotate=10, zoom=1.5, flip=0.5, jitter=0)
RAYS = np.linalg.inv(np.array([[100.0, 0, (WIDTH - 1) / 2], [0, 100, (HEIGHT - 1) / 2], [0, 0, 1]]))
"""From pixels of `pair` to directions before its camera."""


def seen_at(matrix: Tensor, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where a camera (3, 3) sees pixels of `pair`: (..., 2) column and row."""
    points = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ (matrix.double().numpy() @ RAYS).T
    pixels: NDArray[np.float64] = points[..., :2] / points[..., 2:]
    return pixels


@pytest.mark.parametrize("tilt", [0, 5])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (48, 80), (96, 128)], ids=["same", "smaller", "larger"])
def test_the_camera_tells_where_every_pixel_went(size: tuple[int, int], tilt: float) -> None:
    transform = augmentation(DataConfig(*size), replace(ALL, tilt=tilt), CAMERA)
    there = np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), axis=-1)
    # Depth is moved by nearest neighbour, by turn and tilt: half a pixel of the picture each, seen through the zoom,
    # and half of the result. A small tilt is nearly a shift, which is rounded alike for all pixels.
    tolerance = (2 if tilt else 1) * 0.5 * 2**0.5 * 1.5 * max(size[0] / HEIGHT, size[1] / WIDTH) + 0.5
    mean_tolerance = 0.5 * 1.5 * max(size[0] / HEIGHT, size[1] / WIDTH) if tilt else 0.1
    for seed in range(6):
        camera = augment_warped(pair(), CAMERA, ViewConfig("warped"), transform, seed)["camera"]
        rows, columns = pixels_by_depth(transform, seed)
        apart = (seen_at(camera, rows, columns) - there)[np.isfinite(rows)]
        assert np.abs(apart).max() <= tolerance
        assert np.abs(apart.mean(axis=0)).max() <= mean_tolerance


def white_blue(given: RgbdPair) -> RgbdPair:
    """The pair in a blue of 255: what the outside's black was mixed into is no longer."""
    frame = given.frame.copy()
    frame[..., 0] = 255
    return RgbdPair(frame, given.depth)


def test_a_warped_view_shows_what_its_camera_says() -> None:
    transform = augmentation(SAME_SIZE, ALL, CAMERA)
    for seed in range(8):
        batch = augment_warped(white_blue(pair()), CAMERA, ViewConfig("warped"), transform, seed)
        assert torch.equal(batch["pose"], torch.eye(4))
        way = batch["view_camera"].double().numpy() @ np.linalg.inv(batch["camera"].double().numpy())
        columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
        u, v, w = np.moveaxis(np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ way.T, -1, 0)
        x, y = (u / w).astype(np.float32), (v / w).astype(np.float32)
        found = cv2.remap(batch["view"].numpy(), x, y, cv2.INTER_LINEAR)
        both = (found[..., 0] == 255) & (batch["frame"][..., 0].numpy() == 255)
        assert both.mean() > 0.4
        # Of two levels a pixel: the roundings of both pictures and of OpenCV's weights.
        assert np.abs(found.astype(int) - batch["frame"].numpy())[both].max() <= 2


def test_a_warp_stays_within_its_angle_and_shift_and_mirrors_half() -> None:
    transform, middle = augmentation(SAME_SIZE, STILL, CAMERA), np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1])
    angles, shifts, mirrored = [], [], []
    for seed in range(60):
        batch = augment_warped(pair(), CAMERA, ViewConfig("warped", rotate=8, shift=6), transform, seed)
        way = batch["view_camera"].double().numpy() @ np.linalg.inv(batch["camera"].double().numpy())
        np.testing.assert_allclose(np.abs(np.linalg.det(way[:2, :2])), 1, rtol=1e-4)
        angles.append(np.degrees(np.arctan2(way[1, 0], way[1, 1])))
        shifts.append((way @ middle - middle)[:2])
        mirrored.append(np.linalg.det(way[:2, :2]) < 0)
    for drawn, limit in ((np.array(angles), 8), (np.array(shifts), 6)):
        assert 0.8 * limit < drawn.max() <= limit + 1e-3
        assert -limit - 1e-3 <= drawn.min() < -0.8 * limit
    assert 15 < sum(mirrored) < 45


def test_a_neighbour_is_augmented_exactly_as_the_pair_is() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(rotate=10, zoom=1.5, flip=0.5, jitter=0.3), CAMERA)
    asked = []

    def neighbour(after: bool) -> View:
        asked.append(after)
        pose = np.eye(4)
        pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
        pose[:3, 3] = 0.3, -0.6, 0.9
        return View(pair().frame, pose)

    for seed in range(20):
        batch = augment_views(pair(), CAMERA, neighbour, transform, seed)
        alone = augment_pair(pair(), transform, seed)
        assert torch.equal(batch["frame"], alone["frame"])
        assert torch.equal(batch["depth"], alone["depth"])
        assert torch.equal(batch["view"], batch["frame"])
        assert torch.equal(batch["view_camera"], batch["camera"])
        # What a zoom makes of a metre, it makes of the way between the cameras.
        metre = float(augment_pair(constant(1.0), transform, seed)["depth"].max())
        assert batch["pose"][:3, 3].tolist() == pytest.approx([0.3 * metre, -0.6 * metre, 0.9 * metre], rel=1e-5)
        assert batch["pose"][:3, :3].tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    assert 4 < sum(asked) < 16


def test_the_papers_test_crop() -> None:
    given = RgbdPair(np.zeros((480, 640, 3), np.uint8), coordinate_depth(480, 640))
    seen = transforms.test_pair(given, DataConfig(416, 544, "paper"))
    np.testing.assert_array_equal(seen.depth, given.depth[56:472, 60:604])
    assert seen.frame.shape == (416, 544, 3)
    assert transforms.test_pair(given, DataConfig(416, 544, "whole")) is given


def test_the_papers_crops_need_nyus_size() -> None:
    frames = DataConfig(416, 544, "paper")
    with pytest.raises(UsageError, match=f"these are {WIDTH}×{HEIGHT}"):
        augment_pair(pair(), augmentation(frames, STILL, CAMERA), 0)
    with pytest.raises(UsageError, match=f"these are {WIDTH}×{HEIGHT}"):
        transforms.test_pair(pair(), frames)


def test_the_seed_alone_decides() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(), CAMERA)
    torch.manual_seed(1)
    first = augmented(pair(), transform, 7)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    again = augmented(pair(), transform, 7)
    other = augmented(pair(), transform, 8)
    np.testing.assert_array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1], first[1])
    assert not np.array_equal(other[0], first[0])
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state), "augmenting drew from the process's own generator"


def test_every_pair_of_every_epoch_has_a_seed_of_its_own() -> None:
    seeds = {pair_seed(seed, epoch, index) for seed in range(5) for epoch in range(10) for index in range(-1, 50)}
    assert len(seeds) == 5 * 10 * 51
    assert all(0 <= seed < 2**63 for seed in seeds)
