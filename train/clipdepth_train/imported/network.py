"""The config and the network of a folder that transformers loads."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipdepth.errors import UsageError, WeightsError
from clipdepth.files.foreign import shortened
from clipdepth_train.quiet import quiet_logger

CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what transformers says to itself off the terminal: its errors are told by us."""
    told: Any = import_module("transformers.utils.logging")
    bars = told.is_progress_bar_enabled()
    told.disable_progress_bar()
    try:
        with quiet_logger("transformers", logging.CRITICAL):
            yield
    finally:
        if bars:
            told.enable_progress_bar()


def read_config(folder: Path, named: str) -> Any:
    """The config; raises UsageError where it is damaged, or of no depth model that this transformers has."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES as DEPTH_MODELS

    plain = _plain_config(folder, named)
    model_type, architecture = str(plain.get("model_type")), _architecture(plain)
    if model_type not in DEPTH_MODELS:
        if "auto_map" in plain:
            raise UsageError(
                f"{named} brings code of its own ({architecture}), which clipdepth never runs; choose a model that "
                "transformers has"
            )
        raise UsageError(
            f"{named} is a {architecture}, which is no depth model that transformers {transformers.__version__} has; "
            "choose another, or a newer transformers"
        )
    if architecture != model_type and not architecture.endswith("ForDepthEstimation"):
        raise UsageError(f"{named} is a {architecture}, which is no depth model; choose a …ForDepthEstimation")
    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # huggingface_hub's checks of a config raise classes of their own
        raise UsageError(f"{named}: transformers does not take its {CONFIG}: {_line(error)}") from None


def load_network(folder: Path, named: str, config: Any) -> tuple[nn.Module, list[str]]:
    """The network, float32 in eval mode on the CPU, its weights from safetensors, and the names of missing ones.

    Raises WeightsError where they are not there, damaged or of another config.
    """
    from transformers import AutoModelForDepthEstimation

    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise WeightsError(
            f"{named} has no {_WEIGHTS[0]}, and clipdepth reads no pickled weights, which can run code; choose a "
            "revision with safetensors"
        )
    try:
        network, loaded = AutoModelForDepthEstimation.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # safetensors' and PyTorch's alike, of files that anybody may have written
        raise WeightsError(f"{named}: its weights cannot be read: {_line(error)}; get them again") from None
    if loaded["mismatched_keys"]:
        name, found, expected = sorted(loaded["mismatched_keys"])[0]
        raise WeightsError(
            f"{named}: {name} is {_shape(found)} in its weights and {_shape(expected)} by its {CONFIG}; they do not "
            "belong together"
        )
    return network.requires_grad_(False).eval(), sorted(loaded["missing_keys"])


def settle_missing(network: nn.Module, missing: Sequence[str], answer: Callable[[], Tensor], named: str) -> None:
    """Set missing weights to 0, if `answer`, which the network gives, does not depend on them.

    MiDaS's models are without some that no picture passes. Raises WeightsError for those that count.
    """
    if not missing:
        return
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    unset = [tensors[name] for name in missing]
    for tensor in unset:
        tensor.fill_(torch.nan if tensor.is_floating_point() else 0)
    if not all(tensor.is_floating_point() for tensor in unset) or not bool(answer().isfinite().all()):
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WeightsError(f"{named}: its weights are without {missing[0]}{others}; they do not belong to its {CONFIG}")
    for tensor in unset:
        tensor.fill_(0)


def _plain_config(folder: Path, named: str) -> dict[str, Any]:
    try:
        plain = json.loads((folder / CONFIG).read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{named} has no {CONFIG}, so that it is no model of transformers; choose another") from None
    except ValueError as error:
        raise UsageError(f"{named}: {CONFIG} is damaged: {error}; get it again") from None
    if not isinstance(plain, dict):
        raise UsageError(f"{named}: {CONFIG} holds no model; get it again")
    return plain


def _architecture(plain: dict[str, Any]) -> str:
    """What a config calls its model, for messages."""
    names = plain.get("architectures")
    return shortened(str(names[0] if isinstance(names, list) and names else plain.get("model_type")))


def _line(error: BaseException) -> str:
    """What an error says, as a clause."""
    return shortened(" ".join(str(error).split()) or type(error).__name__)


def _shape(shape: Any) -> str:
    return "×".join(str(side) for side in shape)
