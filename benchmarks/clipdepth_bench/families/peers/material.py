"""What the forms of a peer are made from, and the folder in the user's cache that keeps them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipdepth import __version__
from clipdepth.bundle.cache import cache_folder, make_private
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import InputSize, Licence, Precision
from clipdepth.camera.resize import resize_frame
from clipdepth.errors import BundleError
from clipdepth.files.atomic import atomic_file
from clipdepth_bench.families.peers.peer import Peer

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Material:
    """A peer and the pictures that its quantisers are calibrated on and its forms are checked on."""

    peer: Peer
    frames: NDArray[np.uint8]
    """(N, H, W, 3) uint8 BGR, at the peer's size."""

    @cached_property
    def module(self) -> "nn.Module":
        """The network in PyTorch."""
        return self.peer.build(self.peer.size)

    @cached_property
    def reference(self) -> NDArray[np.float32]:
        """What PyTorch answers to the frames in fp32, (N, H, W) float32."""
        import torch

        with torch.inference_mode():
            answers = [self.module(torch.from_numpy(frame[None])).float().numpy() for frame in self.frames]
        return np.concatenate(answers)

    @cached_property
    def folder(self) -> Path:
        """Where what is made of it stays: one for each peer, set of pictures and set of versions."""
        made_of = {"name": self.peer.name, "clipdepth": __version__, **self.peer.versions()}
        pictures = sha256(self.frames.tobytes()).hexdigest()
        key = sha256((json.dumps(made_of, sort_keys=True) + pictures).encode()).hexdigest()[:16]
        folder = cache_folder() / "peers" / key
        make_private(folder)
        return folder

    def file(self, name: str, write: Callable[[Path], None]) -> Path:
        """The file of that name in the folder; `write` makes it where it is not there, whole or not at all."""
        path = self.folder / name
        if not path.is_file():
            with atomic_file(path) as partial:
                write(partial)
        return path

    def graph(self) -> Path:
        """The network as ONNX in fp32, as PyTorch exports it, from `frame` to `depth`.

        Not out of a bundle, which has no operators but those that every device of ours runs.
        """
        from clipdepth_export.graph import proto_of, save_graph, trace_depth

        return self.file(
            "graph.onnx", lambda path: save_graph(proto_of(trace_depth(self.module, self.peer.size)), path)
        )

    def bundle(self, precisions: tuple[Precision, ...]) -> Bundle:
        """A bundle of the network by our own exporter; made where there is none yet, or a damaged one."""
        path = self.folder / f"{'-'.join(precisions)}.bundle"
        try:
            return open_bundle(path, any_tolerance=True)
        except BundleError:
            from clipdepth_bench.families.peers.random_bundle import write_random_bundle

            licences = [Licence(self.peer.title, self.peer.licence)]
            write_random_bundle(path, self.module, self.peer.size, precisions, licences, self.frames)
            return open_bundle(path, any_tolerance=True)


def frames_at(size: InputSize, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures, (N, H, W, 3) uint8, resized to `size`."""
    return np.stack([resize_frame(picture, size.height, size.width) for picture in pictures])
