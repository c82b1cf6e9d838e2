import math

import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.errors import UsageError
from clipdepth.pipeline.smoothing import CLOSED, OPEN, REACH, WINDOW, Smoother, Smoothing

SETTINGS = Smoothing(gain=0.2, noise=0.02, frame_noise=1.5)
GREY = np.full((24, 32, 3), 90, np.uint8)


def flat(metres: float, shape: tuple[int, int] = (24, 32)) -> NDArray[np.float32]:
    return np.full(shape, metres, np.float32)


def settled(metres: float) -> Smoother:
    """A smoother that has seen a still grey scene for long."""
    smoother = Smoother(SETTINGS)
    for _ in range(math.ceil(1 / SETTINGS.gain)):
        smoother.smooth(GREY, flat(metres))
    return smoother


def test_the_first_depth_and_a_constant_stay_bit_by_bit() -> None:
    depth = np.random.default_rng(0).uniform(0.5, 8, (24, 32)).astype(np.float32)
    smoother = Smoother(SETTINGS)
    for _ in range(5):
        np.testing.assert_array_equal(smoother.smooth(GREY, depth), depth)


def test_a_large_step_arrives_with_its_first_frame_and_only_where_it_is() -> None:
    smoother = Smoother(SETTINGS)
    before, after = flat(3.0), flat(3.0)
    after[:, :16] = 3.0 * (1 - 1.01 * OPEN * SETTINGS.noise)
    for _ in range(3):
        smoother.smooth(GREY, before)
    # The edge between what moved and what did not is as sharp as it came.
    np.testing.assert_allclose(smoother.smooth(GREY, after), after, rtol=1e-6)


def test_a_small_step_takes_the_stated_number_of_frames() -> None:
    step = 0.9 * CLOSED * SETTINGS.noise
    smoother = settled(2.0)
    shares = [(smoother.smooth(GREY, flat(2 * (1 + step)))[0, 0] / 2 - 1) / step for _ in range(15)]
    np.testing.assert_allclose(shares, [1 - 0.8**n for n in range(1, 16)], rtol=1e-4)
    arrival = next(n for n, share in enumerate(shares, 1) if share >= 0.9)
    assert arrival == math.ceil(math.log(0.1) / math.log(1 - SETTINGS.gain))


def test_after_a_change_depth_is_the_mean_of_what_came_since() -> None:
    smoother = settled(9.0)
    since = [2.0, 2.02, 1.97, 2.03, 2.01]
    found = [smoother.smooth(GREY, flat(metres))[0, 0] for metres in since]
    np.testing.assert_allclose(found, [np.mean(since[:n]) for n in range(1, 6)], rtol=1e-6)
    # From the fifth frame on the least gain of 1/5 stays.
    np.testing.assert_allclose(smoother.smooth(GREY, flat(2.02)), 0.8 * np.mean(since) + 0.2 * 2.02, rtol=1e-6)


def test_between_noise_and_motion_the_gain_is_between() -> None:
    smoother = settled(1.0)
    middle = (CLOSED + OPEN) / 2 * SETTINGS.noise
    found = smoother.smooth(GREY, flat(1 + middle))
    np.testing.assert_allclose(found, 1 + 0.6 * middle, rtol=1e-5)


@pytest.mark.parametrize("gain", [0.1, 0.2, 0.5])
def test_noise_variance_falls_by_the_closed_form(gain: float) -> None:
    settings = Smoothing(gain=gain, noise=0.02)
    smoother, rng = Smoother(settings), np.random.default_rng(1)
    kept = []
    for index in range(200):
        noisy = (4 * (1 + rng.normal(0, 0.005, (64, 64)))).astype(np.float32)
        found = smoother.smooth(np.full((64, 64, 3), 90, np.uint8), noisy)
        if index >= 60:
            kept.append(found)
    variance = np.mean([((depth / 4 - 1) ** 2).mean() for depth in kept])
    assert variance / 0.005**2 == pytest.approx(gain / (2 - gain), rel=0.03)


def test_never_further_from_the_newest_depth_than_stated() -> None:
    smoother, rng = Smoother(SETTINGS), np.random.default_rng(2)
    depth = flat(2.0, (64, 64))
    average = smoother.smooth(np.full((64, 64, 3), 90, np.uint8), depth)
    farthest = 0.0
    for _ in range(100):
        depth = (depth * np.exp(rng.normal(0, 0.04, (64, 64)))).astype(np.float32)
        found = smoother.smooth(np.full((64, 64, 3), 90, np.uint8), depth)
        farthest = max(farthest, float((np.abs(found - depth) / average).max()))
        average = found
    assert 0.5 * CLOSED * SETTINGS.noise < farthest < OPEN * SETTINGS.noise


def test_a_changed_frame_lets_small_changes_of_depth_through() -> None:
    step, moved = 0.5 * CLOSED * SETTINGS.noise, GREY.copy()
    moved[:, :16] += math.ceil(SETTINGS.frame_noise * OPEN)
    smoother = settled(2.0)
    found = smoother.smooth(moved, flat(2 * (1 + step))) / 2 - 1
    reach = WINDOW // 2 + REACH // 2
    np.testing.assert_allclose(found[:, :16], step, rtol=1e-4)
    np.testing.assert_allclose(found[:, 16 + reach :], SETTINGS.gain * step, rtol=1e-4)


def test_noise_of_the_frame_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    smoother, still = Smoother(SETTINGS), Smoother(SETTINGS)
    for _ in range(30):
        noisy = np.clip(90 + rng.normal(0, 4, (24, 32, 3)), 0, 255).astype(np.uint8)
        depth = flat(2.0) * np.float32(1 + rng.normal(0, 0.01))
        np.testing.assert_array_equal(smoother.smooth(noisy, depth), still.smooth(GREY, depth))


def test_a_slow_change_of_the_frame_adds_up() -> None:
    smoother = settled(2.0)
    for step in range(1, 25):
        depth = flat(2 * (1 + 0.003 * step))
        # Two grey levels a frame are less than its noise is taken to be.
        found = smoother.smooth(GREY + np.uint8(2 * step), depth)
    closed_lag = 0.006 * (1 - SETTINGS.gain) / SETTINGS.gain
    assert abs(found[0, 0] - depth[0, 0]) < 0.5 * closed_lag


def test_another_size_starts_anew() -> None:
    smoother = settled(2.0)
    other = smoother.smooth(np.zeros((12, 16, 3), np.uint8), flat(2.05, (12, 16)))
    np.testing.assert_array_equal(other, flat(2.05, (12, 16)))


def test_what_the_caller_does_with_depth_changes_nothing() -> None:
    smoother, given = Smoother(SETTINGS), flat(2.0)
    for _ in range(3):
        answer = smoother.smooth(GREY, given)
        np.testing.assert_array_equal(answer, flat(2.0))
        given[:] = answer[:] = 2.04
        given = flat(2.0)


@pytest.mark.parametrize("wrong", [{"gain": 0.0}, {"gain": 1.1}, {"noise": 0.0}, {"frame_noise": math.nan}])
def test_settings_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Smoothing(**wrong)
