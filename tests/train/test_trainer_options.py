"""What a recipe may ask of a run beyond plain steps: parts, an average, a start, a second view, a segmentation."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor

import runs
from clipdepth.bundle.metrics import mean_metrics
from clipdepth.cli import main
from clipdepth.errors import CheckpointError, DataError, UsageError
from clipdepth_train.checkpoint import CHECKPOINT, load_run
from clipdepth_train.data.loader import open_set
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.evaluation import evaluate, predictor
from clipdepth_train.models import ClipAdapterConfig, DepthClipConfig, MsaConfig
from clipdepth_train.objective import Batch
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import AugmentConfig, DataConfig, LossConfig, OptimConfig, Recipe, ViewConfig
from clipdepth_train.trainer import Trainer, make_optimizer
from runs import tiny_recipe
from tiny_clip import TINY_CLIP

TINY = PretrainedConfig(TINY_CLIP, "none")
STILL = AugmentConfig(rotate=0, zoom=1, flip=0.5, jitter=0.2)
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=8, test=2)


def weights_of(run: Path) -> Weights:
    return load_file(run / CHECKPOINT)


def metrics_of(run: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((run / "metrics.json").read_text())["metrics"]
    return metrics


def assert_same(found: Weights, wanted: Weights) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_a_batch_in_parts_makes_the_step_that_the_whole_makes(data: Path, tmp_path: Path, kind: Any) -> None:
    # Seed 1, since of seed 0 the image adapter's two hidden units learn nothing.
    changes: dict[str, Any] = {
        "model": ClipAdapterConfig(TINY),
        "augment": STILL,
        "optim": OptimConfig("sgd", 0.5, weight_decay=1e-4, schedule="step"),
        "loss": LossConfig(kind),
        "batch_size": 4,
        "seed": 1,
    }
    pairs = open_set(str(data), "train", DataConfig())
    assert all((pairs[i].depth > 0).all() for i in range(8)), "parts with unknown pixels weigh differently"
    whole, *parts = (
        weights_of(runs.train_tiny_run(tmp_path / str(accumulate), data, accumulate=accumulate, **changes))
        for accumulate in (1, 2, 4)
    )
    start = build_model(runs.tiny_recipe(data, **changes)).state_dict()
    moved = {name for name, value in whole.items() if (value - start[name]).abs().max() > 1e-4}
    assert moved == {f"network.{side}_adapter.adapt.{layer}.weight" for side in ("image", "text") for layer in (0, 2)}
    for found in parts:
        for name, value in whole.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5, msg=name)


class Watching(Trainer):
    """A trainer that keeps a copy of the weights after each step."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.seen: list[Weights] = []

    def _train_step(self, objective: Any, optimizer: Any, parts: list[Batch]) -> float:
        loss = super()._train_step(objective, optimizer, parts)
        self.seen.append({name: value.clone() for name, value in objective.model.state_dict().items()})
        return loss


def watched(recipe: Recipe, out: Path) -> tuple[Sequence[Weights], Weights]:
    """A run's weights after each step, and those it keeps."""
    trainer = Watching(recipe, out, Console(quiet=True))
    trainer.run()
    return trainer.seen, weights_of(out)


@pytest.mark.parametrize("decay", [0.9, 0.15])
def test_the_average_of_every_steps_weights_is_kept(data: Path, tmp_path: Path, decay: float) -> None:
    recipe = runs.tiny_recipe(data, epochs=2, optim=OptimConfig("sgd", 0.05, 0.01, ema=decay))
    steps, kept = watched(recipe, tmp_path)
    assert len(steps) == 8
    average = {name: value.double() for name, value in build_model(recipe).state_dict().items()}
    for step, weights in enumerate(steps):
        share = min(decay, (1 + step) / (10 + step))
        for name, value in weights.items():
            average[name] = share * average[name] + (1 - share) * value.double()
    for name, value in kept.items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), average[name], rtol=1e-5, atol=1e-6, msg=name)
        else:
            assert torch.equal(value, steps[-1][name]), name
    assert max((kept[name] - value).abs().max() for name, value in steps[-1].items()) > 1e-3


def test_without_an_average_the_last_weights_are_kept(data: Path, tmp_path: Path) -> None:
    steps, kept = watched(runs.tiny_recipe(data), tmp_path)
    assert_same(kept, steps[-1])


def test_an_average_changes_no_step(data: Path, tmp_path: Path) -> None:
    plain = runs.tiny_recipe(data)
    averaged = replace(plain, optim=replace(plain.optim, ema=0.9))
    for one, other in zip(
        watched(plain, tmp_path / "plain")[0], watched(averaged, tmp_path / "averaged")[0], strict=True
    ):
        assert_same(other, one)


def test_what_is_measured_is_what_is_kept(data: Path, tmp_path: Path) -> None:
    run = runs.train_tiny_run(
        tmp_path / "run", data, epochs=2, evaluate_every=1, optim=OptimConfig("sgd", 0.05, ema=0.9)
    )
    model, recipe = load_run(run)
    tests = open_set(str(data), "test", recipe.frames)
    again = mean_metrics(evaluate(predictor(model, recipe.frames), tests, recipe.frames, "all", range(2)))
    assert metrics_of(run) == pytest.approx(asdict(again), rel=1e-5)
    history = json.loads((run / "metrics.json").read_text())["history"]
    assert [entry["epoch"] for entry in history] == [1, 2]
    assert history[0]["rel"] != history[1]["rel"]


@pytest.fixture(scope="module")
def first(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train_tiny_run(tmp_path_factory.mktemp("runs") / "first", data, optim=OptimConfig("sgd", 0.05, 0.05))


def test_a_run_starts_with_another_ones_weights(data: Path, tmp_path: Path, first: Path) -> None:
    kept = runs.train_tiny_run(tmp_path / "kept", data, start=str(first), seed=9, epochs=0)
    assert_same(weights_of(kept), weights_of(first))
    assert metrics_of(kept) == pytest.approx(metrics_of(first), rel=1e-5)
    # So small a step of plain gradient descent leaves what it starts from all but as it is.
    gentle = OptimConfig("sgd", 1e-6, 1e-6, momentum=0.0, weight_decay=0.0)
    steps, tuned = watched(runs.tiny_recipe(data, start=str(first), seed=9, optim=gentle), tmp_path / "tuned")
    assert len(steps) == 4
    for name, parameter in build_model(runs.tiny_recipe(data)).named_parameters():
        assert not torch.equal(parameter, tuned[name])
        torch.testing.assert_close(tuned[name], weights_of(first)[name], rtol=0, atol=1e-4, msg=name)


def test_a_run_that_starts_from_another_and_is_stopped_goes_on_to_the_same_bits(
    data: Path, tmp_path: Path, first: Path
) -> None:
    class Stopping(Trainer):
        def _train_step(self, *given: Any) -> float:
            if self.step == 2:
                raise KeyboardInterrupt
            return super()._train_step(*given)

    changes: dict[str, Any] = {"start": str(first), "save_every": 1, "optim": OptimConfig(ema=0.5)}
    whole = runs.train_tiny_run(tmp_path / "whole", data, **changes)
    with pytest.raises(KeyboardInterrupt):
        Stopping(runs.tiny_recipe(data, **changes), tmp_path / "cut", Console(quiet=True)).run()
    assert_same(weights_of(runs.train_tiny_run(tmp_path / "cut", data, **changes)), weights_of(whole))


def test_a_start_of_another_model_is_told(data: Path, tmp_path: Path, first: Path) -> None:
    model = DepthClipConfig(TINY)
    with pytest.raises(CheckpointError, match=r"first/checkpoint\.safetensors do not fit the model: ") as error:
        runs.train_tiny_run(tmp_path / "run", data, start=str(first), model=model, epochs=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["warped", "neighbour"])
def test_self_supervision_learns_from_a_second_view(data: Path, tmp_path: Path, kind: Any) -> None:
    changes: dict[str, Any] = {
        "view": ViewConfig(kind),
        "loss": LossConfig("none", smoothness=1e-3, photometric=1.0),
        "optim": OptimConfig(trunk_learning_rate=0.0),
    }
    recipe = runs.tiny_recipe(data, **changes)
    trained = weights_of(runs.train_tiny_run(tmp_path, data, **changes))
    fresh = build_model(recipe).state_dict()
    moved = {name for name, value in trained.items() if not torch.equal(value, fresh[name])}
    assert {name.split(".")[1] for name in moved} == {"detail", "pyramid", "head"}
    assert all(value.isfinite().all() for value in trained.values())


def test_neighbours_without_poses_are_told(tmp_path: Path) -> None:
    data = runs.write_rgbd_folder(tmp_path / "data", train=2, test=1)
    for pose in data.rglob("pose_*.txt"):
        pose.unlink()
    changes: dict[str, Any] = {"view": ViewConfig("neighbour"), "loss": LossConfig("none", photometric=1.0)}
    with pytest.raises(DataError, match=r"has no pose_0000\d\.txt"):
        runs.train_tiny_run(tmp_path / "run", data, **changes)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with a segmentation named `blobs`: a colour for each quarter of a picture, drawn anew for each."""
    data = runs.write_rgbd_folder(tmp_path_factory.mktemp("painted"), train=4, test=2)
    rng = np.random.default_rng(0)
    for rgb in data.rglob("rgb_*"):
        path = (data / "segments/blobs" / rgb.relative_to(data)).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        quarters = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        cv2.imwrite(str(path), quarters.repeat(32, axis=0).repeat(32, axis=1))
    return data


SAM: dict[str, Any] = {
    "model": MsaConfig(TINY, segmentation=True),
    "frames": DataConfig(64, 64, segments="blobs", workers=0),
    "optim": OptimConfig("sgd", 0.05),
    "loss": LossConfig("l1"),
    "mirror": True,
}


def test_a_model_with_sam_is_trained_kept_and_evaluated(painted: Path, tmp_path: Path) -> None:
    run = runs.train_tiny_run(tmp_path / "sam", painted, **SAM)
    fresh = build_model(runs.tiny_recipe(painted, **SAM)).state_dict()
    trained = weights_of(run)
    assert not torch.equal(
        trained["network.adapter.segmentation.0.0.weight"], fresh["network.adapter.segmentation.0.0.weight"]
    )
    report = tmp_path / "evaluation.json"
    assert main(["evaluate", str(run), "--json", str(report)]) == 0
    assert json.loads(report.read_text())["metrics"]["sam"] == pytest.approx(metrics_of(run), rel=1e-5)
    # Another segmentation of the same pictures is another answer.
    model, recipe = load_run(run)
    pair = open_set(str(painted), "test", recipe.frames)[0]
    assert pair.segmentation is not None
    other = replace(pair, segmentation=np.ascontiguousarray(255 - pair.segmentation))
    predict = predictor(model, recipe.frames)
    assert np.abs(predict(pair) - predict(other)).max() > 1e-3


def test_a_segmentation_that_is_not_there_is_told(painted: Path, tmp_path: Path) -> None:
    frames = replace(SAM["frames"], segments="other")
    with pytest.raises(DataError, match=r"segments/other/.* is missing; run 'clipdepth data segment --data"):
        runs.train_tiny_run(tmp_path, painted, **(SAM | {"frames": frames}))


def test_a_model_with_sam_wants_the_name_of_a_segmentation(data: Path, tmp_path: Path) -> None:
    frames = replace(SAM["frames"], segments="")
    with pytest.raises(UsageError, match=r"needs its segmentation of the data; .*--frames\.segments$"):
        runs.train_tiny_run(tmp_path / "run", data, **(SAM | {"frames": frames}))
    assert not (tmp_path / "run").exists()


def test_a_student_learns_from_its_teacher_alone(data: Path, tmp_path: Path) -> None:
    optim = OptimConfig(learning_rate=1e-2, trunk_learning_rate=1e-3)
    long: dict[str, Any] = {"epochs": 10, "optim": optim, "augment": AugmentConfig(0, 1, 0, 0)}
    teacher = runs.train_tiny_run(tmp_path / "teacher", data, seed=3, **long)
    taught: dict[str, Any] = {"teacher": str(teacher), "loss": LossConfig("none", distillation=1.0)}
    student = runs.train_tiny_run(tmp_path / "student", data, **taught, **long)
    frames = DataConfig(64, 64)
    pairs = open_set(str(data), "train", frames)
    wanted = [predictor(load_run(teacher)[0], frames)(pairs[index]) for index in range(len(pairs))]

    def distance(model: DepthModel) -> float:
        answers = [predictor(model, frames)(pairs[index]) for index in range(len(pairs))]
        return float(np.mean([np.abs(np.log(a / b)).mean() for a, b in zip(answers, wanted, strict=True)]))

    assert distance(load_run(student)[0]) < 0.6 * distance(build_model(runs.tiny_recipe(data)))


def test_adamw_leaves_norms_biases_and_bins_alone() -> None:
    recipe = tiny_recipe("rooms", optim=OptimConfig(learning_rate=1e-9, trunk_learning_rate=1e-9, weight_decay=0.5))
    model = build_model(recipe)
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = make_optimizer(model, recipe)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    kept = {name for name, value in model.named_parameters() if torch.equal(value, before[name])}
    assert {"network.head.log_widths", "network.head.score.bias", "network.pyramid.lateral.0.1.weight"} <= kept
    assert "network.head.score.weight" not in kept
    for name, value in model.named_parameters():
        assert (name in kept) == (value.ndim < 2), name
        if name not in kept:
            torch.testing.assert_close(value, before[name] * (1 - 0.1 * 0.5))
