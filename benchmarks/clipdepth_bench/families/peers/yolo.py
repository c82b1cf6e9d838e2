"""Ultralytics' YOLO26n for depth, from the package ultralytics, whose licence is AGPL-3.0."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from clipdepth.bundle.manifest import InputSize
from clipdepth_bench.families.peers.peer import Peer, nearest

if TYPE_CHECKING:
    from torch import nn

STRIDE = 32
ARCHITECTURE = "yolo26n-depth.yaml"
_SILENT = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


def peer(size: InputSize) -> Peer:
    """The network at the multiple of its stride that is nearest to `size`."""
    return Peer("YOLO26n-depth", nearest(size, STRIDE), build, ("ultralytics",), "AGPL-3.0")


def build(size: InputSize) -> "nn.Module":
    """The network as its predictor runs it: batch norms folded, depth at the size of the input; random weights."""
    import torch

    from clipdepth_train.imported.framed import Framed

    torch.manual_seed(0)
    with alone():
        network = import_module("ultralytics.nn.tasks").DepthModel(ARCHITECTURE, verbose=False).eval().fuse(False)
    network.model[-1].export = True  # enlarges the depth to the input's size inside the network
    return Framed(network, lambda depth: depth[:, 0]).eval().requires_grad_(False)


@contextmanager
def alone() -> Iterator[None]:
    """Keep the package off the network and the user's settings, and undo what its import changes in other libraries."""
    import cv2
    import numpy as np
    import PIL.Image
    import torch

    threads = cv2.getNumThreads()
    # It takes OpenCV's threads away, sets one for OpenMP in every child process, and replaces these functions.
    replaced: list[tuple[Any, str]] = [(torch, "save"), (PIL.Image, "open")]
    replaced += [(cv2, name) for name in ("imread", "imwrite", "imshow")]
    with ExitStack() as stack:
        settings = stack.enter_context(TemporaryDirectory(prefix="clipdepth-"))
        stack.enter_context(patch.dict(os.environ, {**_SILENT, "YOLO_CONFIG_DIR": settings}))
        for owner, name in replaced:
            stack.enter_context(patch.object(owner, name, getattr(owner, name)))
        stack.enter_context(np.printoptions())
        stack.callback(cv2.setNumThreads, threads)
        stack.callback(torch.set_printoptions, profile="default")
        yield
