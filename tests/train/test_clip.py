"""Weights of CLIP models: from files, from nowhere, and from a hub that cannot be reached."""

from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from clipdepth.cli import main
from clipdepth.errors import UsageError, WeightsError
from clipdepth_train.clip import load_clip, text_features
from clipdepth_train.pretrained import PretrainedConfig
from tiny_clip import TINY_CLIP
from torchscript_archives import save_torchscript


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(1)
    state: dict[str, Tensor] = open_clip.create_model(TINY_CLIP).state_dict()
    return state


def loaded(path: Path) -> dict[str, Tensor]:
    torch.manual_seed(2)
    return load_clip(PretrainedConfig(TINY_CLIP, str(path))).state_dict()


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value), name


def test_random_weights_are_those_of_the_seed() -> None:
    torch.manual_seed(5)
    first = load_clip(PretrainedConfig(TINY_CLIP, "none")).state_dict()
    torch.manual_seed(5)
    assert_same(load_clip(PretrainedConfig(TINY_CLIP, "none")).state_dict(), first)


def test_a_state_dict(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    torch.save(weights, tmp_path / "clip.pt")
    assert_same(loaded(tmp_path / "clip.pt"), weights)


def test_a_training_checkpoint_of_open_clip(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    state = {f"module.{name}": value for name, value in weights.items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "clip.pt")
    assert_same(loaded(tmp_path / "clip.pt"), weights)


def test_safetensors(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    save_file(weights, tmp_path / "clip.safetensors")
    assert_same(loaded(tmp_path / "clip.safetensors"), weights)


def test_a_half_precision_archive_as_openai_publishes_them(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    halves = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    published = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
    save_torchscript(tmp_path / "clip.pt", halves | {name: torch.tensor(value) for name, value in published.items()})
    found = loaded(tmp_path / "clip.pt")
    assert_same(found, {name: value.to(weights[name].dtype) for name, value in halves.items()})
    assert found["visual.conv1.weight"].dtype == torch.float32


def test_text_features_are_the_text_towers() -> None:
    clip = load_clip(PretrainedConfig(TINY_CLIP, "none")).eval()
    features = text_features(clip, TINY_CLIP, ["a chair", "a table"])
    with torch.no_grad():
        alone = clip.encode_text(open_clip.tokenize(["a table"]))  # type: ignore[operator]
    assert features.shape == (2, 256)
    assert not features.requires_grad
    torch.testing.assert_close(features[1:], alone)


def test_an_unknown_model_is_told() -> None:
    with pytest.raises(UsageError, match="open_clip has no model 'RN5'"):
        load_clip(PretrainedConfig("RN5", "none"))


def assert_told(error: pytest.ExceptionInfo[WeightsError], *parts: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    for part in (*parts, "--model.trunk.weights"):
        assert part in message


@pytest.mark.parametrize("weights", ["absent.pt", "opnai"])
def test_neither_a_file_nor_a_tag_lists_the_tags(weights: str) -> None:
    with pytest.raises(WeightsError) as error:
        load_clip(PretrainedConfig("RN50-quickgelu", weights))
    assert_told(error, f"'{weights}'", "RN50-quickgelu", "openai")


def test_files_that_hold_no_weights_are_told(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    whole = tmp_path / "whole.pt"
    torch.save(weights, whole)
    damaged = {
        "garbage.pt": b"no weights at all" * 10,
        "garbage.safetensors": b"no weights at all" * 10,
        "empty.pt": b"",
        "cut.pt": whole.read_bytes()[:-5000],
    }
    for name, data in damaged.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(WeightsError) as error:
            loaded(path)
        assert_told(error, str(path), TINY_CLIP)


@pytest.mark.parametrize("kind", ["pt", "torchscript"])
def test_weights_of_another_model_are_told(tmp_path: Path, weights: dict[str, Tensor], kind: str) -> None:
    other = dict(weights)
    other["visual.conv1.weight"] = other["visual.conv1.weight"][:3].clone()
    path = tmp_path / "other.pt"
    if kind == "pt":
        torch.save(other, path)
    else:
        save_torchscript(path, other)
    with pytest.raises(WeightsError) as error:
        loaded(path)
    assert_told(error, str(path), TINY_CLIP)


def test_a_missing_file_is_one_line_on_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = ["--frames.height", "64", "--frames.width", "64", "--frames.rooms", "1"]
    status = main(["train", "edge", "--out", str(tmp_path), *sizes, "--model.trunk.weights", "absent.pt"])
    error = capsys.readouterr().err
    assert status == 1
    assert error.startswith("clipdepth: error: 'absent.pt' is neither a file nor a tag of RN50-quickgelu")
    assert error.count("\n") == 1


def test_without_network_the_local_file_is_named_as_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError) as error:
        load_clip(PretrainedConfig("MobileCLIP2-S0", "dfndr2b"))
    assert_told(error, "cannot download the weights 'dfndr2b' of MobileCLIP2-S0 (", "give a local file with", "PATH")
    assert capsys.readouterr() == ("", "")
