from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

from clipdepth.bundle.agreement import ENOUGH, Tolerance, compare_depth


def test_numbers_worked_out_by_hand() -> None:
    reference = np.array([[[1.0, 2.0], [4.0, 5.0]]], np.float32)
    depth = np.array([[[1.1, 2.0], [3.0, 5.5]]], np.float32)
    agreement = compare_depth(depth, reference, Tolerance(0.2))
    # The relative differences are 0.1, 0, 0.25 and 0.1.
    assert agreement.mean == pytest.approx(0.1125, abs=1e-6)
    assert agreement.largest == pytest.approx(0.25, abs=1e-6)
    # Percentile 99 of four values lies 97 % of the way from the third, 0.1, to the fourth, 0.25.
    assert agreement.p99 == pytest.approx(0.1 + 0.97 * 0.15, abs=1e-6)
    assert (agreement.frames, agreement.finite, agreement.tolerance) == (1, True, Tolerance(0.2))


def test_the_same_depth_agrees_exactly() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 9, (3, 4, 5)).astype(np.float32)
    agreement = compare_depth(depth, depth, Tolerance(0))
    assert agreement.passed
    assert (agreement.mean, agreement.p99, agreement.largest) == (0, 0, 0)


def test_the_tolerance_is_on_the_mean() -> None:
    reference = np.full((1, 10, 10), 2, np.float32)
    depth = reference * np.float32(1.01)
    assert compare_depth(depth, reference, Tolerance(0.0101)).passed
    assert not compare_depth(depth, reference, Tolerance(0.0099)).passed
    depth = reference.copy()
    depth[0, 0, 0] = 4
    assert compare_depth(depth, reference, Tolerance(0.0101)).passed, (
        "one pixel of 100 twice too far is 1 % in the mean"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_depth_that_is_not_finite_never_agrees(bad: float) -> None:
    reference = np.ones((1, 4, 4), np.float32)
    depth = reference.copy()
    depth[0, 3, 3] = bad
    agreement = compare_depth(depth, reference, Tolerance(1e9))
    assert not agreement.passed
    assert not agreement.finite
    assert "NaN or infinite" in str(agreement)


def test_another_shape_is_an_error_and_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"\(1, 4, 4\)"):
        compare_depth(np.ones((1, 4, 4), np.float32), np.ones((2, 4, 4), np.float32), Tolerance(1))


def test_it_reads_as_a_sentence() -> None:
    reference = np.ones((2, 4, 4), np.float32)
    assert str(compare_depth(reference, reference, Tolerance(0.001))).startswith("agrees with PyTorch: ")
    differs = str(compare_depth(reference * 2, reference, Tolerance(0.001)))
    assert differs.startswith("differs from PyTorch: relative depth difference mean 1,")
    assert differs.endswith("over 2 frames (tolerance 0.001 on the mean)")


def test_the_change_of_rel_and_delta1_against_the_measured_depth() -> None:
    """Four pixels of a depth of 2 m, one unknown: the reference is right, the depth is 30 % too far in one."""
    truth = np.array([[[2.0, 2.0], [2.0, 0.0]]], np.float32)
    reference = np.full((1, 2, 2), 2, np.float32)
    depth = np.array([[[2.6, 2.0], [2.0, 2.6]]], np.float32)
    agreement = compare_depth(depth, reference, Tolerance(1), truth)
    assert agreement.rel_change == pytest.approx(0.1, abs=1e-6)
    assert agreement.delta1_change == pytest.approx(-1 / 3, abs=1e-6)


def test_a_change_of_delta1_either_way_beyond_the_tolerance_fails() -> None:
    truth = np.full((1, 10, 10), 2, np.float32)
    near, far = truth.copy(), truth.copy()
    far[0, 0, :3] = 2.52  # 26 % off, so out of δ1 by a hair
    near[0, 0, :3] = 2.48
    assert compare_depth(far, near, Tolerance(1, 0.031), truth).passed
    assert not compare_depth(far, near, Tolerance(1, 0.029), truth).passed
    assert not compare_depth(near, far, Tolerance(1, 0.029), truth).passed
    assert "δ1 changes by -3.00 points (tolerance 2.9)" in str(compare_depth(far, near, Tolerance(1, 0.029), truth))


def test_without_measured_depth_delta1_is_not_judged() -> None:
    depth = np.full((1, 4, 4), 2, np.float32)
    agreement = compare_depth(depth, depth, Tolerance(1, 0), np.zeros_like(depth))
    assert agreement.passed
    assert agreement.delta1_change is None


def changed(points: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Depth, reference and truth of frames of 10×10 pixels, of which so many points more are right in the depth."""
    truth = np.full((len(points), 10, 10), 2, np.float32)
    reference = truth.copy()
    reference[:, 5:] = 2.52  # 26 % off
    depth = reference.copy()
    for frame, right in zip(depth.reshape(len(points), 100), points, strict=True):
        frame[: 50 + right] = 2
        frame[50 + right :] = 2.52
    return depth, reference, truth


@pytest.mark.parametrize(
    ("points", "passes"),
    [
        ([-4, 1, 0, 1, 0, 0, -6, -1], True),  # −1.13 ± 0.90: the chance of few frames
        ([-1, -1, -1, -1, -2, -1, -1, -2], False),  # −1.25 ± 0.16: all frames say so
        ([-2, -2, -2, -2, -2, -2, -2, -2], False),
        ([-30, 1, 0, 1, 0, 0, -6, 0], False),  # −4.25 ± 3.8: no error allows more than the limit again
        ([-35, 0, 0, 0, 0, 0, 0, 0], False),  # one frame in eight is broken
        ([-3], False),  # one frame tells of no error
    ],
)
def test_of_few_frames_the_standard_error_of_delta1_is_allowed_besides(points: list[int], passes: bool) -> None:
    depth, reference, truth = changed(points)
    found = compare_depth(depth, reference, Tolerance(1, 0.01), truth)
    assert found.delta1_change == pytest.approx(np.mean(points) / 100, abs=1e-6)
    error = scipy.stats.sem(points) / 100 if len(points) > 1 else 0
    assert found.delta1_error == pytest.approx(error, abs=1e-6)
    assert found.passed == passes


def test_enough_frames_are_taken_at_their_word() -> None:
    points = [-4, 1, 0, 1, 0, 0, -6, -1] * (ENOUGH // 8)
    found = compare_depth(*changed(points)[:2], Tolerance(1, 0.01), changed(points)[2])
    assert found.delta1_error == 0
    assert not found.passed
