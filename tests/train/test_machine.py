"""What a run takes of its machine changes nothing of what it learns."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from rich.console import Console
from safetensors.torch import load_file

import runs
from clipdepth.errors import MissingExtraError, UsageError
from clipdepth_train.checkpoint import CHECKPOINT
from clipdepth_train.machine import MachineConfig
from clipdepth_train.step_log import StepLog
from clipdepth_train.trainer import Trainer
from live_servers import wait_until


def trained(out: Path, data: Path, machine: MachineConfig, **changes: Any) -> Path:
    AcceleratorState._reset_state(reset_partial_state=True)
    Trainer(runs.tiny_recipe(data, **changes), out, Console(quiet=True), machine).run()
    return out


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=4, test=1)


class Remembering:
    """An accelerator's log."""

    def __init__(self) -> None:
        self.logged: list[tuple[int, float]] = []

    def log(self, values: dict[str, float], step: int) -> None:
        self.logged.append((step, values["loss"]))


def test_losses_on_a_device_wait_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    heard = Remembering()
    log = StepLog(heard)  # type: ignore[arg-type]

    class OnDevice(torch.Tensor):
        """A tensor that says it lies on a GPU."""

        @property
        def device(self) -> Any:
            return torch.device("cuda")

    for step in range(1, 5):
        log.add(step, torch.tensor(float(step)).as_subclass(OnDevice), 0.1, at_once=False)
    assert heard.logged == []
    now += 2
    log.add(5, torch.tensor(5.0).as_subclass(OnDevice), 0.1, at_once=False)
    assert heard.logged == [(step, float(step)) for step in range(1, 6)]
    assert log.note == "loss 5.0000"
    log.add(6, torch.tensor(6.0).as_subclass(OnDevice), 0.1, at_once=True)
    assert heard.logged[-1] == (6, 6.0)


def test_without_a_tracker_nothing_is_logged_and_the_weights_are_the_same(data: Path, tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", data, MachineConfig(cache_gb=0))
    quiet = trained(tmp_path / "quiet", data, MachineConfig(tracker="none"))
    assert (plain / "logs").is_dir()
    assert not (quiet / "logs").exists()
    one, other = (load_file(run / CHECKPOINT) for run in (plain, quiet))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.slow
def test_a_compiled_run_learns_what_an_eager_one_learns(data: Path, tmp_path: Path) -> None:
    eager = json.loads((trained(tmp_path / "eager", data, MachineConfig()) / "metrics.json").read_text())
    fast = json.loads((trained(tmp_path / "fast", data, MachineConfig(compile=True)) / "metrics.json").read_text())
    assert fast["metrics"] == pytest.approx(eager["metrics"], rel=1e-2)
    one, other = (load_file(tmp_path / name / CHECKPOINT) for name in ("eager", "fast"))
    assert one.keys() == other.keys()


def test_wandb_that_is_not_there_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accelerate.utils.is_wandb_available", lambda: False)
    with pytest.raises(MissingExtraError, match=r"clipdepth\[wandb\]"):
        MachineConfig(tracker="wandb")
    with pytest.raises(UsageError, match="--cache-gb is -1"):
        MachineConfig(cache_gb=-1)


def test_wandb_follows_a_run_offline(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = trained(tmp_path / "run", data, MachineConfig(tracker="wandb"))
    (file,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    names = (b"learning rate", b"test/rel", b"loss")
    # Its own process writes the file, and goes on for a moment after the run has ended.
    assert wait_until(lambda: all(name in file.read_bytes() for name in names), 30)
