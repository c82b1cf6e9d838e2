"""Joint augmentation: what happens to the picture happens to its depth."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from clipdepth.errors import UsageError
from clipdepth_train.data import transforms
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.data.transforms import augment_pair, augmentation, pair_seed
from clipdepth_train.recipe import AugmentConfig, DataConfig
from train.memory_set import coordinate_depth, coordinate_frame

HEIGHT, WIDTH = 64, 96
STILL = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0)
SAME_SIZE = DataConfig(HEIGHT, WIDTH)


def pair() -> RgbdPair:
    return RgbdPair(coordinate_frame(HEIGHT, WIDTH, 2), coordinate_depth(HEIGHT, WIDTH))


def constant(metres: float) -> RgbdPair:
    return RgbdPair(coordinate_frame(HEIGHT, WIDTH, 2), np.full((HEIGHT, WIDTH), metres, np.float32))


def augmented(given: RgbdPair, transform: v2.Compose, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    frame, depth = augment_pair(given, transform, seed)
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
        AugmentConfig(rotate=10, zoom=1.5, flip=0.5, jitter=0),
    ],
    ids=["rotated", "zoomed", "flipped", "all"],
)
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (48, 80), (96, 128)], ids=["same", "smaller", "larger"])
def test_picture_and_depth_still_show_the_same_pixel(augment: AugmentConfig, size: tuple[int, int]) -> None:
    transform = augmentation(DataConfig(*size), augment)
    # A picture is interpolated and depth is not, so they may differ by half a pixel of the larger grid, and uint8
    # rounding adds a quarter.
    tolerance = 0.8 * max(1.0, HEIGHT / size[0], WIDTH / size[1]) + 0.3
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
    frame, depth = augmented(pair(), augmentation(SAME_SIZE, STILL), 0)
    np.testing.assert_array_equal(frame, pair().frame)
    np.testing.assert_array_equal(depth, pair().depth)


def test_a_flip_is_exact() -> None:
    frame, depth = augmented(pair(), augmentation(SAME_SIZE, AugmentConfig(0, 1, 1, 0)), 0)
    np.testing.assert_array_equal(frame, pair().frame[:, ::-1])
    np.testing.assert_array_equal(depth, pair().depth[:, ::-1])


def test_half_of_the_pairs_are_flipped() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(0, 1, 0.5, 0))
    flipped = [augmented(pair(), transform, seed)[0][0, 0, 2] > 0 for seed in range(60)]
    assert 15 < sum(flipped) < 45


def test_a_rotation_stays_within_its_angle_and_leaves_its_corners_unknown() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig(10, 1, 0, 0))
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
    transform = augmentation(SAME_SIZE, AugmentConfig(0, 1.5, 0, 0))
    factors = []
    for seed in range(20):
        frame, depth = augmented(constant(6.0), transform, seed)
        factor = 6 / depth[0, 0]
        np.testing.assert_array_equal(depth, depth[0, 0])
        # The picture's own zoom, by how many columns and rows of the original it still spans.
        columns, rows = (np.ptp(frame[..., channel].astype(float)) / 2 for channel in (2, 1))
        assert columns + 1 == pytest.approx(WIDTH / factor, abs=1.6)
        assert rows + 1 == pytest.approx(HEIGHT / factor, abs=1.6)
        factors.append(factor)
    assert 1 <= min(factors) < 1.15
    assert 1.35 < max(factors) <= 1.5 + 1e-4


def test_jitter_changes_colours_and_no_depth() -> None:
    grey = RgbdPair(np.full((HEIGHT, WIDTH, 3), [60, 100, 140], np.uint8), coordinate_depth(HEIGHT, WIDTH))
    transform = augmentation(SAME_SIZE, AugmentConfig(0, 1, 0, 0.2))
    means = []
    for seed in range(30):
        frame, depth = augmented(grey, transform, seed)
        np.testing.assert_array_equal(depth, grey.depth)
        means.append(frame.mean())
        assert frame[0, 0, 0] < frame[0, 0, 1] < frame[0, 0, 2]
    # The mean of a picture of one colour is moved by brightness alone, up to the luma's rounding.
    assert 100 * 0.8 - 6 <= min(means) < 95
    assert 105 < max(means) <= 100 * 1.2 + 6


def test_the_papers_random_crop() -> None:
    rows, columns = np.mgrid[:480, :640]
    frame = np.stack([columns % 256, rows % 256, rows // 256 + 2 * (columns // 256)], axis=-1).astype(np.uint8)
    depth = coordinate_depth(480, 640)
    transform = augmentation(DataConfig(416, 544, "paper"), STILL)
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


def test_the_papers_test_crop() -> None:
    given = RgbdPair(np.zeros((480, 640, 3), np.uint8), coordinate_depth(480, 640))
    seen = transforms.test_pair(given, DataConfig(416, 544, "paper"))
    np.testing.assert_array_equal(seen.depth, given.depth[56:472, 60:604])
    assert seen.frame.shape == (416, 544, 3)
    assert transforms.test_pair(given, DataConfig(416, 544, "whole")) is given


def test_the_papers_crops_need_nyus_size() -> None:
    frames = DataConfig(416, 544, "paper")
    with pytest.raises(UsageError, match=f"these are {WIDTH}×{HEIGHT}"):
        augment_pair(pair(), augmentation(frames, STILL), 0)
    with pytest.raises(UsageError, match=f"these are {WIDTH}×{HEIGHT}"):
        transforms.test_pair(pair(), frames)


def test_the_seed_alone_decides() -> None:
    transform = augmentation(SAME_SIZE, AugmentConfig())
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
