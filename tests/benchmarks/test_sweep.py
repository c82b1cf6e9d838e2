"""`graphed_training.py` and `sweep.py` of NYU's experiments: the trainer's weights, without a GPU's graphs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from rich.console import Console

import runs
from benchmarks.scripts import script_modules
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.loader import open_set
from clipdepth_train.recipe import OptimConfig, Recipe
from clipdepth_train.trainer import Trainer

NAMES = ("experiments", "graphed_training", "sweep")


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The script's modules, which import one another by their bare names."""
    with script_modules("nyu", NAMES) as modules:
        yield modules


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Two epochs of two steps on the GPU's device or not: rates, decay and average change from step to step."""
    data = runs.write_rgbd_folder(tmp_path / "pairs", 4, 2)
    tiny = runs.tiny_recipe(str(data))
    optim = OptimConfig(learning_rate=1e-2, trunk_learning_rate=1e-3, weight_decay=0.1, ema=0.9)
    return replace(tiny, optim=optim, epochs=2, batch_size=2)


def test_in_turns_they_come_to_the_weights_of_the_trainer(
    scripts: dict[str, ModuleType], recipe: Recipe, tmp_path: Path
) -> None:
    console = Console(quiet=True)
    others = {"one": recipe, "two": replace(recipe, seed=1)}
    pairs = scripts["sweep"].Decoded(open_set(recipe.data[0], "train", recipe.frames))
    trainings = {
        name: scripts["graphed_training"].GraphedTraining(other, pairs, torch.device("cpu"))
        for name, other in others.items()
    }
    scripts["sweep"].train(trainings, console)
    for name, other in others.items():
        Trainer(other, tmp_path / name, console).run()
        expected, _ = load_run(tmp_path / name)
        found = trainings[name].model.state_dict()
        for key, value in expected.state_dict().items():
            torch.testing.assert_close(
                found[key], value, rtol=1e-4, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}"
            )
    assert trainings["one"].step == 4
