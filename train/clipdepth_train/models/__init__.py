"""The depth models, chosen from one table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipdepth_train.models.clip_adapter import ClipAdapterConfig, build_clip_adapter
from clipdepth_train.models.confidence import ConfidentNetwork
from clipdepth_train.models.depthclip import DepthClipConfig, build_depthclip
from clipdepth_train.models.edge import EdgeConfig, build_edge
from clipdepth_train.models.eigen import CoarseAdapterConfig, EigenConfig, build_coarse_adapter, build_eigen
from clipdepth_train.models.msa import MsaConfig, build_msa
from clipdepth_train.models.network import BinNetwork, DepthNetwork
from clipdepth_train.models.space import SpaceConfig, build_space

__all__ = [
    "MODELS",
    "BinNetwork",
    "ClipAdapterConfig",
    "CoarseAdapterConfig",
    "ConfidentNetwork",
    "DepthClipConfig",
    "DepthNetwork",
    "EdgeConfig",
    "EigenConfig",
    "ModelConfig",
    "MsaConfig",
    "SpaceConfig",
    "build_network",
]

ModelConfig = (
    DepthClipConfig | ClipAdapterConfig | EigenConfig | CoarseAdapterConfig | MsaConfig | EdgeConfig | SpaceConfig
)


@dataclass(frozen=True)
class ModelEntry:
    """A model's configuration and what builds it for an input of a height and width."""

    config: type[ModelConfig]
    build: Callable[[Any, tuple[int, int]], DepthNetwork]


MODELS = {
    "depthclip": ModelEntry(DepthClipConfig, lambda config, size: build_depthclip(config)),
    "clip-adapter": ModelEntry(ClipAdapterConfig, lambda config, size: build_clip_adapter(config)),
    "depth-eigen": ModelEntry(EigenConfig, build_eigen),
    "coarse-adapter": ModelEntry(CoarseAdapterConfig, build_coarse_adapter),
    "msa": ModelEntry(MsaConfig, lambda config, size: build_msa(config)),
    "edge": ModelEntry(EdgeConfig, lambda config, size: build_edge(config)),
    "space": ModelEntry(SpaceConfig, build_space),
}


def build_network(config: ModelConfig, size: tuple[int, int]) -> DepthNetwork:
    """Build the network of `config` for images (N, 3, H, W) of `size`, H and W."""
    return next(entry.build(config, size) for entry in MODELS.values() if entry.config is type(config))
