"""Training runs from end to end, undisturbed, killed, interrupted, and finished already."""

import io
import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import runs
from clipdepth.bundle.metrics import METRIC_NAMES, mean_metrics
from clipdepth.cli import main
from clipdepth.errors import CheckpointError, DataError, UsageError
from clipdepth.rooms import default_intrinsics
from clipdepth_train.checkpoint import load_run, read_checkpoint
from clipdepth_train.data.loader import open_set
from clipdepth_train.depth_model import build_model
from clipdepth_train.evaluation import evaluate, predictor
from clipdepth_train.models import DepthClipConfig
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import AugmentConfig, LossConfig, OptimConfig
from clipdepth_train.recipe_record import decode_recipe
from clipdepth_train.trainer import Trainer
from tiny_clip import TINY_CLIP

TESTS = Path(__file__).parents[1]
CHECKPOINT, RESUME = "checkpoint.safetensors", "resume.safetensors"
# 4 epochs of 4 steps, a checkpoint after every step, and every recipe field that follows from the command line.
OPTIONS = f"""--epochs 4 --batch-size 2 --save-every 1 --evaluate-every 2 --frames.height 64 --frames.width 64
    --frames.workers 1 --optim.trunk-learning-rate 1e-4 --model.trunk.name {TINY_CLIP} --model.trunk.weights none
    --model.width 8 --model.bins 8""".split()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=8, test=3)


def command(out: Path, data: Path) -> list[str]:
    return ["train", "edge", "--data", str(data), "--out", str(out), *OPTIONS]


def signalled(number: signal.Signals, out: Path, data: Path) -> tuple[int, str]:
    """The status and the errors of the command, whose process group gets that signal in the second step of epoch 2.

    In a process and process group of its own, on one thread as here. The loader's worker gets the signal as well.
    """
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = subprocess.run(
        [sys.executable, "-m", "train.signalled_run", number.name, "6", *command(out, data)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        start_new_session=True,
        check=False,
    )
    return ended.returncode, ended.stderr


def tensors_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / CHECKPOINT)


def assert_same_weights(run: Path, other: Path) -> None:
    found, wanted = tensors_of(run), tensors_of(other)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    assert main(command(out, data)) == 0
    return out


def metrics_of(run: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return report


def test_a_run_leaves_its_files(undisturbed: Path) -> None:
    assert sorted(path.name for path in undisturbed.iterdir()) == [
        CHECKPOINT,
        "logs",
        "metrics.json",
        "predictions.png",
    ]
    picture = cv2.imread(str(undisturbed / "predictions.png"))
    assert picture is not None
    # Titles and three test frames as square tiles of 240, four to a row, and the colour bar.
    assert picture.shape[0] == 22 + 3 * 240
    assert picture.shape[1] > 4 * 240


def test_metrics_json_says_what_was_trained_and_how_good_it_is(undisturbed: Path, data: Path) -> None:
    report = metrics_of(undisturbed)
    recipe = decode_recipe(report["recipe"], "metrics.json")
    model, found = load_run(undisturbed)
    assert recipe == found
    assert (report["data"], report["training_frames"], report["test_frames"]) == ([str(data)], 8, 3)
    assert (report["crop"], report["mirrored"], report["processes"], report["device"]) == ("all", False, 1, "cpu")
    assert report["parameters"] == sum(p.numel() for p in model.parameters())
    assert report["training_seconds"] > 0
    assert [entry["epoch"] for entry in report["history"]] == [2, 4]
    assert report["history"][-1] == {"epoch": 4, **report["metrics"]}
    tests = open_set(str(data), "test", recipe.frames)
    again = mean_metrics(evaluate(predictor(model, recipe.frames), tests, recipe.frames, "all", range(3)))
    for name in METRIC_NAMES:
        assert report["metrics"][name] == pytest.approx(getattr(again, name), rel=1e-5)


def test_the_checkpoint_holds_the_report_and_the_training_camera(undisturbed: Path) -> None:
    _, _, state = read_checkpoint(undisturbed / CHECKPOINT)
    focal = default_intrinsics(64, 64).fx
    assert state["report"] == metrics_of(undisturbed)
    assert state["camera"] == pytest.approx({"fx": focal, "fy": focal}, abs=1e-4)


def test_the_logs_hold_every_step_and_every_evaluation(undisturbed: Path) -> None:
    folders = {path.parent for path in (undisturbed / "logs").rglob("events.out.tfevents.*")}
    scalars: dict[str, list[tuple[int, float]]] = {}
    for folder in folders:
        events = EventAccumulator(str(folder))
        events.Reload()
        for tag in events.Tags()["scalars"]:
            scalars.setdefault(tag, []).extend((event.step, event.value) for event in events.Scalars(tag))
    assert [step for step, _ in scalars["loss"]] == list(range(1, 17))
    assert all(math.isfinite(value) and value > 0 for _, value in scalars["loss"])
    assert scalars["learning rate"][0][1] == pytest.approx(1e-3 * 0.04)
    report = metrics_of(undisturbed)
    assert [step for step, _ in scalars["test/rel"]] == [8, 16]
    measured = [entry["rel"] for entry in report["history"]]
    assert [value for _, value in scalars["test/rel"]] == pytest.approx(measured)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(
    undisturbed: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, err = signalled(signal.SIGKILL, tmp_path / "run", data)
    assert status == -signal.SIGKILL, err
    assert (tmp_path / "run" / RESUME).is_file()
    assert not (tmp_path / "run" / CHECKPOINT).exists()
    assert main(command(tmp_path / "run", data)) == 0
    assert capsys.readouterr().err.startswith("continuing")
    assert_same_weights(tmp_path / "run", undisturbed)
    assert metrics_of(tmp_path / "run")["metrics"] == metrics_of(undisturbed)["metrics"]
    assert [e["epoch"] for e in metrics_of(tmp_path / "run")["history"]] == [2, 4]
    assert not (tmp_path / "run" / RESUME).exists()


@pytest.mark.slow
def test_ctrl_c_stops_with_a_checkpoint_and_goes_on_to_the_same_bits(
    undisturbed: Path, data: Path, tmp_path: Path
) -> None:
    status, err = signalled(signal.SIGINT, tmp_path / "run", data)
    assert status == 130, err
    assert "Traceback" not in err
    assert "the same command continues" in err
    assert err.endswith("clipdepth: error: interrupted\n")
    assert (tmp_path / "run" / RESUME).is_file()
    assert main(command(tmp_path / "run", data)) == 0
    assert_same_weights(tmp_path / "run", undisturbed)


class Stopping(Trainer):
    """A trainer that is sent `number` after its first step."""

    number = signal.SIGTERM

    def _train_step(self, *given: Any) -> float:
        loss = super()._train_step(*given)
        if self.step == 0:
            os.kill(os.getpid(), self.number)
        return loss


def test_sigterm_stops_with_a_checkpoint_and_the_handlers_come_back(data: Path, tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    recipe = runs.tiny_recipe(data)
    text = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        Stopping(recipe, tmp_path, Console(file=text, width=200)).run()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert "stopped at step 1 of 4; the same command continues" in text.getvalue()
    _, _, state = read_checkpoint(tmp_path / RESUME)
    assert state["step"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"optim": OptimConfig("sgd", 1e-2, clip_norm=0.0), "mirror": True},
        {"optim": OptimConfig("adamw", 1e-2, clip_norm=0.0), "mirror": True},
        {"optim": OptimConfig("adamw", 1e-2, 1e-3, ema=0.5)},
        {"optim": OptimConfig("sgd", 1e-2), "accumulate": 2},
    ],
    ids=["sgd", "adamw", "ema", "accumulate"],
)
def test_whatever_a_step_does_a_stopped_run_goes_on_to_the_same_bits(
    data: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    whole = runs.train_tiny_run(tmp_path / "whole", data, **changes)
    with pytest.raises(KeyboardInterrupt):
        Stopping(runs.tiny_recipe(data, **changes), tmp_path / "cut", Console(quiet=True)).run()
    assert_same_weights(runs.train_tiny_run(tmp_path / "cut", data, **changes), whole)


@pytest.mark.parametrize(
    ("changes", "field"), [({"seed": 1}, "seed"), ({"loss": LossConfig("l1")}, "loss"), ({"epochs": 2}, "epochs")]
)
def test_another_recipe_does_not_touch_the_folder(
    data: Path, tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Stopping(runs.tiny_recipe(data), tmp_path, Console(quiet=True)).run()
    before = (tmp_path / RESUME).read_bytes()
    with pytest.raises(UsageError, match=f"another {field} .*; choose another --out"):
        runs.train_tiny_run(tmp_path, data, **changes)
    assert (tmp_path / RESUME).read_bytes() == before


def test_a_finished_run_is_neither_trained_again_nor_overwritten(undisturbed: Path, data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")}
    recipe = load_run(undisturbed)[1]
    text = io.StringIO()
    report = Trainer(recipe, undisturbed, Console(file=text, width=500)).run()
    assert report == metrics_of(undisturbed)
    assert "is trained already" in text.getvalue()
    with pytest.raises(UsageError, match="another seed"):
        Trainer(replace(recipe, seed=8), undisturbed, Console(quiet=True)).run()
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")} == before


def test_a_damaged_checkpoint_is_told_and_not_overwritten(data: Path, tmp_path: Path) -> None:
    for name in (RESUME, CHECKPOINT):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(b"garbage" * 9)
        with pytest.raises(CheckpointError, match=f"{name} is damaged"):
            runs.train_tiny_run(folder, data)
        assert (folder / name).read_bytes() == b"garbage" * 9


def test_a_frozen_trunk_keeps_every_bit_through_a_run(data: Path, tmp_path: Path) -> None:
    run = runs.train_tiny_run(tmp_path, data, optim=OptimConfig(trunk_learning_rate=0.0))
    _, recipe, _ = read_checkpoint(run / CHECKPOINT)
    fresh, trained = build_model(recipe).state_dict(), tensors_of(run)
    moved = {name for name, value in trained.items() if not torch.equal(value, fresh[name])}
    assert moved
    assert not [name for name in moved if name.startswith("network.trunk.")]


def test_bfloat16_trains_and_keeps_weights_in_full(data: Path, tmp_path: Path) -> None:
    half = runs.train_tiny_run(tmp_path / "half", data, mixed_precision="bf16")
    full = runs.train_tiny_run(tmp_path / "full", data)
    weights = tensors_of(half)
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}
    assert any(not torch.equal(value, weights[name]) for name, value in tensors_of(full).items())
    assert metrics_of(half)["metrics"]["rel"] == pytest.approx(metrics_of(full)["metrics"]["rel"], rel=0.1)
    model, recipe = load_run(half)
    tests = open_set(str(data), "test", recipe.frames)
    again = mean_metrics(evaluate(predictor(model, recipe.frames), tests, recipe.frames, "all", range(len(tests))))
    assert metrics_of(half)["metrics"] == pytest.approx(asdict(again), rel=1e-6)


def test_what_can_be_learned_is_learned(tmp_path: Path) -> None:
    data = runs.write_rgbd_folder(tmp_path / "data", train=2, test=1)
    still = AugmentConfig(rotate=0, zoom=1, flip=0, jitter=0)
    optim = OptimConfig(learning_rate=1e-2, trunk_learning_rate=1e-3)
    runs.train_tiny_run(tmp_path / "run", data, epochs=30, augment=still, optim=optim)
    events = EventAccumulator(str(tmp_path / "run/logs"))
    events.Reload()
    losses = [event.value for event in events.Scalars("loss")]
    assert len(losses) == 30
    assert losses[-1] < losses[0] / 2


def test_a_model_that_needs_no_training_is_evaluated_and_kept(data: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"model": DepthClipConfig(PretrainedConfig(TINY_CLIP, "none")), "mirror": True}
    run = runs.train_tiny_run(tmp_path / "run", data, epochs=0, **changes)
    report = metrics_of(run)
    assert [entry["epoch"] for entry in report["history"]] == [0]
    assert (report["training_seconds"], report["mirrored"]) == (0, True)
    model, _ = load_run(run)
    fresh = build_model(runs.tiny_recipe(data, epochs=0, **changes)).eval()
    frame = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(model(frame), fresh(frame))
    with pytest.raises(UsageError, match="nothing to train; give it --epochs 0"):
        runs.train_tiny_run(tmp_path / "other", data, epochs=1, **changes)


def test_data_that_does_not_fill_a_batch_is_told_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="8 training pairs do not fill a batch of 9"):
        runs.train_tiny_run(tmp_path / "run", data, batch_size=9)
    assert not (tmp_path / "run").exists()
