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


def test_steps_fall_by_ten_every_so_many_epochs() -> None:
    optim = OptimConfig(schedule="step", step_epochs=3)
    factors = [learning_rate_factor(optim, step, 40, 4) for step in range(40)]
    assert factors == pytest.approx([1] * 12 + [0.1] * 12 + [0.01] * 12 + [0.001] * 4)
