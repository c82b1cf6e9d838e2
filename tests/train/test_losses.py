"""Losses against their closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from clipdepth_train.losses import depth_loss
from clipdepth_train.recipe import LossConfig

KINDS = ("l1", "l2", "silog")


def pair() -> tuple[Tensor, Tensor]:
    """A prediction and a truth, of which a third is unknown."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, 8, (2, 4, 6)).astype(np.float32)
    prediction = truth * rng.uniform(0.5, 2, truth.shape).astype(np.float32)
    truth[rng.random(truth.shape) < 0.3] = 0
    return torch.from_numpy(prediction), torch.from_numpy(truth)


def expected(kind: str, forgiven: float = 0.85) -> float:
    prediction, truth = (tensor.double().numpy() for tensor in pair())
    predicted, true = prediction[truth > 0], truth[truth > 0]
    log_error = np.log(predicted / true)
    return float(
        {
            "l1": np.mean(np.abs(predicted - true)),
            "l2": np.mean((predicted - true) ** 2),
            "silog": np.sqrt(np.mean(log_error**2) - forgiven * np.mean(log_error) ** 2),
        }[kind]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_closed_form(kind: str) -> None:
    assert float(depth_loss(*pair(), LossConfig(kind))) == pytest.approx(expected(kind), rel=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("forgiven", [0.0, 0.5, 1.0])
def test_silogs_lambda(forgiven: float) -> None:
    loss = depth_loss(*pair(), LossConfig("silog", forgiven))
    assert float(loss) == pytest.approx(expected("silog", forgiven), rel=1e-5)


def test_silog_forgives_scale_as_far_as_lambda_says() -> None:
    prediction, truth = pair()
    all_forgiven, none_forgiven = LossConfig("silog", 1.0), LossConfig("silog", 0.0)
    once = depth_loss(prediction, truth, all_forgiven)
    torch.testing.assert_close(depth_loss(3 * prediction, truth, all_forgiven), once)
    scaled = depth_loss(3 * truth, truth, none_forgiven)
    assert float(scaled) == pytest.approx(math.log(3), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_pixels_do_not_matter(kind: str) -> None:
    prediction, truth = pair()
    config = LossConfig(kind)  # type: ignore[arg-type]
    wild = torch.where(truth > 0, prediction, torch.full_like(prediction, -1e6)).requires_grad_()
    loss = depth_loss(wild, truth, config)
    loss.backward()
    assert wild.grad is not None
    assert float(loss.detach()) == pytest.approx(float(depth_loss(prediction, truth, config)))
    assert not wild.grad[truth == 0].any()
    assert wild.grad[truth > 0].all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_a_known_pixel_costs_nothing(kind: str) -> None:
    prediction = torch.full((1, 2, 3), 2.0, requires_grad=True)
    loss = depth_loss(prediction, torch.zeros(1, 2, 3), LossConfig(kind))  # type: ignore[arg-type]
    loss.backward()
    assert float(loss.detach()) == 0
    assert prediction.grad is not None
    assert not prediction.grad.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("forgiven", [0.0, 0.85, 1.0])
def test_the_slope_is_finite_at_a_perfect_and_at_a_negative_answer(kind: str, forgiven: float) -> None:
    _, truth = pair()
    config = LossConfig(kind, forgiven)  # type: ignore[arg-type]
    for answer in (truth.clamp_min(0.1), torch.full_like(truth, -1.0), torch.zeros_like(truth)):
        prediction = answer.clone().requires_grad_()
        loss = depth_loss(prediction, truth, config)
        loss.backward()
        assert prediction.grad is not None
        assert torch.isfinite(loss)
        assert torch.isfinite(prediction.grad).all()


def test_a_perfect_answer_costs_next_to_nothing() -> None:
    _, truth = pair()
    assert float(depth_loss(truth, truth, LossConfig("l1"))) == 0
    assert float(depth_loss(truth, truth, LossConfig("l2"))) == 0
    assert float(depth_loss(truth.clamp_min(0.1), truth, LossConfig("silog"))) == pytest.approx(0, abs=2e-4)


def test_half_precision_is_measured_in_full() -> None:
    prediction, truth = pair()
    halves = prediction.half()
    loss = depth_loss(halves, truth, LossConfig("l2"))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(depth_loss(halves.float(), truth, LossConfig("l2"))))


def test_silog_of_a_pure_scale_error_is_never_nan() -> None:
    truth = torch.linspace(0.5, 9, 5000)[None, None]
    for scale in np.linspace(0.1, 9, 50):
        prediction = (float(scale) * truth).requires_grad_()
        loss = depth_loss(prediction, truth, LossConfig("silog", 1.0))
        loss.backward()
        assert prediction.grad is not None
        assert float(loss.detach()) == pytest.approx(0, abs=1e-3)
        assert torch.isfinite(prediction.grad).all()
