"""Losses against their closed forms."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipdepth_train.losses import (
    bin_loss,
    depth_loss,
    gradient_loss,
    nearest,
    smoothness_loss,
    symmetry_loss,
)
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


def maps(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Two predictions of this size and their truth, of which a third is unknown."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.5, 8, (2, height, width)).astype(np.float32)
    prediction = truth * rng.uniform(0.5, 2, truth.shape).astype(np.float32)
    truth[rng.random(truth.shape) < 0.3] = 0
    return torch.from_numpy(prediction), torch.from_numpy(truth)


def steps(known: NDArray[np.bool_], g: NDArray[np.float64], down: int, right: int) -> list[float]:
    """|g(there) - g(here)| for all pixels here and there, so many rows down and columns right, that are both known."""
    _, height, width = g.shape
    return [
        abs(g[n, row + down, column + right] - g[n, row, column])
        for n, row, column in np.ndindex(2, height - down, width - right)
        if known[n, row, column] and known[n, row + down, column + right]
    ]


@pytest.mark.parametrize("size", [(17, 23), (16, 8), (9, 3)])
def test_gradients_at_four_scales(size: tuple[int, int]) -> None:
    prediction, truth = (tensor.double().numpy() for tensor in maps(*size))
    total = 0.0
    for stride in (1, 2, 4, 8):
        y, predicted = truth[:, ::stride, ::stride], prediction[:, ::stride, ::stride]
        g = np.log(predicted / np.where(y > 0, y, 1))
        for down, right in ((0, 1), (1, 0)):
            differences = steps(y > 0, g, down, right)
            total += sum(differences) / max(len(differences), 1)
    assert float(gradient_loss(*maps(*size))) == pytest.approx(total, rel=1e-5)


def test_gradients_do_not_tell_a_scale() -> None:
    prediction, truth = maps(20, 24)
    once = float(gradient_loss(prediction, truth))
    assert once > 0.5
    assert float(gradient_loss(3.7 * prediction, truth)) == pytest.approx(once, rel=1e-5)
    assert float(gradient_loss(prediction, 0.2 * truth)) == pytest.approx(once, rel=1e-5)
    assert float(gradient_loss(0.6 * truth, truth)) == pytest.approx(0, abs=1e-6)


def test_gradients_next_to_the_unknown_do_not_matter() -> None:
    prediction, truth = maps(20, 24)
    wild = torch.where(truth > 0, prediction, -1e6).requires_grad_()
    loss = gradient_loss(wild, truth)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(gradient_loss(prediction, truth)))
    assert wild.grad is not None
    assert not wild.grad[truth == 0].any()
    nothing = torch.zeros_like(truth)
    assert float(gradient_loss(prediction, nothing)) == 0


def test_cross_entropy_with_the_bin_that_is_nearest_in_log_depth() -> None:
    rng = np.random.default_rng(2)
    centres = np.array([0.5, 1.0, 2.0, 8.0])
    scores = rng.normal(size=(2, 4, 5, 6)) * 3
    truth = rng.uniform(0.3, 10, (2, 5, 6))
    truth[rng.random(truth.shape) < 0.3] = 0
    # Halfway between 2 and 8 lies 5, or 4 in log depth.
    truth[0, 0, :3] = (4.1, 3.9, 4.9)
    costs = []
    for n, row, column in np.ndindex(*truth.shape):
        if truth[n, row, column] > 0:
            nearest_bin = int(np.abs(np.log(truth[n, row, column]) - np.log(centres)).argmin())
            logits = scores[n, :, row, column]
            costs.append(np.log(np.exp(logits).sum()) - logits[nearest_bin])
    found = bin_loss(*(torch.from_numpy(array).float() for array in (scores, centres, truth)))
    assert float(found) == pytest.approx(np.mean(costs), rel=1e-5)


def test_bins_at_a_coarser_place_are_compared_with_one_true_depth_each() -> None:
    """Three rows and two columns of bins for six and six pixels: of each block of 2×3 the middle one's depth."""
    centres = torch.tensor([1.0, 3.0])
    scores = torch.zeros(1, 2, 3, 2)
    scores[:, 1] = 20
    truth = torch.ones(1, 6, 6)
    truth[:, 1::2, 1::3] = 3
    assert float(bin_loss(scores, centres, truth)) == pytest.approx(0, abs=1e-6)
    assert float(bin_loss(-scores, centres, truth)) == pytest.approx(20, rel=1e-6)


def test_bins_without_a_known_pixel_cost_nothing() -> None:
    scores = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = bin_loss(scores, torch.tensor([1.0, 2.0, 4.0]), torch.zeros(1, 4, 5))
    loss.backward()
    assert float(loss.detach()) == 0
    assert scores.grad is not None
    assert not scores.grad.any()


def step_picture(height: int, width: int, column: int, size: float) -> Tensor:
    """(1, 3, H, W): grey, and `size` brighter from `column` on."""
    picture = torch.full((1, 3, height, width), 0.2)
    picture[..., column:] += size
    return picture


def test_smoothness_of_a_step() -> None:
    """One column of five changes by 2 m, of four differences along a row and none along a column."""
    depth = torch.full((1, 4, 5), 1.0)
    depth[..., 3:] = 3
    for column, weight in ((3, math.exp(-0.6)), (2, 1.0), (4, 1.0)):
        found = float(smoothness_loss(depth, step_picture(4, 5, column, 0.6)))
        assert found == pytest.approx(2 / 4 * weight, rel=1e-6)
    along = float(smoothness_loss(depth.transpose(1, 2), step_picture(4, 5, 3, 0.6).transpose(2, 3)))
    assert along == pytest.approx(2 / 4 * math.exp(-0.6), rel=1e-6)


def test_smoothness_weighs_by_the_mean_over_colours() -> None:
    depth = torch.tensor([[[1.0, 2.0]]])
    picture = torch.tensor([[0.1, 0.4], [0.5, 0.5], [0.9, 0.3]])[None, :, None]
    depth, picture = depth.repeat(1, 2, 1), picture.repeat(1, 1, 2, 1)
    assert float(smoothness_loss(depth, picture)) == pytest.approx(math.exp(-(0.3 + 0 + 0.6) / 3), rel=1e-6)


def test_constant_depth_is_smooth() -> None:
    picture = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    assert float(smoothness_loss(torch.full((2, 6, 7), 4.0), picture)) == 0


def test_smoothness_sees_the_picture_at_the_depths_size() -> None:
    """Each pixel of depth as the mean of those of the picture that it covers."""
    depth = torch.full((1, 4, 5), 1.0)
    depth[..., 3:] = 3
    large = step_picture(8, 10, 6, 0.6)
    # A weave that is gone in the mean of any two columns, and that no single column is without.
    large += 0.1 * torch.tensor([1.0, -1, -1, 1, 1, -1, -1, 1, 1, -1])
    assert float(smoothness_loss(depth, large)) == pytest.approx(2 / 4 * math.exp(-0.6), rel=1e-5)


def test_symmetry_is_the_mean_absolute_difference() -> None:
    depth, mirrored = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([[[1.5, 2.0], [2.0, 4.5]]])
    assert float(symmetry_loss(depth, mirrored)) == 0.5
    assert float(symmetry_loss(depth, depth)) == 0


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_the_nearest_true_depth_is_one_of_the_truth(factor: int) -> None:
    truth = torch.arange(1.0, 2 * 12 * 24 + 1).reshape(2, 12, 24)
    like = torch.zeros(2, 12 // factor, 24 // factor)
    expected = truth.numpy()[:, factor // 2 :: factor, factor // 2 :: factor]
    np.testing.assert_array_equal(nearest(truth, like).numpy(), expected)
    # Only height and width count.
    assert torch.equal(nearest(truth, like[:, None].expand(-1, 5, -1, -1)), nearest(truth, like))


def test_no_unknown_pixel_is_mixed_into_a_coarser_truth() -> None:
    _, truth = maps(24, 32)
    coarse = nearest(truth, torch.zeros(2, 6, 8))
    assert set(coarse.unique().tolist()) <= set(truth.unique().tolist())
    assert 0.1 < (coarse == 0).float().mean() < 0.5
