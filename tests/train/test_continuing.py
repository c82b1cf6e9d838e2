"""A run goes on wherever its folder is brought, and not as another run."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

import runs
from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import CHECKPOINT, RESUME
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.loader import workers_by_cores
from clipdepth_train.machine import MachineConfig
from clipdepth_train.trainer import Trainer


class Stopping(Trainer):
    """A trainer that is interrupted in its first step."""

    def _train_step(self, *given: Any) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGINT)
        return super()._train_step(*given)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return runs.write_rgbd_folder(tmp_path / "here", train=4, test=1)


@pytest.fixture
def begun(data: Path, tmp_path: Path) -> Path:
    """A run that was stopped after its first step of two."""
    with pytest.raises(KeyboardInterrupt):
        Stopping(runs.tiny_recipe(data), tmp_path / "begun", Console(quiet=True)).run()
    return tmp_path / "begun"


def test_a_run_goes_on_elsewhere_with_other_workers_and_saves_to_the_same_bits(
    data: Path, begun: Path, tmp_path: Path
) -> None:
    whole = load_file(runs.train_tiny_run(tmp_path / "whole", data) / CHECKPOINT)
    moved, run = tmp_path / "there" / "pairs", tmp_path / "elsewhere"
    shutil.move(data, moved)
    shutil.move(begun, run)
    recipe = runs.tiny_recipe(moved, save_every=1)
    recipe = replace(recipe, frames=replace(recipe.frames, workers=1))
    Trainer(recipe, run, Console(quiet=True), MachineConfig(cache_gb=0.01, tracker="none")).run()
    found = load_file(run / CHECKPOINT)
    assert found.keys() == whole.keys()
    for name, value in whole.items():
        assert torch.equal(found[name], value), name
    # Trained already, for all who ask for the same.
    assert runs.train_tiny_run(run, moved, save_every=7) == run


@pytest.mark.parametrize("change", ["fewer", "others"])
def test_other_pictures_are_another_run(data: Path, begun: Path, change: str) -> None:
    lines = (data / "train.txt").read_text().splitlines()
    lines = [lines[1], lines[0], *lines[2:]] if change == "others" else lines[:3]
    (data / "train.txt").write_text("\n".join(lines) + "\n")
    assert len(FolderSet(data, "train", 1000.0, 10.0)) == len(lines)
    before = (begun / RESUME).read_bytes()
    with pytest.raises(UsageError, match=r"another data .*; choose another --out"):
        runs.train_tiny_run(begun, data)
    assert (begun / RESUME).read_bytes() == before


@pytest.mark.parametrize(("cores", "processes", "workers"), [(1, 1, 1), (2, 1, 1), (16, 1, 8), (64, 1, 8), (16, 4, 2)])
def test_workers_by_cores(cores: int, processes: int, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth_train.data.loader.usable_cores", lambda: cores)
    assert workers_by_cores(processes) == workers
