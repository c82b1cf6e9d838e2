"""Coarse depth and its refinement: sizes counted by hand, layers written out again, and training in two phases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

import runs
from clipdepth.cli import main
from clipdepth.errors import CheckpointError, UsageError
from clipdepth_train.checkpoint import CHECKPOINT
from clipdepth_train.depth_model import build_model
from clipdepth_train.models import CoarseAdapterConfig, EigenConfig, build_network
from clipdepth_train.models.configs import CLASS_DEPTHS
from clipdepth_train.models.depthclip import DistanceClasses
from clipdepth_train.models.eigen import CoarseAdapter, CoarseNetwork, CoarseToFine, RefiningNetwork, build_eigen
from clipdepth_train.objective import Objective
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig, LossConfig, OptimConfig
from clipdepth_train.start import load_start
from tiny_clip import TINY_CLIP
from train.zero_shot import zero_shot

TINY = PretrainedConfig(TINY_CLIP, "none")
# Kernel, inputs and outputs of Eigen et al.'s convolutions, from their table 1 and figure 1.
COARSE = [(11, 3, 96), (5, 96, 256), (3, 256, 384), (3, 384, 384), (3, 384, 256)]
REFINING = [(9, 3, 63), (5, 64, 64), (5, 64, 1)]
MODELS = [EigenConfig(), CoarseAdapterConfig(TINY)]
REFINED = [EigenConfig(refined=True), CoarseAdapterConfig(TINY, refined=True)]
Weights = dict[str, Tensor]
OPTIM = OptimConfig("sgd", 1e-3, weight_decay=0.1, schedule="milestones", clip_norm=0.0)
LOSS = LossConfig("l2", native=True, smoothness=1e-3)


def convolution_weights(layers: list[tuple[int, int, int]]) -> int:
    return sum(outputs * (inputs * kernel * kernel + 1) for kernel, inputs, outputs in layers)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def network(config: EigenConfig | CoarseAdapterConfig, height: int = 64, width: int = 96, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    built = build_network(config, (height, width))
    assert isinstance(built, CoarseToFine)
    return built.eval()


def image(height: int = 64, width: int = 96, count: int = 2) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(4))


def test_depth_eigen_of_the_papers_pictures_has_263_million_weights() -> None:
    with torch.device("meta"):
        built = build_eigen(EigenConfig(), (416, 544))
        features = built.coarse.convolutions(torch.zeros(1, 3, 416, 544))  # type: ignore[operator]
        depth = built.native(torch.zeros(1, 3, 416, 544))
    # 416: (416 - 11)/4 + 1 = 102, pooled 51, pooled 25, (25 - 3)/2 + 1 = 12; 544: 134, 67, 33, 16; rounded down.
    assert features.shape == (1, 256, 12, 16)
    assert depth.shape == (1, 104, 136)
    connected = (256 * 12 * 16 + 1) * 4096 + (4096 + 1) * 104 * 136
    assert count(built) == convolution_weights(COARSE) + connected == 263_025_856


def test_its_convolutions_leave_6_by_8_of_eigens_own_input() -> None:
    with torch.device("meta"):
        coarse = CoarseNetwork((228, 304))
        assert coarse.convolutions(torch.zeros(1, 3, 228, 304)).shape == (1, 256, 6, 8)
        assert coarse(torch.zeros(1, 3, 228, 304)).shape == (1, 57, 76)


def test_the_coarse_adapter_of_the_papers_pictures_goes_from_221_values_to_14144() -> None:
    with torch.device("meta"):
        adapter = CoarseAdapter(DistanceClasses(torch.zeros(7, 1024), torch.zeros(7), 0.1), 32, (416, 544))
        assert adapter(torch.zeros(1, 2048, 13, 17)).shape == (1, 104, 136)
    assert count(adapter) == (221 + 1) * 4096 + (4096 + 1) * 14144 == 58_857_280


def test_the_refining_network_has_the_papers_layers() -> None:
    assert count(RefiningNetwork()) == convolution_weights(REFINING) == 119_437


def refined_by_hand(weights: Weights, picture: Tensor, coarse: Tensor) -> Tensor:
    """Eigen et al.'s fine stack, with functions and named weights only."""
    x = F.conv2d(picture, weights["image.0.weight"], weights["image.0.bias"], stride=2, padding=4).relu()
    x = torch.cat([F.max_pool2d(x, 2), coarse[:, None]], dim=1)
    x = F.conv2d(x, weights["mix.0.weight"], weights["mix.0.bias"], padding=2).relu()
    return F.conv2d(x, weights["mix.2.weight"], weights["mix.2.bias"], padding=2)[:, 0]


@pytest.mark.parametrize("size", [(64, 96), (56, 60), (228, 304)])
def test_refinement_keeps_the_maps_size_and_is_eigens(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    refining, coarse = RefiningNetwork(), torch.rand(2, size[0] // 4, size[1] // 4)
    with torch.no_grad():
        depth = refining(image(*size), coarse)
        expected = refined_by_hand(refining.state_dict(), image(*size), coarse)
        other = refining(image(*size), coarse + 1)
    assert depth.shape == coarse.shape
    torch.testing.assert_close(depth, expected)
    assert (other - depth).abs().mean() > 1e-3


def coarse_by_hand(weights: Weights, picture: Tensor) -> Tensor:
    """Eigen et al.'s coarse stack likewise, its dropout left out."""

    def convolution(x: Tensor, layer: int, **options: int) -> Tensor:
        name = f"convolutions.{layer}"
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options).relu()

    x = F.max_pool2d(convolution(picture, 0, stride=4), 2)
    x = F.max_pool2d(convolution(x, 3, padding=2), 2)
    x = convolution(convolution(convolution(x, 6, padding=1), 8, padding=1), 10, padding=1)
    x = F.max_pool2d(x, kernel_size=3, stride=2).flatten(start_dim=1)
    hidden = F.linear(x, weights["connected.1.weight"], weights["connected.1.bias"]).relu()
    return F.linear(hidden, weights["connected.4.weight"], weights["connected.4.bias"])


def test_the_coarse_network_is_eigens() -> None:
    built = network(EigenConfig(), 64, 96)
    with torch.no_grad():
        depth = built.native(image())
        expected = coarse_by_hand(built.coarse.state_dict(), image())
    assert depth.shape == (2, 16, 24)
    torch.testing.assert_close(depth, expected.reshape(2, 16, 24))
    assert depth.std() > 1e-3


def test_the_coarse_adapter_maps_clips_zero_shot_depth() -> None:
    built = network(CoarseAdapterConfig(TINY, temperature=0.02))
    weights = {name: value.double().numpy() for name, value in built.coarse.state_dict().items()}
    with torch.no_grad():
        depth = built.native(image())
        features = built.trunk(image())[-1].double().numpy()
    for found, seen in zip(depth.numpy(), features, strict=True):
        coarse = zero_shot(seen[::2], weights["classes.text"], np.array(CLASS_DEPTHS), 0.02)
        assert coarse.shape == (2, 3)
        hidden = np.maximum(weights["connected.1.weight"] @ coarse.ravel() + weights["connected.1.bias"], 0)
        expected = weights["connected.3.weight"] @ hidden + weights["connected.3.bias"]
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-4)
        assert found.shape == (16, 24)


@pytest.mark.parametrize("config", [*MODELS, *REFINED])
def test_the_native_map_is_a_quarter_and_the_answer_is_the_pictures_size(config: Any) -> None:
    built = network(config)
    with torch.no_grad():
        native, depth = built.native(image()), built(image())
    assert native.shape == (2, 16, 24)
    for small, large in zip(native.numpy(), depth.numpy(), strict=True):
        np.testing.assert_allclose(large, cv2.resize(small, (96, 64), interpolation=cv2.INTER_LINEAR), atol=1e-5)


@pytest.mark.parametrize("config", REFINED)
def test_refinement_is_of_the_coarse_map(config: Any) -> None:
    built = network(config)
    with torch.no_grad():
        coarse = built.coarse(image() if built.trunk is None else built.trunk(image())[-1])
        expected = refined_by_hand(built.refining.state_dict(), image(), coarse)
        torch.testing.assert_close(built.native(image()), expected)


def frames() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=generator)


def moved_by_a_step(config: Any) -> set[str]:
    """Which weights and buffers a step of SGD with weight decay and momentum moves."""
    recipe = runs.tiny_recipe("rooms", model=config, frames=DataConfig(64, 96), optim=OPTIM)
    model = build_model(recipe).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameter_groups(0.1, 0.0), momentum=0.9, weight_decay=0.1)
    Objective(model, LOSS)({"frame": frames(), "depth": torch.full((2, 64, 96), 3.0)}).backward()
    optimizer.step()
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("config", MODELS)
def test_the_first_phase_trains_the_coarse_stack(config: Any) -> None:
    assert {name.split(".")[1] for name in moved_by_a_step(config)} == {"coarse"}


@pytest.mark.parametrize("config", REFINED)
def test_the_second_phase_trains_the_refinement_and_no_bit_of_the_coarse_stack(config: Any) -> None:
    moved = moved_by_a_step(config)
    names = [
        f"network.refining.{layer}.{kind}" for layer in ("image.0", "mix.0", "mix.2") for kind in ("weight", "bias")
    ]
    assert moved == set(names)


def test_dropout_is_for_the_first_phase_only() -> None:
    coarse, refined = network(EigenConfig()).train(), network(EigenConfig(refined=True)).train()
    with torch.no_grad():
        assert not torch.equal(coarse.native(image()), coarse.native(image()))
        assert torch.equal(refined.native(image()), refined.native(image()))
        assert torch.equal(coarse.eval().native(image()), coarse.native(image()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=4, test=1)


@dataclass(frozen=True)
class Phases:
    """A run of the coarse stack and one that refines it, with the latter's network."""

    coarse: Path
    refined: Path
    config: Any


@pytest.fixture(scope="module", params=[0, 1], ids=["eigen", "adapter"])
def phases(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Phases:
    folder, config = tmp_path_factory.mktemp("runs"), REFINED[request.param]
    changes: dict[str, Any] = {"optim": OPTIM, "loss": LOSS}
    first = runs.train_tiny_run(folder / "coarse", data, model=MODELS[request.param], **changes)
    second = runs.train_tiny_run(folder / "refined", data, model=config, start=str(first), seed=5, **changes)
    return Phases(first, second, config)


def test_a_run_that_refines_keeps_every_bit_of_the_coarse_one(phases: Phases) -> None:
    coarse, refined = (load_file(run / CHECKPOINT) for run in (phases.coarse, phases.refined))
    assert {name.split(".")[1] for name in refined.keys() - coarse.keys()} == {"refining"}
    for name, value in coarse.items():
        assert torch.equal(refined[name], value), name


def test_a_refining_network_begins_with_new_weights_of_its_own(phases: Phases, data: Path) -> None:
    coarse = load_file(phases.coarse / CHECKPOINT)
    recipe = runs.tiny_recipe(data, model=phases.config, seed=5, optim=OPTIM)
    model = build_model(recipe)
    new = {name: value.clone() for name, value in model.state_dict().items() if ".refining." in name}
    load_start(model, recipe, phases.coarse / CHECKPOINT)
    loaded = model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in (coarse | new).items())
    assert loaded.keys() == (coarse | new).keys()
    assert any(not torch.equal(load_file(phases.refined / CHECKPOINT)[name], value) for name, value in new.items())


def test_a_start_of_another_size_is_told(phases: Phases, data: Path, tmp_path: Path) -> None:
    frames = DataConfig(96, 64, workers=0)
    changes: dict[str, Any] = {"model": phases.config, "start": str(phases.coarse), "optim": OPTIM}
    with pytest.raises(CheckpointError, match=r"coarse/checkpoint\.safetensors do not fit the model: .*") as error:
        runs.train_tiny_run(tmp_path / "run", data, frames=frames, **changes)
    assert "network.coarse." in str(error.value)
    assert str(error.value).endswith("they fit --frames.height 64")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / CHECKPOINT).exists()


@pytest.mark.parametrize("recipe", ["depth-eigen-refined", "refined-adapter"])
def test_refining_nothing_is_one_line(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", recipe, "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "clipdepth: error: a refining network needs the run of the coarse one; train that and give it with --start\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_start_that_is_not_there_is_told(data: Path, tmp_path: Path) -> None:
    changes = {"model": EigenConfig(refined=True), "start": str(tmp_path / "nowhere"), "optim": OPTIM}
    with pytest.raises(CheckpointError, match=rf"^no checkpoint\.safetensors in {tmp_path}/nowhere; train it with"):
        runs.train_tiny_run(tmp_path / "run", data, **changes)


def test_the_smallest_input_has_one_place_left_after_the_pools() -> None:
    with torch.device("meta"):
        # (56 - 11)/4 + 1 = 12, pooled 6, pooled 3, pooled 1.
        assert CoarseNetwork((56, 56)).convolutions(torch.zeros(1, 3, 56, 56)).shape == (1, 256, 1, 1)


@pytest.mark.parametrize("size", [(52, 64), (64, 52), (4, 4), (8, 304)])
def test_an_input_too_small_for_the_pools_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"^an input of {size[0]}×{size[1]} is too small .*; 56×56 is needed$"):
        build_network(EigenConfig(), size)


@pytest.mark.parametrize("size", [(66, 64), (64, 97)])
def test_an_input_without_a_quarter_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"^an input of {size[0]}×{size[1]} has no quarter; give multiples of 4$"):
        build_network(EigenConfig(), size)


@pytest.mark.parametrize("size", [(64, 80), (48, 64), (240, 320)])
def test_an_input_that_does_not_fit_the_trunk_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"^an input of {size[0]}×{size[1]} does not fit .*; give multiples of 32$"):
        build_network(CoarseAdapterConfig(TINY), size)
