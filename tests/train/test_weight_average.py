"""The averages of weights against their closed forms."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import runs
from clipdepth.errors import CheckpointError
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.recipe import OptimConfig
from clipdepth_train.weight_average import WeightAverage, averaging

STEPS = 6
DECAY = 0.28
DECAYS = (1 / 10, 2 / 11, 3 / 12, DECAY, DECAY, DECAY)
"""Of the first steps: (1 + n)/(10 + n), until that is more than DECAY."""


def moving(ema: float) -> Callable[[int], float]:
    share_at = averaging(OptimConfig(ema=ema), STEPS, 2)
    assert share_at is not None
    return share_at


@pytest.fixture(scope="module")
def model() -> DepthModel:
    return build_model(runs.tiny_recipe("rooms"))


def weights(model: DepthModel, seed: int) -> dict[str, Tensor]:
    """Other weights and statistics of `model`, and another count of batches."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(value.shape, generator=generator) + 0.5 if value.is_floating_point() else value * 0 + seed
        for name, value in model.state_dict().items()
    }


def train(average: WeightAverage, model: DepthModel, seeds: range) -> None:
    """Let the average follow a model through the weights of these seeds."""
    for seed in seeds:
        model.load_state_dict(weights(model, seed))
        average.follow(model)


def following(model: DepthModel, steps: int) -> WeightAverage:
    """An average that began at the weights of seed 0 and followed those of 1, 2 and so on."""
    model.load_state_dict(weights(model, 0))
    average = WeightAverage(model, moving(DECAY))
    train(average, model, range(1, steps + 1))
    return average


def test_the_closed_form(model: DepthModel) -> None:
    """Each weight counts by its own share and by the decay of every later step; shares add up to 1."""
    shares = [np.prod(DECAYS)]
    shares += [(1 - DECAYS[n]) * np.prod(DECAYS[n + 1 :]) for n in range(STEPS)]
    assert sum(shares) == pytest.approx(1)
    found = following(model, STEPS).model.state_dict()
    seen = [weights(model, seed) for seed in range(STEPS + 1)]
    for name, value in found.items():
        if value.is_floating_point():
            expected = sum(share * each[name].double().numpy() for share, each in zip(shares, seen, strict=True))
            np.testing.assert_allclose(value.numpy(), expected, rtol=1e-5, err_msg=name)


def test_the_mean_of_the_last_epochs(model: DepthModel) -> None:
    """Of the weights after each of their steps, and of no others; before them it is the model itself."""
    share_at = averaging(OptimConfig(ema=DECAY, average_epochs=2), STEPS, 2)
    assert share_at is not None
    model.load_state_dict(weights(model, 0))
    average = WeightAverage(model, share_at)
    train(average, model, range(1, 3))
    for name, value in average.model.state_dict().items():
        assert torch.equal(value, weights(model, 2)[name])
    train(average, model, range(3, STEPS + 1))
    seen = [weights(model, seed) for seed in range(3, STEPS + 1)]
    for name, value in average.model.state_dict().items():
        if value.is_floating_point():
            expected = np.mean([each[name].double().numpy() for each in seen], axis=0)
            np.testing.assert_allclose(value.numpy(), expected, rtol=1e-5, err_msg=name)
        else:
            assert torch.equal(value, seen[-1][name])


def test_no_average() -> None:
    assert averaging(OptimConfig(), STEPS, 2) is None


def test_batch_norm_statistics_follow_and_their_counter_is_copied(model: DepthModel) -> None:
    found = following(model, STEPS).model.state_dict()
    assert any(name.endswith("running_var") for name in found)
    counters = [value for value in found.values() if not value.is_floating_point()]
    assert counters
    assert all(int(counter) == STEPS for counter in counters)


def test_an_average_of_what_does_not_change_does_not_either(model: DepthModel) -> None:
    model.load_state_dict(weights(model, 3))
    average = WeightAverage(model, moving(0.999))
    for _ in range(20):
        average.follow(model)
    for name, value in average.model.state_dict().items():
        torch.testing.assert_close(value, weights(model, 3)[name], rtol=1e-6, atol=0)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_restored_average_goes_on_bit_by_bit(model: DepthModel, steps: int) -> None:
    undisturbed = following(model, STEPS).model.state_dict()
    kept = {name: value.clone() for name, value in following(model, steps).model.state_dict().items()}
    model.load_state_dict(weights(model, 99))
    restored = WeightAverage(model, moving(DECAY))
    restored.restore(kept, steps, Path("resume.safetensors"))
    train(restored, model, range(steps + 1, STEPS + 1))
    for name, value in restored.model.state_dict().items():
        assert torch.equal(value, undisturbed[name]), name


def test_an_average_of_another_model_is_refused(model: DepthModel) -> None:
    kept = dict(model.state_dict())
    kept.popitem()
    with pytest.raises(CheckpointError, match=r"resume\.safetensors"):
        WeightAverage(model, moving(DECAY)).restore(kept, 1, Path("resume.safetensors"))


def test_the_average_is_a_model_of_its_own(model: DepthModel) -> None:
    model.load_state_dict(weights(model, 0))
    model.train()
    average = WeightAverage(model, moving(DECAY))
    assert not average.model.training
    assert not any(p.requires_grad for p in average.model.parameters())
    assert model.training
    assert any(p.requires_grad for p in model.parameters())
    train(average, model, range(1, 4))
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights(model, 3)[name])
        assert value.data_ptr() != average.model.state_dict()[name].data_ptr()


def test_a_run_keeps_the_average(tmp_path: Path) -> None:
    """After one step it is a tenth of the first weights and nine tenths of the second."""
    data = runs.write_rgbd_folder(tmp_path / "data", 2, 1)
    kept = {}
    for ema in (0.0, 0.9):
        optim = OptimConfig("sgd", 0.05, 0.05, schedule="step", ema=ema)
        run = runs.train_tiny_run(tmp_path / f"run-{ema}", data, optim=optim)
        kept[ema] = load_file(run / "checkpoint.safetensors")
    start = build_model(runs.tiny_recipe(data, optim=optim)).state_dict()
    for name, last in kept[0.0].items():
        expected = 0.1 * start[name] + 0.9 * last if last.is_floating_point() else last
        torch.testing.assert_close(kept[0.9][name], expected, rtol=1e-5, atol=1e-7, msg=name)
    assert any(not torch.equal(start[name], last) for name, last in kept[0.0].items())
