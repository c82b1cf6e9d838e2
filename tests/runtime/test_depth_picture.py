import numpy as np
import pytest

from clipdepth.sinks.depth_picture import INVALID, colourise, side_by_side


def test_near_is_red_and_far_is_blue() -> None:
    blue_green_red = colourise(np.array([[0.5, 3.0, 6.0]], np.float32), 0.5, 6.0)[0].astype(int)
    near, middle, far = blue_green_red
    assert near.argmax() == 2
    assert middle.argmax() == 1
    assert far.argmax() == 0


def test_depth_beyond_the_ends_takes_the_colour_of_the_end() -> None:
    picture = colourise(np.array([[0.1, 0.5, 6.0, 90.0]], np.float32), 0.5, 6.0)[0]
    np.testing.assert_array_equal(picture[0], picture[1])
    np.testing.assert_array_equal(picture[2], picture[3])


def test_every_step_of_depth_moves_along_the_colours() -> None:
    depth = np.linspace(0.5, 6, 12, dtype=np.float32)[None]
    colours = {tuple(colour) for colour in colourise(depth, 0.5, 6.0)[0].tolist()}
    assert len(colours) == 12


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_invalid_depth_is_dark_grey(value: float) -> None:
    picture = colourise(np.array([[value, 1.0]], np.float32), 0.5, 6.0)
    assert picture[0, 0].tolist() == [INVALID] * 3
    assert picture[0, 1].tolist() != [INVALID] * 3


@pytest.mark.parametrize("size", [(8, 8), (31, 40), (240, 320), (480, 640), (720, 1280)])
def test_side_by_side_holds_the_frame_its_depth_and_a_bar(size: tuple[int, int]) -> None:
    height, width = size
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = np.random.default_rng(1).uniform(0.3, 6, size).astype(np.float32)
    picture = side_by_side(frame, depth, 0.3, 6.0)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == height
    assert picture.shape[1] > 2 * width
    np.testing.assert_array_equal(picture[:, :width], frame)
    np.testing.assert_array_equal(picture[:, width : 2 * width], colourise(depth, 0.3, 6.0))


def test_the_bar_runs_from_near_on_top_to_far() -> None:
    depth = np.ones((480, 640), np.float32)
    bar = side_by_side(np.zeros((480, 640, 3), np.uint8), depth, 0.3, 6.0)[:, 1280:]
    near, far = colourise(np.array([[0.3, 6.0]], np.float32), 0.3, 6.0)[0]
    near_rows = np.nonzero((bar == near).all(axis=2).any(axis=1))[0]
    far_rows = np.nonzero((bar == far).all(axis=2).any(axis=1))[0]
    assert near_rows.min() < 40
    assert far_rows.max() > 440


@pytest.mark.parametrize("span", [(0.0, 80.0), (0.5, 0.51), (1.02, 1.04), (0.3, 6.0), (0.0, 1000.0)])
def test_any_span_makes_a_bar(span: tuple[float, float]) -> None:
    near, far = span
    picture = side_by_side(np.zeros((96, 128, 3), np.uint8), np.ones((96, 128), np.float32), near, far)
    text = picture[:, -24:]
    assert (text > 150).any(), "no tick is labelled"
