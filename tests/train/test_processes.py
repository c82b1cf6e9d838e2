"""Two processes that accelerate starts beside each other learn what one does; and what they share, in one."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

import runs
from clipdepth.bundle.metrics import METRIC_NAMES, mean_metrics
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.loader import Batches, open_set, training_loader
from clipdepth_train.data.order import share_of
from clipdepth_train.depth_model import build_model
from clipdepth_train.evaluation import evaluate, predictor
from clipdepth_train.objective import Objective
from clipdepth_train.processes import (
    SharedBatchNorm2d,
    SharedFlag,
    mean_over_processes,
    share_batch_norms,
    sum_over_processes,
)
from clipdepth_train.recipe import Recipe
from train import shared_runs
from train.shared_runs import COMMAND, RUNS, STEPS, STOPPED_AT, TEST_FRAMES, TRAIN_FRAMES, measured

TESTS = Path(__file__).parents[1]
# accelerate's own --cpu starts one process only, unless MPI is there; this way it takes torchrun's with gloo.
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
LAUNCH += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "train.shared_runs"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    shared_runs.write_walk(folder)
    return folder


@pytest.fixture(scope="module")
def two(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes make of all runs."""
    out = tmp_path_factory.mktemp("two")
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    arguments = [sys.executable, *LAUNCH, str(data), str(out)]
    result = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("δ1") == 1, "more than one process printed the table"
    assert "Warning" not in result.stderr
    return out


def recipe_of(name: str, data: Path) -> Recipe:
    return runs.tiny_recipe(data, **{**RUNS, **STEPS}[name])


def report(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(run / "checkpoint.safetensors")


def batches(recipe: Recipe, process: int = 0, processes: int = 1) -> list[dict[str, Tensor]]:
    """A process's batches of the first step."""
    pairs = open_set(recipe.data[0], "train", recipe.frames)
    return list(training_loader(pairs, recipe, Batches(recipe, share_of(pairs), 0, 1, process, processes)))


@pytest.mark.slow
def test_the_command_line_and_the_recipe_say_the_same(data: Path, two: Path) -> None:
    assert load_run(two / COMMAND)[1] == recipe_of(COMMAND, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_learn_what_one_does(name: str, data: Path, two: Path, tmp_path: Path) -> None:
    one = runs.train_tiny_run(tmp_path / "one", data, **RUNS[name])
    untrained = runs.train_tiny_run(tmp_path / "untrained", data, **{**RUNS[name], "epochs": 0})
    assert report(two / name)["processes"] == 2
    expected, found, first = (report(run)["metrics"] for run in (one, two / name, untrained))
    assert abs(expected["rmse"] / first["rmse"] - 1) > 0.03, "nothing was learned"
    for metric in METRIC_NAMES:
        assert found[metric] == pytest.approx(expected[metric], rel=1e-4), metric
    kept = weights(two / name)
    for key, value in weights(one).items():
        torch.testing.assert_close(kept[key], value, rtol=0, atol=1e-5, msg=key)


def test_the_two_have_uneven_shares(data: Path) -> None:
    for name in (*RUNS, *STEPS):
        known = [
            [int((batch["depth"] > 0).sum()) for batch in batches(recipe_of(name, data), process, 2)]
            for process in (0, 1)
        ]
        assert all(abs(first - second) > 1000 for first, second in zip(*known, strict=True)), known


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_two_processes_is_that_of_the_whole_batch(name: str, data: Path, two: Path) -> None:
    recipe = recipe_of(name, data)
    model, start = build_model(recipe), build_model(recipe).state_dict()
    objective = Objective(model, recipe.loss).train()
    (batch,) = batches(recipe)
    assert len(batch["frame"]) == TRAIN_FRAMES
    objective(batch).backward()
    found = weights(two / name)
    for key, p in model.named_parameters():
        assert p.grad is not None
        wrong, largest = float((found[key] - (start[key] - p.grad)).abs().max()), float(p.grad.abs().max())
        assert wrong <= 1e-6 + 3e-4 * largest, key


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_at_the_same_step(two: Path) -> None:
    """A step after it came. The run that goes on from there is among those that learn what one process does."""
    assert [(two / f"stopped-{process}.txt").read_text() for process in (0, 1)] == [f"{STOPPED_AT + 1}\n"] * 2


@pytest.mark.slow
def test_every_test_frame_is_measured_once(two: Path) -> None:
    notes = [measured(two, process).read_text().splitlines() for process in (0, 1)]
    assert len(notes[0]) == len(notes[1]) == len({**RUNS, **STEPS})
    for shares in zip(*notes, strict=True):
        first, second = ([int(index) for index in share.split()] for share in shares)
        assert sorted(first + second) == list(range(TEST_FRAMES))
        assert abs(len(first) - len(second)) <= 1


@pytest.mark.slow
def test_the_model_that_is_measured_is_the_one_that_is_kept(two: Path) -> None:
    for name in RUNS:
        found = report(two / name)
        assert found["test_frames"] == TEST_FRAMES
        model, recipe = load_run(two / name)
        tests = open_set(recipe.data[0], "test", recipe.frames)
        images = evaluate(predictor(model, recipe.frames), tests, recipe.frames, "all", range(TEST_FRAMES))
        for metric in METRIC_NAMES:
            assert found["metrics"][metric] == pytest.approx(getattr(mean_metrics(images), metric), rel=1e-5)


def test_the_flag_of_one_process_is_its_own_at_once() -> None:
    flag = SharedFlag()
    assert [flag.raised(mine) for mine in (False, True, False)] == [False, True, False]


def test_sums_and_means_of_one_process() -> None:
    values = torch.tensor([[1.0, 2.0], [4.0, torch.nan]], requires_grad=True)
    assert torch.equal(sum_over_processes(values.detach()[0]), torch.tensor([1.0, 2.0]))
    mean = mean_over_processes(values, torch.tensor([[True, False], [True, False]]))
    mean.backward()
    assert float(mean.detach()) == 2.5
    assert torch.equal(values.grad, torch.tensor([[0.5, 0.0], [0.5, 0.0]]))  # type: ignore[arg-type]


def test_the_mean_of_nothing_is_0() -> None:
    values = torch.ones(3, requires_grad=True)
    mean = mean_over_processes(values, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert float(mean.detach()) == 0
    assert torch.equal(values.grad, torch.zeros(3))  # type: ignore[arg-type]


def norms() -> dict[str, nn.BatchNorm2d]:
    """Batch norms as PyTorch and timm make them."""
    return {
        "plain": nn.BatchNorm2d(5, eps=1e-3, momentum=0.3),
        "relu": BatchNormAct2d(5),
        "silu": BatchNormAct2d(5, momentum=0.01, act_layer=nn.SiLU),
        "no activation": BatchNormAct2d(5, apply_act=False),
        "dropping": BatchNormAct2d(5, drop_layer=nn.Dropout2d),
    }


def filled(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """With weights that are not 1 and 0."""
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1, 2, 5))
        norm.bias.copy_(torch.linspace(0.5, -0.5, 5))
    return norm


def passed(norm: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The output, and the gradients of the input and the weights."""
    torch.manual_seed(0)
    x = x.clone().requires_grad_()
    norm.zero_grad()
    output: Tensor = norm(x)
    (output * torch.linspace(-1, 1, output.numel()).reshape(output.shape)).sum().backward()
    gradients = [part.grad for part in (x, *norm.parameters())]
    return output.detach(), [gradient for gradient in gradients if gradient is not None]


@pytest.mark.parametrize("kind", norms())
def test_a_shared_batch_norm_of_one_process_is_a_batch_norm(kind: str) -> None:
    theirs = filled(norms()[kind])
    ours = share_batch_norms(nn.Sequential(copy.deepcopy(theirs)), torch.device("cpu"))[0]  # type: ignore[index]
    assert isinstance(ours, SharedBatchNorm2d)
    generator = torch.Generator().manual_seed(0)
    for training in (True, True, True, False):
        x = 3 + 2 * torch.randn(4, 5, 6, 7, generator=generator)
        (output, gradients), (expected, slopes) = (passed(norm.train(training), x) for norm in (ours, theirs))
        torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)
        assert len(gradients) == len(slopes) == 3
        for gradient, slope in zip(gradients, slopes, strict=True):
            torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-4)
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, theirs.state_dict()[name], rtol=1e-5, atol=1e-6)
    assert int(ours.num_batches_tracked) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_shared_batch_norm_reckons_in_full_precision(dtype: torch.dtype) -> None:
    """Of halves too, whose squares would be infinite, and gives halves."""
    x = (300 + 30 * torch.randn(4, 5, 6, 7, generator=torch.Generator().manual_seed(0))).to(dtype)
    ours = share_batch_norms(nn.Sequential(filled(nn.BatchNorm2d(5))), torch.device("cpu"))
    output = ours(x)
    assert output.dtype == dtype
    torch.testing.assert_close(output.float(), filled(nn.BatchNorm2d(5))(x.float()), rtol=1e-2, atol=1e-2)


def test_every_batch_norm_of_a_model_is_shared_and_none_is_renamed() -> None:
    model = build_model(runs.tiny_recipe("rooms"))
    names, count = list(model.state_dict()), sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    shared = share_batch_norms(model, torch.device("cpu"))
    assert list(shared.state_dict()) == names
    assert sum(isinstance(m, SharedBatchNorm2d) for m in shared.modules()) == count > 10
