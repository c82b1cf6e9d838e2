"""CLIP models from open_clip: their weights and their two towers."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor, nn

from clipdepth.errors import UsageError, WeightsError
from clipdepth_train.hub_cache import cache_where_unreachable
from clipdepth_train.pretrained import NO_WEIGHTS, PretrainedConfig, first_line, root_cause
from clipdepth_train.torchscript import is_torchscript, torchscript_tensors

# RN50's kind with a block a stage and half the width, to try things out in minutes; it has no pretrained weights.
open_clip.add_model_config(Path(__file__).with_name("RN-mini.json"))


def load_clip(config: PretrainedConfig) -> nn.Module:
    """Build open_clip's model with its weights.

    A local file may be an open_clip checkpoint (.pt, .safetensors) or an archive as OpenAI publishes them, whose code
    is not run. Raises UsageError for an unknown model, WeightsError where weights cannot be downloaded or do not fit.
    """
    if config.name not in open_clip.list_models():
        raise UsageError(f"open_clip has no model '{config.name}'; see open_clip.list_models()")
    if config.weights == NO_WEIGHTS:
        return _create(config.name, None)
    if from_hub(config):
        return _download(config)
    return _load_file(config, Path(config.weights))


def clip_colours(name: str, weights: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of R, G and B, from 0 to 1, that a CLIP's images are normalised by.

    They are those of the weights, or of the first that open_clip lists for the model, or OpenAI's.
    """
    tags = [weights, *open_clip.list_pretrained_tags_by_model(name)]
    settings: dict[str, Any] = next(filter(None, (open_clip.get_pretrained_cfg(name, tag) for tag in tags)), {})
    return settings.get("mean", OPENAI_DATASET_MEAN), settings.get("std", OPENAI_DATASET_STD)


def from_hub(config: PretrainedConfig) -> bool:
    """Whether the weights are a tag of open_clip's hub, so that they may have to be downloaded."""
    return config.weights in open_clip.list_pretrained_tags_by_model(config.name)


def text_features(clip: nn.Module, name: str, prompts: Sequence[str]) -> Tensor:
    """The text tower's features of `prompts`: (K, C) float32, not normalised."""
    tokens = open_clip.get_tokenizer(name)(list(prompts))
    clip.eval()
    with torch.no_grad():
        features: Tensor = clip.encode_text(tokens)  # type: ignore[operator]
    return features.float()


def _create(name: str, pretrained: str | None) -> nn.Module:
    # It logs that weights are random, which is what was asked for, and each retry of a download; what matters
    # comes as an exception.
    logging.disable(logging.ERROR)
    try:
        model: nn.Module = open_clip.create_model(name, pretrained=pretrained)
    finally:
        logging.disable(logging.NOTSET)
    return model


def _download(config: PretrainedConfig) -> nn.Module:
    with cache_where_unreachable() as unreachable:
        try:
            return _create(config.name, config.weights)
        except Exception as error:  # the hub's clients raise their own, unrelated classes
            reason = unreachable or first_line(root_cause(error))
            raise WeightsError(
                f"cannot download the weights '{config.weights}' of {config.name} ({reason}); "
                "give a local file with --model.trunk.weights PATH, or --model.trunk.weights none for random weights"
            ) from error


def _load_file(config: PretrainedConfig, path: Path) -> nn.Module:
    if not path.is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(config.name)) or "none"
        raise WeightsError(
            f"'{config.weights}' is neither a file nor a tag of {config.name} (its tags: {tags}); "
            "give --model.trunk.weights PATH, a tag, or none for random weights"
        )
    model = _create(config.name, None)
    try:
        if is_torchscript(path):
            model.load_state_dict(_published_state(path, model))
        else:
            open_clip.load_checkpoint(model, str(path))
    except Exception as error:  # torch, pickle, zip and safetensors each raise their own
        raise WeightsError(
            f"{path} does not hold weights of {config.name} ({first_line(error)}); "
            "give another file with --model.trunk.weights PATH, or none for random weights"
        ) from error
    return model


def _published_state(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The weights of an archive as OpenAI publishes them: halves, with a mask and three integers beside them."""
    wanted = model.state_dict()
    extra = ("input_resolution", "context_length", "vocab_size", "attn_mask")
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in torchscript_tensors(path).items()
        if name in wanted or name.rpartition(".")[2] not in extra
    }
