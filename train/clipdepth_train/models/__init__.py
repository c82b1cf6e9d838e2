"""The depth models, chosen from one table, imported on use: recipes name them, and are not to wait for PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from clipdepth_train.models.configs import (
    ClipAdapterConfig,
    CoarseAdapterConfig,
    DepthClipConfig,
    EdgeConfig,
    EigenConfig,
    ModelConfig,
    MsaConfig,
    SpaceConfig,
)

if TYPE_CHECKING:
    from clipdepth_train.models.network import DepthNetwork

__all__ = [
    "MODELS",
    "ClipAdapterConfig",
    "CoarseAdapterConfig",
    "DepthClipConfig",
    "EdgeConfig",
    "EigenConfig",
    "ModelConfig",
    "ModelEntry",
    "MsaConfig",
    "SpaceConfig",
    "build_network",
]


@dataclass(frozen=True)
class ModelEntry:
    """A model's configuration, and where `build(config, size)` lives, which makes its network.

    `size` is the input's height and width.
    """

    config: type[ModelConfig]
    module: str
    function: str


_HERE = "clipdepth_train.models"
MODELS = {
    "depthclip": ModelEntry(DepthClipConfig, f"{_HERE}.depthclip", "build_depthclip"),
    "clip-adapter": ModelEntry(ClipAdapterConfig, f"{_HERE}.clip_adapter", "build_clip_adapter"),
    "depth-eigen": ModelEntry(EigenConfig, f"{_HERE}.eigen", "build_eigen"),
    "coarse-adapter": ModelEntry(CoarseAdapterConfig, f"{_HERE}.eigen", "build_coarse_adapter"),
    "msa": ModelEntry(MsaConfig, f"{_HERE}.msa", "build_msa"),
    "edge": ModelEntry(EdgeConfig, f"{_HERE}.edge", "build_edge"),
    "space": ModelEntry(SpaceConfig, f"{_HERE}.space", "build_space"),
}


def build_network(config: ModelConfig, size: tuple[int, int]) -> DepthNetwork:
    """Build the network of `config` for images (N, 3, H, W) of `size`, H and W."""
    entry = next(entry for entry in MODELS.values() if entry.config is type(config))
    build: Callable[[ModelConfig, tuple[int, int]], DepthNetwork] = getattr(import_module(entry.module), entry.function)
    return build(config, size)
