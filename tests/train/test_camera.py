"""A picture's camera goes where its pixels go: told by blobs, and by warps between views of rooms."""

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from clipdepth_train.data.camera import Camera, camera_of
from clipdepth_train.data.crop import PAPER_TEST
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.rooms import RoomsSet
from clipdepth_train.data.sample import RgbdPair, View
from clipdepth_train.data.transforms import (
    Window,
    augment_pair,
    augment_views,
    augment_warped,
    augmentation,
    image_of,
    warped,
)
from clipdepth_train.recipe import AugmentConfig, DataConfig, ViewConfig
from train.rgbd_files import write_pair
from train.two_views import Floats, TwoViews, covisible, inside, places, rebuilding_error, two_views

HEIGHT, WIDTH = 120, 160
FOCAL, CENTRE = (130.0, 118.0), (88.0, 51.0)
METRES = 6.0
SPREAD, MARGIN = 2.5, 8
WILD = AugmentConfig(rotate=15, zoom=1.6, flip=0.5, jitter=0.2)
STILL = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0)
Batch = dict[str, Tensor]


def camera(height: int = HEIGHT, width: int = WIDTH) -> Camera:
    (fx, fy), (cx, cy) = FOCAL, CENTRE
    rows = [[fx, 0, cx], [0, fy, cy], [0, 0, 1], [height, width, 1]]
    return torch.tensor(rows, dtype=torch.float64).as_subclass(Camera)


def blob(u: float, v: float, height: int, width: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) with one white spot at column u and row v."""
    rows, columns = np.mgrid[:height, :width]
    spot = 255 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * SPREAD**2))
    return np.repeat(np.rint(spot).astype(np.uint8)[..., None], 3, axis=2)


def spot(frame: NDArray[np.uint8]) -> Floats | None:
    """Column and row of a picture's white spot; None where it has none."""
    grey = frame.astype(np.float64).mean(axis=2)
    weight = np.clip(grey - max(40.0, grey.max() / 2), 0, None)
    if not weight.any():
        return None
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


def spots(height: int, width: int) -> list[tuple[float, float]]:
    """Columns and rows all over the picture."""
    return [(u * (width - 1), v * (height - 1)) for u in (0.13, 0.38, 0.62, 0.88) for v in (0.15, 0.4, 0.6, 0.85)]


def projected(matrix: Floats, point: Floats) -> Floats:
    u, v, z = matrix @ point
    return np.array([u / z, v / z])


def agrees(frame: NDArray[np.uint8], place: Floats, shown: NDArray[np.bool_] | None = None) -> bool:
    """Whether the picture holds a spot, which then has to be at `place`; near the border it may be cut.

    `shown` are the pixels that are not filled, which are all if it is None.
    """
    first, last = np.zeros(2), np.array(frame.shape[1::-1]) - 1
    if shown is not None:
        rows, columns = (np.flatnonzero(shown.any(axis)) for axis in (1, 0))
        first, last = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]])
    found = spot(frame)
    if (place < first - MARGIN).any() or (place > last + MARGIN).any():
        assert found is None, f"a spot at {found}, which was to be outside at {place}"
        return False
    if (place < first + MARGIN).any() or (place > last - MARGIN).any():
        return False
    assert found is not None, f"no spot, which was to be at {place}"
    assert np.abs(found - place).max() < 0.12, f"a spot at {found}, which was to be at {place}"
    return True


def follows(transform: v2.Transform, seed: int, height: int = HEIGHT, width: int = WIDTH) -> None:
    """Whatever is at a pixel of the picture is, after the transform, where the moved camera sees it."""
    inverse = np.linalg.inv(camera(height, width)[:3].numpy())
    compose, agreeing = v2.Compose([transform]), 0
    pose = np.eye(4)
    pose[:3, 3] = (0.3, -0.2, 0.1)
    for u, v in spots(height, width):
        pair = RgbdPair(blob(u, v, height, width), np.full((height, width), METRES, np.float32))
        view = View(pair.frame, pose)
        batch = augment_views(pair, camera(height, width), lambda _, view=view: view, compose, seed)
        nearer = METRES / float(batch["depth"].max())
        point = inverse @ np.array([u, v, 1]) * METRES / nearer
        place = projected(batch["camera"].double().numpy(), point)
        agreeing += agrees(batch["frame"].numpy(), place, batch["depth"].numpy() > 0)
        assert torch.equal(batch["view"], batch["frame"])
        assert torch.equal(batch["view_camera"], batch["camera"])
        np.testing.assert_allclose(batch["pose"][:3, 3].numpy() * nearer, pose[:3, 3], rtol=1e-5)
    assert agreeing >= 3


@pytest.mark.parametrize("angle", [-170.0, -40.0, -2.5, 0.0, 2.5, 33.0, 90.0, 180.0])
def test_rotation(angle: float) -> None:
    follows(v2.RandomRotation((angle, angle), interpolation=v2.InterpolationMode.BILINEAR), 0)


@pytest.mark.parametrize("seed", range(4))
def test_crop(seed: int) -> None:
    follows(v2.RandomCrop((90, 110)), seed)


def test_mirror() -> None:
    follows(v2.RandomHorizontalFlip(1.0), 0)


@pytest.mark.parametrize("seed", range(4))
def test_zoom(seed: int) -> None:
    follows(Window((HEIGHT, WIDTH), (HEIGHT, WIDTH), AugmentConfig(zoom=1.7)), seed)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (96, 144), (144, 96)])
def test_other_shapes_and_zooms_both_ways(size: tuple[int, int], seed: int) -> None:
    follows(Window(size, (HEIGHT, WIDTH), AugmentConfig(zoom=1.7, shrink=0.6, shapes=0.7)), seed)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (80, 100), (77, 131), (240, 200)])
def test_resize(size: tuple[int, int]) -> None:
    follows(Window(size, (HEIGHT, WIDTH), STILL), 0)


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_augmentation(seed: int) -> None:
    follows(augmentation(DataConfig(96, 144), WILD, camera()), seed)


@pytest.mark.parametrize("seed", range(2))
def test_the_papers_augmentation(seed: int) -> None:
    follows(augmentation(DataConfig(208, 272, "paper"), WILD, camera(480, 640)), seed, 480, 640)


def test_the_papers_crop_moves_the_camera_by_its_corner() -> None:
    """Rows 45 to 472 and columns 43 to 608, then a random window of 416×544: by 45 to 56 and 43 to 64 pixels."""
    frames = DataConfig(*PAPER_TEST.size, "paper")
    pair = RgbdPair(np.zeros((480, 640, 3), np.uint8), np.ones((480, 640), np.float32))
    moved = []
    for seed in range(12):
        transform = augmentation(frames, STILL, camera(480, 640))
        batch = augment_warped(pair, camera(480, 640), ViewConfig(), transform, seed)
        left, top = np.array(CENTRE) - batch["camera"][:2, 2].numpy()
        moved.append((left, top))
        assert float(batch["camera"][0, 0]) == FOCAL[0]
    lefts, tops = np.array(moved).T
    assert 43 <= lefts.min() < lefts.max() <= 64
    assert 45 <= tops.min() < tops.max() <= 56


def test_a_zoom_and_its_resize_keep_the_focal_length() -> None:
    """Which is why depth is divided by the zoom: the result is one of the same camera."""
    transform = augmentation(DataConfig(HEIGHT, WIDTH), AugmentConfig(0, 1.5, 0, 0), camera())
    pair = RgbdPair(np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH), METRES, np.float32))
    for seed in range(5):
        batch = augment_warped(pair, camera(), ViewConfig(), transform, seed)
        zoom = METRES / float(batch["depth"][0, 0])
        # The window has whole pixels.
        assert float(batch["camera"][0, 0]) == pytest.approx(FOCAL[0] * zoom, rel=0.006)
        assert float(batch["camera"][1, 1]) == pytest.approx(FOCAL[1] * zoom, rel=0.006)


def test_colours_do_not_move_the_camera() -> None:
    same, still = v2.ColorJitter(0.4, 0.4, 0.4)(image_of(blob(5, 5, 9, 9)), camera(9, 9))[1], camera(9, 9)
    assert isinstance(same, Camera)
    assert torch.equal(same.as_subclass(Tensor), still.as_subclass(Tensor))


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_warped_tells_where_pixels_went(flip: float) -> None:
    config = ViewConfig("warped", rotate=10, shift=10, flip=flip)
    seen = []
    for seed in range(8):
        agreeing = 0
        for u, v in spots(HEIGHT, WIDTH):
            frame, matrix = warped(blob(u, v, HEIGHT, WIDTH), config, random.Random(seed))
            agreeing += agrees(frame, projected(matrix, np.array([u, v, 1.0])))
        assert agreeing >= 3
        assert np.sign(np.linalg.det(matrix)) == (-1 if flip else 1)
        seen.append(matrix)
    angles = [np.degrees(np.arctan2(m[0, 1] * (-1 if flip else 1), m[1, 1])) for m in seen]
    assert np.abs(angles).max() <= 10
    assert max(angles) - min(angles) > 5
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1])
    shifts = np.array([(m @ middle - middle)[:2] for m in seen])
    assert np.abs(shifts).max() <= 10
    assert np.ptp(shifts, axis=0).min() > 5


def test_half_of_the_warped_views_are_mirrored() -> None:
    config, frame = ViewConfig("warped"), blob(5, 5, 12, 16)
    mirrored = [np.linalg.det(warped(frame, config, random.Random(seed))[1]) < 0 for seed in range(60)]
    assert 15 < sum(mirrored) < 45


def test_the_camera_of_rooms() -> None:
    found = camera_of(RoomsSet("train", HEIGHT, WIDTH, 1, 10.0))
    assert found.picture_size == (HEIGHT, WIDTH)
    assert found.zoom == 1
    focal = 518.86 / 640 * WIDTH
    expected = [[focal, 0, (WIDTH - 1) / 2], [0, focal, (HEIGHT - 1) / 2], [0, 0, 1]]
    np.testing.assert_allclose(found.matrix.numpy(), expected, rtol=1e-6)
    assert repr(found).startswith("Camera(")


def test_the_camera_of_a_folder(tmp_path: Path) -> None:
    write_pair(tmp_path / "train" / "attic", "00001")
    np.savetxt(tmp_path / "K.txt", np.array([[7, 0, 4.5], [0, 8, 3.25], [0, 0, 1]]))
    found = camera_of(FolderSet(tmp_path, "train", 1000.0, 10.0))
    np.testing.assert_array_equal(found.matrix.numpy(), [[7, 0, 4.5], [0, 8, 3.25], [0, 0, 1]])
    assert found.picture_size == (6, 8)
    (tmp_path / "K.txt").unlink()
    centred = camera_of(FolderSet(tmp_path, "train", 1000.0, 10.0))
    np.testing.assert_array_equal(centred.matrix.numpy()[:, 2], [3.5, 2.5, 1])


def known_and_away_from_black(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """The depth, 0 also within two pixels of what is unknown, where a rotation's black was mixed in."""
    unknown = cv2.dilate((depth == 0).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.where(unknown, np.float32(0), depth)


def rebuilt(batch: Batch, view_depth: Tensor | None, scale: float = 1.0) -> tuple[float, float]:
    """How far the second view, warped by depth × scale, is from the picture, and the share of pixels compared.

    They are those that both views show; without `view_depth`, those that fall into the second.
    """
    depth = known_and_away_from_black(batch["depth"].numpy())
    camera, view_camera, pose = (batch[name].double().numpy() for name in ("camera", "view_camera", "pose"))
    place = places(np.where(depth > 0, scale * depth, 1), camera, view_camera, pose)
    if view_depth is None:
        where = inside(place, *depth.shape) & (depth > 0)
    else:
        where = covisible(place, known_and_away_from_black(view_depth.numpy())) & (depth > 0)
    return rebuilding_error(batch["frame"].numpy(), batch["view"].numpy(), place, where), float(where.mean())


def augmented_views(views: TwoViews, transform: v2.Compose, seed: int) -> tuple[Batch, Tensor]:
    """A pair of a room with its neighbour, augmented, and the depth of the neighbour, which training never sees."""
    first, second = (RgbdPair(seen.frame, seen.depth) for seen in (views.first, views.second))
    view = View(second.frame, views.pose)
    batch = augment_views(first, camera_of_views(views), lambda _: view, transform, seed)
    alike = augment_pair(second, transform, seed)
    assert torch.equal(alike["frame"], batch["view"]), "the two views were augmented differently"
    return batch, alike["depth"]


def camera_of_views(views: TwoViews) -> Camera:
    rows = [*views.camera.tolist(), [*views.first.depth.shape, 1]]
    return torch.tensor(rows, dtype=torch.float64).as_subclass(Camera)


@pytest.mark.parametrize(
    "augment",
    [
        STILL,
        AugmentConfig(rotate=10, zoom=1, flip=0, jitter=0),
        AugmentConfig(rotate=0, zoom=1.5, flip=0, jitter=0),
        AugmentConfig(rotate=0, zoom=1, flip=1, jitter=0),
        AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0, tilt=5),
        WILD,
    ],
    ids=["still", "rotated", "zoomed", "mirrored", "tilted", "all"],
)
@pytest.mark.parametrize("room", [0, 3])
def test_true_depth_rebuilds_an_augmented_picture_from_its_neighbour(room: int, augment: AugmentConfig) -> None:
    errors = np.zeros(3)
    for seed, seconds in enumerate((0.0, 12.0)):
        views = two_views(room, seconds, 240, 320)
        transform = augmentation(DataConfig(HEIGHT, WIDTH), augment, camera_of_views(views))
        batch, view_depth = augmented_views(views, transform, seed)
        error, share = rebuilt(batch, view_depth)
        assert error < 0.015, f"{seconds} s: {error}"
        least = 0.4 if augment.tilt else 0.5  # a tilt turns a part of both views out of the picture
        assert share > least, f"{seconds} s: only {share} of the pixels are seen in both"
        errors += [rebuilt(batch, None, scale)[0] for scale in (0.87, 1.0, 1.15)]
    assert errors[1] < 0.6 * min(errors[0], errors[2]), "the length of the pose is not that of the depth"


@pytest.mark.parametrize("room", [0, 3])
def test_a_warped_view_rebuilds_its_picture_at_any_depth(room: int) -> None:
    views = two_views(room, 5.0, HEIGHT, WIDTH)
    pair = RgbdPair(views.first.frame, views.first.depth)
    for seed in range(4):
        transform = augmentation(DataConfig(HEIGHT, WIDTH), WILD, camera())
        batch = augment_warped(pair, camera_of_views(views), ViewConfig("warped"), transform, seed)
        assert torch.equal(batch["pose"], torch.eye(4))
        for scale in (1.0, 3.0):
            error, share = rebuilt(batch, None, scale)
            assert error < 0.015
            assert share > 0.6
