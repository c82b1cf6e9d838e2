"""Learning-rate factors against their closed forms."""

import math

import pytest

from clipdepth_train.recipe import OptimConfig
from clipdepth_train.schedule import learning_rate_factor

ONECYCLE, STEPS = OptimConfig(schedule="onecycle"), 200


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.04),
        (10, (0.04 + 1) / 2),
        (20, 1.0),
        (110, (1 + 0.001) / 2),
        (65, 0.001 + 0.999 * (1 + math.cos(math.pi / 4)) / 2),
        (200, 0.001),
    ],
)
def test_onecycle(step: int, expected: float) -> None:
    assert learning_rate_factor(ONECYCLE, step, STEPS, 20) == pytest.approx(expected)


def test_onecycle_rises_and_then_falls() -> None:
    factors = [learning_rate_factor(ONECYCLE, step, STEPS, 20) for step in range(STEPS)]
    assert factors.index(max(factors)) == 20
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_have_a_rate(steps: int) -> None:
    factors = [learning_rate_factor(ONECYCLE, step, steps, 1) for step in range(steps)]
    assert all(0 < factor <= 1 for factor in factors)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 1.0),
        (50, 0.001 + 0.999 * (1 + math.cos(math.pi / 4)) / 2),
        (100, (1 + 0.001) / 2),
        (150, 0.001 + 0.999 * (1 - math.cos(math.pi / 4)) / 2),
        (200, 0.001),
    ],
)
def test_cosine(step: int, expected: float) -> None:
    assert learning_rate_factor(OptimConfig(schedule="cosine"), step, STEPS, 20) == pytest.approx(expected)


def test_cosine_only_falls() -> None:
    factors = [learning_rate_factor(OptimConfig(schedule="cosine"), step, STEPS, 20) for step in range(STEPS)]
    assert factors == sorted(factors, reverse=True)
    assert len(set(factors)) == STEPS


def test_milestones_count_from_the_end_of_the_warm_up() -> None:
    optim = OptimConfig(
        learning_rate=0.02, schedule="milestones", milestones=(1, 2, 5), warm_up_epochs=1, warm_up_rate=0.001
    )
    rates = [0.02 * learning_rate_factor(optim, step, 32, 4) for step in range(32)]
    by_epoch = [0.001, 0.02, 0.002, 2e-4, 2e-4, 2e-4, 2e-5, 2e-5]
    assert rates == pytest.approx([rate for rate in by_epoch for _ in range(4)])


def test_milestones_without_a_warm_up_count_from_the_start() -> None:
    optim = OptimConfig(schedule="milestones", milestones=(3, 1))
    factors = [learning_rate_factor(optim, step, 10, 2) for step in range(10)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01])
    assert learning_rate_factor(OptimConfig(schedule="milestones"), 9, 10, 2) == 1


def test_a_longer_warm_up_keeps_its_rate_whatever_the_learning_rate() -> None:
    for rate in (1e-4, 0.5):
        optim = OptimConfig(
            learning_rate=rate, schedule="milestones", milestones=(1,), warm_up_epochs=2, warm_up_rate=0.003
        )
        rates = [rate * learning_rate_factor(optim, step, 4, 1) for step in range(4)]
        assert rates == pytest.approx([0.003, 0.003, rate, rate / 10])


def test_steps_fall_by_ten_every_so_many_epochs() -> None:
    optim = OptimConfig(schedule="step", step_epochs=3)
    factors = [learning_rate_factor(optim, step, 40, 4) for step in range(40)]
    assert factors == pytest.approx([1] * 12 + [0.1] * 12 + [0.01] * 12 + [0.001] * 4)
