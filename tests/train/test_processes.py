"""Two processes that accelerate starts beside each other: shared steps, shared evaluation, one set of files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import runs
from clipdepth.metrics import METRIC_NAMES, mean_metrics
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.loader import Batches, open_set, training_loader
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.evaluation import evaluate, predictor
from clipdepth_train.losses import depth_loss
from clipdepth_train.recipe import OptimConfig, Recipe

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]
# accelerate's own --cpu starts one process only, unless MPI is there; this way it takes torchrun's with gloo.
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
LAUNCH += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "tiny_clipdepth"]
FRAMES, TEST_FRAMES, RATE = 4, 3, 0.05


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """One step of plain gradient descent over four frames."""
    data = runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), FRAMES, TEST_FRAMES)
    optim = OptimConfig("sgd", RATE, RATE, momentum=0.0, weight_decay=0.0, schedule="step", clip_norm=0.0)
    return runs.tiny_recipe(data, batch_size=FRAMES, optim=optim)


@pytest.fixture(scope="module")
def run(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes make of the recipe."""
    out = tmp_path_factory.mktemp("runs") / "two"
    options = f"""train edge --data {recipe.data} --out {out} --epochs 1 --batch-size {FRAMES} --frames.height 64
        --frames.width 64 --frames.rooms 1 --frames.workers 0 --model.clip.name tiny-clip --model.clip.weights none
        --model.width 8 --model.bins 8 --optim.optimizer sgd --optim.learning-rate {RATE} --optim.schedule step
        --optim.trunk-learning-rate {RATE} --optim.momentum 0 --optim.weight-decay 0 --optim.clip-norm 0"""
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, *LAUNCH, *options.split()]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("δ1") == 1, "more than one process printed the table"
    return out


def gradients(recipe: Recipe, process: int) -> tuple[DepthModel, dict[str, Tensor]]:
    """The model after a process's forward and backward pass over its share of the first step."""
    model = build_model(recipe).train()
    pairs = open_set(recipe.data, "train", recipe.frames)
    ((frame, depth),) = training_loader(pairs, recipe, Batches(recipe, FRAMES, 0, 1, process, 2))
    depth_loss(model(frame), depth, recipe.loss).backward()
    return model, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_a_step_follows_the_mean_gradient_of_both_shares(recipe: Recipe, run: Path) -> None:
    found = load_file(run / "checkpoint.safetensors")
    start = build_model(recipe).state_dict()
    (first, mine), (_, other) = (gradients(recipe, process) for process in (0, 1))
    for name, gradient in mine.items():
        expected = start[name] - RATE * (gradient + other[name]) / 2
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6, msg=name)
    assert any((gradient - other[name]).abs().max() > 1e-3 for name, gradient in mine.items())
    # Batch norms see their own process's share; those of the main process are kept.
    for name, value in first.named_buffers():
        if name in found:
            torch.testing.assert_close(found[name], value, msg=name)


def test_every_test_frame_is_measured_once_and_by_the_model_that_is_kept(recipe: Recipe, run: Path) -> None:
    report = json.loads((run / "metrics.json").read_text())
    assert report["processes"] == 2
    assert report["test_frames"] == TEST_FRAMES
    model, found = load_run(run)
    assert found == recipe
    tests = open_set(recipe.data, "test", recipe.frames)
    images = evaluate(predictor(model, recipe.frames), tests, recipe.frames, "all", range(TEST_FRAMES))
    for name in METRIC_NAMES:
        assert report["metrics"][name] == pytest.approx(getattr(mean_metrics(images), name), rel=1e-5)


def test_two_processes_come_close_to_one(recipe: Recipe, run: Path, tmp_path: Path) -> None:
    one = runs.train_tiny_run(tmp_path, recipe.data, batch_size=FRAMES, optim=recipe.optim)
    assert load_run(one)[1] == recipe
    two_metrics, metrics = (json.loads((path / "metrics.json").read_text())["metrics"] for path in (run, one))
    # Not closer, since each process normalises its batches by the statistics of its own two frames.
    assert two_metrics["rel"] == pytest.approx(metrics["rel"], rel=0.1)
    assert two_metrics["rmse"] == pytest.approx(metrics["rmse"], rel=0.1)
