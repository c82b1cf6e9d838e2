"""A frame in a picture of another shape: one scale, nothing cut, what was filled thrown away."""

import numpy as np
import pytest

from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.letterbox import Letterbox, fit

SHAPES = [(480, 640), (360, 640), (640, 360), (480, 480), (467, 625), (1080, 1920), (97, 31), (240, 320), (100, 150)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("size", [(240, 320), (192, 320), (320, 192), (256, 256)])
def test_a_frame_is_scaled_alike_across_and_down_and_as_large_as_it_can_be(
    height: int, width: int, size: tuple[int, int]
) -> None:
    box = Letterbox.of(height, width, *size)
    scale = min(size[0] / height, size[1] / width)
    assert abs(box.rows - height * scale) <= 0.5
    assert abs(box.columns - width * scale) <= 0.5
    assert box.rows == size[0] or box.columns == size[1]
    assert box.scale == pytest.approx(scale, rel=0.5 / min(box.rows, box.columns))
    above, below = box.top, size[0] - box.top - box.rows
    left, right = box.left, size[1] - box.left - box.columns
    assert {below - above, right - left} <= {0, 1}, "it is in the middle"


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_pixels_go_there_and_come_back_to_their_places(height: int, width: int) -> None:
    """The matrix says where each pixel went: a ramp of x and y of the frame, read there."""
    box = Letterbox.of(height, width, 240, 320)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    for axis, ramp in enumerate((x, y)):
        placed = np.pad(
            box.inside(_bilinear(box, ramp)),
            ((box.top, 240 - box.top - box.rows), (box.left, 320 - box.left - box.columns)),
        )
        back = box.depth(placed.astype(np.float32))
        assert back.shape == (height, width)
        inner = (slice(height // 8, -height // 8), slice(width // 8, -width // 8))
        scale = (box.rows / height, box.columns / width)[1 - axis]
        assert np.abs(back[inner] - ramp[inner]).max() < 0.51 / scale


def _bilinear(box: Letterbox, ramp: np.ndarray) -> np.ndarray:
    """A ramp of the frame's pixels as the picture has it, by the matrix alone."""
    v, u = np.mgrid[:240, :320].astype(np.float64)
    x, y, _ = np.moveaxis(np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(box.matrix).T, -1, 0)
    return (x if ramp[0, -1] > ramp[0, 0] else y).astype(np.float32)


def test_the_picture_shows_the_frame_where_the_matrix_says() -> None:
    """A bright square of a frame, found in the picture by its centre of mass."""
    frame = np.zeros((360, 640, 3), np.uint8)
    frame[100:140, 500:540] = 255
    box = Letterbox.of(360, 640, 240, 320)
    picture = box.picture(frame)[..., 0].astype(float)
    v, u = np.mgrid[:240, :320]
    found = (picture * u).sum() / picture.sum(), (picture * v).sum() / picture.sum()
    camera = box.matrix @ np.array([[500.0, 0, 519.5], [0, 500.0, 119.5], [0, 0, 1]])
    assert found == pytest.approx((camera[0, 2], camera[1, 2]), abs=1e-6)
    assert (camera[0, 0], camera[1, 1]) == (250.0, 250.0)


def test_what_surrounds_the_frame_repeats_its_edge_and_is_not_measured() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (180, 320, 3), dtype=np.uint8)
    box = Letterbox.of(180, 320, 240, 320)
    picture = box.picture(frame)
    assert (box.inside(picture) == frame).all()
    assert (picture[:30] == frame[0]).all()
    assert (picture[210:] == frame[-1]).all()
    measured = box.measured(np.full((180, 320), 2.0, np.float32))
    assert (box.inside(measured) == 2).all()
    assert measured.sum() == 2 * 180 * 320


def test_depth_of_what_was_filled_is_thrown_away() -> None:
    box = Letterbox.of(640, 360, 240, 320)
    answer = np.full((240, 320), np.nan, np.float32)
    box.inside(answer)[...] = 3
    assert (box.depth(answer) == 3).all()


def test_a_frame_of_the_inputs_own_size_is_itself() -> None:
    frame = np.zeros((240, 320, 3), np.uint8)
    box = Letterbox.of(240, 320, 240, 320)
    assert box.picture(frame) is frame
    assert not box.fills
    assert box.scale == 1


def test_a_share_of_the_largest_is_filled_all_around() -> None:
    box = Letterbox.of(480, 640, 240, 320, share=0.75)
    assert (box.top, box.left, box.rows, box.columns) == (30, 40, 180, 240)
    assert box.scale == 0.375


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (480, 640, (240, 320)),
        (1080, 1920, (192, 320)),
        (720, 1280, (192, 320)),
        (1920, 1080, (320, 192)),
        (640, 480, (320, 240)),
        (480, 480, (240, 320)),
        (600, 2000, (192, 320)),
    ],
)
def test_a_frame_takes_the_size_of_the_nearest_shape(height: int, width: int, expected: tuple[int, int]) -> None:
    sizes = [InputSize(240, 320), InputSize(192, 320), InputSize(320, 192), InputSize(320, 240)]
    assert fit(height, width, sizes).picture_size == expected
