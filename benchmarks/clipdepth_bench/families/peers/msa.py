"""The network of the paper that clipdepth came from, as a user of its code has it."""

from typing import TYPE_CHECKING

from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.families.peers.peer import Peer

if TYPE_CHECKING:
    from torch import nn


def peer() -> Peer:
    """MSA on CLIP's RN50, at the paper's input size."""
    return Peer("MSA (RN50)", InputSize(416, 544), build, (), "MIT")


def build(size: InputSize) -> "nn.Module":
    """The paper's recipe with random weights."""
    from clipdepth_train.depth_model import build_model
    from clipdepth_train.recipes import RECIPES

    recipe = RECIPES["msa-l1"]
    assert (recipe.frames.height, recipe.frames.width) == (size.height, size.width)
    return build_model(recipe, pretrained=False).deployable()
