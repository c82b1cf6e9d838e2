"""Checkpoints: what is written is read, and what is damaged is told."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import runs
from clipdepth.errors import CheckpointError
from clipdepth_train.checkpoint import CHECKPOINT, load_run, load_weights, read_checkpoint, save_checkpoint
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.recipe import Recipe

STATE = {"step": 3, "seconds": 1.25, "history": [{"rel": 0.5}], "scaler": None}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return runs.tiny_recipe("rooms", seed=9, mirror=True)


@pytest.fixture(scope="module")
def model(recipe: Recipe) -> DepthModel:
    return build_model(recipe)


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe, model: DepthModel) -> Path:
    save_checkpoint(tmp_path / CHECKPOINT, model.state_dict(), recipe, STATE)
    return tmp_path


def told(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_tensors_recipe_and_state_come_back(run: Path, recipe: Recipe, model: DepthModel) -> None:
    tensors, found, state = read_checkpoint(run / CHECKPOINT)
    assert found == recipe
    assert state == STATE
    wanted = model.state_dict()
    assert tensors.keys() == wanted.keys()
    assert all(torch.equal(tensors[name], value) for name, value in wanted.items())
    assert [path.name for path in run.iterdir()] == [CHECKPOINT]


def test_strided_tensors_and_scalars_are_kept(tmp_path: Path, recipe: Recipe) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    given = {"transposed": base.T, "row": base[1], "count": torch.tensor(5)}
    save_checkpoint(tmp_path / "c.safetensors", given, recipe, {})
    tensors, _, _ = read_checkpoint(tmp_path / "c.safetensors")
    for name, value in given.items():
        assert torch.equal(tensors[name], value)


def test_a_run_is_loaded_with_its_own_weights_in_eval_mode(run: Path, recipe: Recipe, model: DepthModel) -> None:
    torch.manual_seed(123)
    loaded, found = load_run(run)
    assert found == recipe
    assert not loaded.training
    frame = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded(frame), model.eval()(frame))


def test_a_run_that_is_not_there_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        load_run(tmp_path)
    assert str(error.value) == (
        f"no checkpoint.safetensors in {tmp_path}; train it with 'clipdepth train RECIPE --out {tmp_path}'"
    )


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file(run: Path, kept: float) -> None:
    path = run / CHECKPOINT
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert "is damaged" in told(path)


def test_garbage(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    path.write_bytes(b"no tensors at all\n" * 100)
    assert "is damaged" in told(path)


@pytest.mark.parametrize(
    "metadata", [None, {}, {"recipe": "{}", "state": "{}"}, {"recipe": "nonsense", "state": "{}"}, {"state": "{}"}]
)
def test_tensors_of_something_else(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / CHECKPOINT
    save_file({"a": torch.zeros(2)}, path, metadata)
    assert "train again" in told(path)


def test_state_that_is_no_json(run: Path) -> None:
    path = run / CHECKPOINT
    tensors, recipe, _ = read_checkpoint(path)
    save_checkpoint(path, tensors, recipe, {})
    path.write_bytes(path.read_bytes().replace(b'"state":"{}"', b'"state":"{{"'))
    assert "is damaged" in told(path)


def test_weights_that_do_not_fit(run: Path, recipe: Recipe) -> None:
    tensors = load_file(run / CHECKPOINT)
    tensors["network.head.score.weight"] = torch.zeros(3, 8, 1, 1)
    save_checkpoint(run / CHECKPOINT, tensors, recipe, {})
    with pytest.raises(CheckpointError, match=r"do not fit the model: .*network\.head\.score\.weight") as error:
        load_run(run)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_missing_and_extra_weights_are_told(model: DepthModel, change: str) -> None:
    tensors = dict(model.state_dict())
    if change == "missing":
        del tensors["network.head.log_widths"]
    else:
        tensors["network.head.another"] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=r"network\.head"):
        load_weights(model, tensors, Path("x"))


def test_a_failed_write_leaves_the_earlier_checkpoint(run: Path, recipe: Recipe) -> None:
    before = (run / CHECKPOINT).read_bytes()
    with pytest.raises(TypeError):
        save_checkpoint(run / CHECKPOINT, {"a": torch.zeros(2)}, recipe, {"bad": object()})
    assert (run / CHECKPOINT).read_bytes() == before
