"""The depth models, chosen from one table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipdepth_train.models.depthclip import DepthClipConfig, build_depthclip
from clipdepth_train.models.edge import EdgeConfig, build_edge
from clipdepth_train.models.msa import MsaConfig, build_msa
from clipdepth_train.models.network import DepthNetwork

__all__ = ["MODELS", "DepthClipConfig", "DepthNetwork", "EdgeConfig", "ModelConfig", "MsaConfig", "build_network"]

ModelConfig = DepthClipConfig | MsaConfig | EdgeConfig


@dataclass(frozen=True)
class ModelEntry:
    """A model's configuration and what builds it."""

    config: type[ModelConfig]
    build: Callable[[Any], DepthNetwork]


MODELS = {
    "depthclip": ModelEntry(DepthClipConfig, build_depthclip),
    "msa": ModelEntry(MsaConfig, build_msa),
    "edge": ModelEntry(EdgeConfig, build_edge),
}


def build_network(config: ModelConfig) -> DepthNetwork:
    """Build the network of `config`: a normalised image (N, 3, H, W) to depth (N, H, W) in metres."""
    return next(entry.build(config) for entry in MODELS.values() if entry.config is type(config))
