import numpy as np
import pytest

from clipdepth.camera.resize import resize_depth, resize_frame, resize_measured_depth, resize_segmentation


def test_shrinking_a_frame_averages_areas() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    blocks = frame.reshape(12, 4, 16, 4, 3).astype(float).mean(axis=(1, 3))
    small = resize_frame(frame, 12, 16)
    assert small.dtype == np.uint8
    assert np.abs(small - blocks).max() <= 0.5 + 1e-9


def test_enlarging_a_frame_is_bilinear_between_pixel_centres() -> None:
    frame = np.zeros((1, 2, 3), np.uint8)
    frame[0, 1] = 200
    large = resize_frame(frame, 1, 4)
    # Pixel centres of the large frame lie at -0.25, 0.25, 0.75 and 1.25 of the small one's.
    assert large[0, :, 0].tolist() == [0, 50, 150, 200]


def test_depth_is_bilinear_between_pixel_centres() -> None:
    depth = np.array([[1.0, 3.0]], np.float32)
    large = resize_depth(depth, 1, 4)
    assert large.dtype == np.float32
    np.testing.assert_allclose(large[0], [1, 1.5, 2.5, 3])


def test_resized_depth_stays_within_its_range() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9, (12, 16)).astype(np.float32)
    large = resize_depth(depth, 100, 77)
    assert depth.min() <= large.min()
    assert large.max() <= depth.max()


def test_measured_depth_is_never_mixed() -> None:
    depth = np.random.default_rng(0).choice(np.array([0, 1.5, 4.25], np.float32), (48, 64))
    for size in ((12, 16), (96, 128), (31, 77)):
        assert set(np.unique(resize_measured_depth(depth, *size))) <= {0, 1.5, 4.25}


@pytest.mark.parametrize("factor", [3, 5])
def test_measured_depth_takes_the_middle_pixel(factor: int) -> None:
    depth = np.arange(30 * 45, dtype=np.float32).reshape(30, 45)
    small = resize_measured_depth(depth, 30 // factor, 45 // factor)
    middle = factor // 2
    np.testing.assert_array_equal(small, depth[middle::factor, middle::factor])


def test_painted_masks_keep_their_colours() -> None:
    palette = np.random.default_rng(0).integers(0, 256, (5, 3), dtype=np.uint8)
    painted = palette[np.random.default_rng(1).integers(0, 5, (48, 64))]
    for size in ((12, 16), (96, 128), (31, 77)):
        resized = resize_segmentation(painted, *size)
        assert resized.dtype == np.uint8
        assert resized.shape == (*size, 3)
        assert {tuple(colour) for colour in resized.reshape(-1, 3)} <= {tuple(colour) for colour in palette}


def test_painted_masks_and_measured_depth_take_the_same_pixels() -> None:
    rows, columns = np.mgrid[:48, :64]
    painted = np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)
    for size in ((12, 16), (96, 128), (31, 77), (48, 100)):
        resized = resize_segmentation(painted, *size)
        np.testing.assert_array_equal(resized[..., 0], resize_measured_depth(rows.astype(np.float32), *size))
        np.testing.assert_array_equal(resized[..., 1], resize_measured_depth(columns.astype(np.float32), *size))


def test_the_same_size_is_the_same_array() -> None:
    frame, depth = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.float32)
    assert resize_frame(frame, 4, 6) is frame
    assert resize_depth(depth, 4, 6) is depth
    assert resize_measured_depth(depth, 4, 6) is depth
    assert resize_segmentation(frame, 4, 6) is frame


def test_height_comes_before_width() -> None:
    assert resize_frame(np.zeros((4, 6, 3), np.uint8), 20, 10).shape == (20, 10, 3)
    assert resize_depth(np.zeros((4, 6), np.float32), 20, 10).shape == (20, 10)
    assert resize_measured_depth(np.zeros((4, 6), np.float32), 20, 10).shape == (20, 10)
