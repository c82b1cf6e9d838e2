"""ZipDepth (Tosi et al., 2026), relative inverse depth for the edge, from the package libreyolo."""

from importlib import import_module
from typing import TYPE_CHECKING

from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.families.peers.peer import Peer, nearest

if TYPE_CHECKING:
    from torch import nn

STRIDE = 32


def peer(size: InputSize) -> Peer:
    """The network at the multiple of its stride that is nearest to `size`."""
    return Peer("ZipDepth", nearest(size, STRIDE), build, ("libreyolo",), "MIT", kind="disparity")


def build(size: InputSize) -> "nn.Module":
    """The network of `LibreZipDepthb-depth.pt`, its branches folded as for its own predictions; random weights."""
    import torch

    from clipdepth_train.imported.framed import Framed

    torch.manual_seed(0)
    network = import_module("libreyolo.models.zipdepth.nn").LibreZipDepthNet("b").eval()
    return Framed(network.fuse_for_inference(), lambda depth: depth[:, 0]).eval().requires_grad_(False)
