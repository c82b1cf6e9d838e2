"""What a peer is, before it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from math import floor
from typing import TYPE_CHECKING

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import InputSize

if TYPE_CHECKING:
    from torch import nn


GROUP = "--group peers, in clipdepth's checkout"
"""What brings what a peer needs, for pip."""
_LIBRARIES = "torch", "onnx", "onnxruntime", "openvino", "nncf"


@dataclass(frozen=True)
class Peer:
    """An architecture at an input size."""

    title: str
    size: InputSize
    build: Callable[[InputSize], "nn.Module"]
    """Makes it with random weights: (N, H, W, 3) uint8 BGR to (N, H, W) float32, H and W being those of `size`."""
    packages: tuple[str, ...]
    """What has to be installed, by the names under which it is imported and distributed alike."""
    licence: str
    kind: DepthKind = METRIC
    """What its answer is."""
    transformer: bool = False
    """Whether NNCF is told that it is one."""

    @property
    def name(self) -> str:
        """Such as 'MSA (RN50) 416×544'."""
        return f"{self.title} {self.size.height}×{self.size.width}"

    def require_packages(self) -> None:
        """Raise ModuleNotFoundError for a package that is missing."""
        for package in self.packages:
            if find_spec(package) is None:
                raise ModuleNotFoundError(f"no {package}", name=package)

    def versions(self) -> dict[str, str | None]:
        """What its forms depend on; None for a package that is not here."""
        return {package: _version(package) for package in (*_LIBRARIES, *self.packages)}


def nearest(size: InputSize, multiple: int) -> InputSize:
    """The size nearest to `size` whose sides are multiples of `multiple` pixels."""
    height, width = (max(1, floor(side / multiple + 0.5)) * multiple for side in (size.height, size.width))
    return InputSize(height, width)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
