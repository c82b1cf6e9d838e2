"""Depth Anything V2 Small, metric (Yang et al., Depth Anything V2, 2024), from the package transformers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.families.peers.peer import Peer, nearest

if TYPE_CHECKING:
    from torch import nn

OWN = InputSize(518, 518)
"""The size it was trained at."""
PATCH = 14
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def peer(size: InputSize) -> Peer:
    """The network at the multiple of its patches that is nearest to `size`."""
    return Peer("Depth Anything V2 S", nearest(size, PATCH), build, ("transformers",), "Apache-2.0", transformer=True)


def build(size: InputSize) -> "nn.Module":
    """The network behind the frame contract, with random weights."""
    from clipdepth_train.imported.framed import Framed

    framed = Framed(network(), lambda answer: answer.predicted_depth, _MEAN, _STD)
    return framed.eval().requires_grad_(False)


def network() -> Any:
    """The network of `depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf` in transformers, with random weights."""
    import torch

    transformers: Any = import_module("transformers")
    backbone = transformers.Dinov2Config(
        image_size=OWN.height,
        patch_size=PATCH,
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        out_features=["stage3", "stage6", "stage9", "stage12"],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=384,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        head_hidden_size=32,
        depth_estimation_type="metric",
        max_depth=20,
    )
    torch.manual_seed(0)
    return transformers.DepthAnythingForDepthEstimation(config)
