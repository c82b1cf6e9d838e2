"""The crops of NYU's pictures: those that the paper and Eigen et al. give in figures."""

import numpy as np
import pytest

from clipdepth.errors import UsageError
from clipdepth_train.data.crop import EIGEN, PAPER_TEST, PAPER_TRAIN, Crop


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
