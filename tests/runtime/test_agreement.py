import numpy as np
import pytest

from clipdepth.agreement import compare_depth


def test_numbers_worked_out_by_hand() -> None:
    reference = np.array([[[1.0, 2.0], [4.0, 5.0]]], np.float32)
    depth = np.array([[[1.1, 2.0], [3.0, 5.5]]], np.float32)
    agreement = compare_depth(depth, reference, 0.2)
    # The relative differences are 0.1, 0, 0.25 and 0.1.
    assert agreement.mean == pytest.approx(0.1125, abs=1e-6)
    assert agreement.largest == pytest.approx(0.25, abs=1e-6)
    # Percentile 99 of four values lies 97 % of the way from the third, 0.1, to the fourth, 0.25.
    assert agreement.p99 == pytest.approx(0.1 + 0.97 * 0.15, abs=1e-6)
    assert (agreement.frames, agreement.finite, agreement.tolerance) == (1, True, 0.2)


def test_the_same_depth_agrees_exactly() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9, (3, 4, 5)).astype(np.float32)
    agreement = compare_depth(depth, depth, 0)
    assert agreement
    assert (agreement.mean, agreement.p99, agreement.largest) == (0, 0, 0)


def test_the_tolerance_is_on_the_mean() -> None:
    reference = np.full((1, 10, 10), 2, np.float32)
    depth = reference * np.float32(1.01)
    assert compare_depth(depth, reference, 0.0101)
    assert not compare_depth(depth, reference, 0.0099)
    depth = reference.copy()
    depth[0, 0, 0] = 4
    assert compare_depth(depth, reference, 0.0101), "one pixel of 100 twice too far is 1 % in the mean"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_depth_that_is_not_finite_never_agrees(bad: float) -> None:
    reference = np.ones((1, 4, 4), np.float32)
    depth = reference.copy()
    depth[0, 3, 3] = bad
    agreement = compare_depth(depth, reference, 1e9)
    assert not agreement
    assert not agreement.finite
    assert "NaN or infinite" in str(agreement)


def test_another_shape_is_an_error_and_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4, 4\)"):
        compare_depth(np.ones((1, 4, 4), np.float32), np.ones((2, 4, 4), np.float32), 1)


def test_it_reads_as_a_sentence() -> None:
    reference = np.ones((2, 4, 4), np.float32)
    assert str(compare_depth(reference, reference, 0.001)).startswith("agrees with PyTorch: ")
    differs = str(compare_depth(reference * 2, reference, 0.001))
    assert differs.startswith("differs from PyTorch: relative depth difference mean 1,")
    assert differs.endswith("over 2 frames (tolerance 0.001 on the mean)")
