"""The network's weights inside a bundle: what a further training begins with."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from clipdepth.errors import VerificationError
from clipdepth_train.checkpoint import CHECKPOINT, read_checkpoint, save_checkpoint
from clipdepth_train.recipe import Recipe

WEIGHTS = "weights.safetensors"
_LARGEST_HALF = torch.finfo(torch.float16).max


def write_weights(run: Path, recipe: Recipe, path: Path) -> None:
    """Write the weights of a run, in half, as a checkpoint whose recipe is `recipe`: one without this machine's paths.

    Norms, biases and what else is no matrix stay in fp32: they are small, and half would cost most there. Raises
    VerificationError for weights that are not finite.
    """
    tensors, _, state = read_checkpoint(run / CHECKPOINT)
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise VerificationError(f"{broken[0]} in {run / CHECKPOINT} is not finite; train again")
    save_checkpoint(path, _halved(tensors), recipe, {name: state[name] for name in ("camera", "ingredients")})


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.half() if _fits(value) else value for name, value in tensors.items()}


def _fits(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.dim() > 1 and float(tensor.abs().max()) <= _LARGEST_HALF
