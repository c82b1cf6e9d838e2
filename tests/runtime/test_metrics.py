import math

import numpy as np
import pytest

from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.metrics import METRIC_NAMES, Align, DepthMetrics, depth_metrics, mean_metrics
from clipdepth.errors import DataError


def measure(
    prediction: list[float],
    truth: list[float],
    region: list[bool] | None = None,
    align: Align = "none",
    max_depth: float = 10.0,
) -> DepthMetrics:
    where = None if region is None else np.array([region])
    answer, true = np.array([prediction], np.float32), np.array([truth], np.float32)
    metrics = depth_metrics(answer, true, where, align, max_depth=max_depth)
    assert metrics is not None
    return metrics


def test_numbers_worked_out_by_hand() -> None:
    metrics = measure([2.0, 3.0, 4.0], [1.0, 3.0, 8.0])
    assert metrics.rel == pytest.approx((1 + 0 + 0.5) / 3)
    assert metrics.rmse == pytest.approx(math.sqrt((1 + 0 + 16) / 3))
    assert metrics.rmse_log == pytest.approx(math.sqrt(2 * math.log(2) ** 2 / 3))
    assert metrics.log10 == pytest.approx(2 * math.log10(2) / 3)
    assert (metrics.delta1, metrics.delta2, metrics.delta3) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.2, 1.3, 1.6, 2.0])
def test_a_constant_factor_has_a_closed_form(factor: float) -> None:
    truth = np.random.default_rng(0).uniform(0.5, 4.5, (20, 30)).astype(np.float32)
    metrics = depth_metrics(truth * np.float32(factor), truth, max_depth=10)
    assert metrics is not None
    ratio = max(factor, 1 / factor)
    assert metrics.rel == pytest.approx(abs(factor - 1), rel=1e-5)
    assert metrics.rmse == pytest.approx(abs(factor - 1) * math.sqrt((truth.astype(float) ** 2).mean()), rel=1e-5)
    assert metrics.rmse_log == pytest.approx(math.log(ratio), rel=1e-5)
    assert metrics.log10 == pytest.approx(math.log10(ratio), rel=1e-5)
    deltas = (metrics.delta1, metrics.delta2, metrics.delta3)
    assert deltas == (ratio < 1.25, ratio < 1.25**2, ratio < 1.25**3)


def test_perfect_depth() -> None:
    metrics = measure([1.0, 2.0, 9.9], [1.0, 2.0, 9.9])
    assert metrics == DepthMetrics(0, 0, 0, 0, 1, 1, 1)


def test_pixels_without_depth_or_beyond_ten_metres_do_not_count() -> None:
    assert measure([5.0, 5.0, 5.0, 2.0], [0.0, 0.001, 10.0, 1.0]) == measure([2.0], [1.0])


def test_pixels_outside_the_region_do_not_count() -> None:
    assert measure([5.0, 2.0], [1.0, 1.0], [False, True]) == measure([2.0], [1.0])


@pytest.mark.parametrize("max_depth", [10.0, 80.0, math.inf])
def test_truth_counts_up_to_the_range_and_the_prediction_is_clamped_to_it(max_depth: float) -> None:
    metrics = measure([60.0, 200.0, 2.0], [40.0, 50.0, 4.0], max_depth=max_depth)
    errors = [0.5] if max_depth == 10 else [0.5, (min(200.0, max_depth) - 50) / 50, 0.5]
    assert metrics.rel == pytest.approx(sum(errors) / len(errors))


def test_inverse_depth_beyond_the_range_is_the_range() -> None:
    # Least squares leave the third pixel, the farthest, with an inverse depth below 0.
    answer, truth = np.array([[1.0, 0.5, -0.1]], np.float32), np.array([[1.0, 2.0, 79.0]], np.float32)
    line = np.polyfit(answer[0], 1 / truth[0], 1)
    assert np.polyval(line, -0.1) < 1 / 80
    metrics = depth_metrics(answer, truth, align="lsq", kind="disparity", max_depth=80)
    assert metrics is not None
    fitted = [*(1 / np.polyval(line, [1.0, 0.5])), 80]
    assert metrics.rel == pytest.approx(float(np.mean(np.abs(fitted - truth[0]) / truth[0])), rel=1e-5)


def test_the_prediction_is_clamped_to_ten_metres_and_a_millimetre() -> None:
    assert measure([500.0], [5.0]).rel == pytest.approx(1.0)
    assert measure([-3.0], [5.0]).rel == pytest.approx((5 - 0.001) / 5)


@pytest.mark.parametrize("factor", [0.01, 0.8, 1.0, 1.3, 40.0])
def test_alignment_takes_away_a_constant_factor(factor: float) -> None:
    truth = np.random.default_rng(0).uniform(0.5, 9.5, (21, 30)).astype(np.float32)
    metrics = depth_metrics(truth * np.float32(factor), truth, align="median", max_depth=10)
    assert metrics is not None
    assert metrics.rel == pytest.approx(0, abs=1e-6)
    assert metrics.rmse == pytest.approx(0, abs=1e-5)
    assert metrics.delta1 == 1


def test_alignment_is_by_the_median_and_not_by_the_mean() -> None:
    metrics = measure([1.0, 2.0, 9.0], [2.0, 4.0, 6.0], align="median")
    assert metrics.rel == pytest.approx((10 - 6) / 6 / 3)  # 1 and 2 are doubled to the truth, 9 is clamped
    assert measure([1.0, 2.0, 9.0], [2.0, 4.0, 6.0]).rel == pytest.approx((0.5 + 0.5 + 0.5) / 3)


def test_the_median_of_an_even_number_is_between_the_two_in_the_middle() -> None:
    assert measure([1.0, 3.0], [4.0, 4.0], align="median").rel == pytest.approx((0.5 + 0.5) / 2)


def test_alignment_is_over_the_pixels_that_count() -> None:
    inside = measure([1.0, 1.0, 7.0, 7.0, 7.0], [3.0, 3.0, 1.0, 1.0, 1.0], [True, True, False, False, False], "median")
    assert inside.rel == pytest.approx(0)
    unknown = measure([1.0, 7.0, 7.0], [3.0, 0.0, 12.0], align="median")
    assert unknown.rel == pytest.approx(0)


def test_the_prediction_is_aligned_before_it_is_clamped() -> None:
    # Clamped before, all three would be 10.
    assert measure([20.0, 40.0, 60.0], [1.0, 2.0, 3.0], align="median").rel == pytest.approx(0)
    assert measure([1.0, 1.0, 8.0], [4.0, 4.0, 8.0], align="median").rel == pytest.approx(2 / 8 / 3)


def test_a_flat_image_is_aligned_to_its_one_depth() -> None:
    metrics = measure([0.5, 1.0, 2.0], [3.0, 3.0, 3.0], align="median")
    assert metrics.rel == pytest.approx((0.5 + 0 + 1) / 3)
    assert measure([2.0, 2.0, 2.0], [1.0, 3.0, 5.0], align="median").rel == pytest.approx((2 + 0 + 2 / 5) / 3)


def test_depth_without_a_median_cannot_be_aligned() -> None:
    with pytest.raises(DataError, match=r"median of 0 and cannot be scaled; use '--align lsq'"):
        measure([0.0, 0.0, 1.0], [1.0, 1.0, 1.0], align="median")
    with pytest.raises(DataError, match="NaN"):
        measure([math.nan, 1.0], [1.0, 1.0], align="median")


def test_an_image_without_valid_pixels_has_no_metrics() -> None:
    zeros = np.zeros((3, 4), np.float32)
    assert depth_metrics(zeros + 1, zeros, max_depth=10) is None
    assert depth_metrics(zeros + 1, zeros + 1, np.zeros((3, 4), bool), max_depth=10) is None


def test_a_broken_prediction_is_an_error_where_it_counts() -> None:
    with pytest.raises(DataError, match="NaN"):
        measure([math.nan, 1.0], [1.0, 1.0])
    assert measure([math.nan, 1.0], [0.0, 1.0]).rel == 0


def test_the_arrays_given_stay_as_they_are() -> None:
    region = np.array([[True, False]])
    measured = np.array([[0.0, 1.0]], np.float32)
    depth_metrics(measured + 1, measured, region, max_depth=10)
    assert region.tolist() == [[True, False]]
    assert measured.tolist() == [[0.0, 1.0]]


def test_the_mean_is_over_images_and_not_over_pixels() -> None:
    many, one = measure([2.0] * 9, [1.0] * 9), measure([1.0], [1.0])
    assert mean_metrics([many, one]).rel == pytest.approx(0.5)
    assert mean_metrics([one]) == one


def test_the_mean_of_nothing_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to measure"):
        mean_metrics([])


def test_names() -> None:
    assert METRIC_NAMES == ("rel", "rmse", "rmse_log", "log10", "delta1", "delta2", "delta3")


@pytest.mark.parametrize("kind", ["metric", "relative", "disparity"])
def test_least_squares_undo_any_scale_and_shift(kind: DepthKind) -> None:
    truth = np.random.default_rng(0).uniform(0.5, 9.5, (20, 30)).astype(np.float32)
    space = 1 / truth if kind == "disparity" else truth
    for scale, shift in ((3.0, -20.0), (0.01, 5.0), (-2.0, 1.0)):
        metrics = depth_metrics(
            np.asarray(space * scale + shift, np.float32), truth, align="lsq", kind=kind, max_depth=10
        )
        assert metrics is not None
        assert metrics.rel < 1e-3
        assert metrics.delta1 == 1


@pytest.mark.parametrize("kind", ["relative", "disparity"])
def test_least_squares_are_numpys_over_the_pixels_that_count(kind: DepthKind) -> None:
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.5, 9.5, (20, 30)).astype(np.float32)
    truth[:3] = 0
    answer = rng.normal(1 / np.maximum(truth, 0.1) if kind == "disparity" else truth, 0.3).astype(np.float32)
    answer[:3] = 1e6
    known, true = answer[3:].astype(np.float64).ravel(), truth[3:].astype(np.float64).ravel()
    fitted = np.polyval(np.polyfit(known, 1 / true if kind == "disparity" else true, 1), known)
    depth = np.clip(1 / np.maximum(fitted, 1e-9) if kind == "disparity" else fitted, 0.001, 10)
    metrics = depth_metrics(answer, truth, align="lsq", kind=kind, max_depth=10)
    assert metrics is not None
    assert metrics.rel == pytest.approx(float(np.mean(np.abs(depth - true) / true)), rel=1e-6)


@pytest.mark.parametrize(("kind", "align"), [("relative", "none"), ("disparity", "none"), ("disparity", "median")])
def test_what_makes_no_metres_is_refused(kind: DepthKind, align: Align) -> None:
    with pytest.raises(ValueError, match=f"{kind} depth is aligned by lsq"):
        depth_metrics(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32), align=align, kind=kind, max_depth=10)
