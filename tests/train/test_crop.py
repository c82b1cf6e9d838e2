"""The crops of NYU's pictures: those that the paper and Eigen et al. give in figures."""

import numpy as np
import pytest

from clipdepth.errors import UsageError
from clipdepth_train.data.crop import EIGEN, INNER, PAPER_TEST, PAPER_TRAIN, Crop, has_frame


@pytest.mark.parametrize(
    ("crop", "rows", "columns"),
    [(PAPER_TRAIN, (45, 472), (43, 608)), (PAPER_TEST, (56, 472), (60, 604)), (EIGEN, (45, 471), (41, 601))],
    ids=["paper train", "paper test", "eigen"],
)
def test_rows_and_columns(crop: Crop, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    expected = np.zeros((480, 640), bool)
    for row in range(*rows):
        expected[row, columns[0] : columns[1]] = True
    np.testing.assert_array_equal(crop.mask(480, 640), expected)
    assert crop.size == (rows[1] - rows[0], columns[1] - columns[0])


def test_the_papers_test_pictures_are_416_by_544() -> None:
    assert PAPER_TEST.size == (416, 544)


@pytest.mark.parametrize("size", [(640, 480), (240, 320), (481, 640)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=f"640×480 pictures, these are {size[1]}×{size[0]}; use .*--crop all"):
        EIGEN.mask(*size)


@pytest.mark.parametrize("crop", [PAPER_TRAIN, PAPER_TEST, EIGEN], ids=["paper train", "paper test", "eigen"])
def test_a_crop_shows_the_same_pixels_with_and_without_the_frame(crop: Crop) -> None:
    whole = np.arange(480 * 640).reshape(480, 640)
    inner = whole[7:474, 7:632]
    np.testing.assert_array_equal(crop.of(inner), crop.of(whole))
    np.testing.assert_array_equal(crop.mask(467, 625), crop.mask(480, 640)[7:474, 7:632])
    np.testing.assert_array_equal(INNER.of(whole), inner)


def framed(level: int, thickness: int = 7) -> np.ndarray:
    """A picture of grey noise in a frame of that level."""
    picture = np.full((480, 640, 3), level, np.uint8)
    inside = (480 - 2 * thickness, 640 - 2 * thickness, 3)
    noise = np.random.default_rng(0).integers(60, 200, inside, dtype=np.uint8)
    picture[thickness : 480 - thickness, thickness : 640 - thickness] = noise
    return picture


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (framed(255), True),
        (framed(0), True),
        (framed(128), False),
        (framed(255, 2), False),
        (framed(0, 0), False),
        (framed(255)[:, :-1], False),
    ],
    ids=["white", "blackened", "grey", "thin", "none", "another size"],
)
def test_the_frame_is_told_by_its_rim(picture: np.ndarray, expected: bool) -> None:
    assert has_frame(picture) is expected
