"""A form that a peer can be run in, and all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clipdepth.engines import Engine
from clipdepth_bench.families.peers.material import Material


@dataclass(frozen=True)
class Opened:
    """A form that was made and loaded."""

    engine: Engine
    model_bytes: int


@dataclass(frozen=True)
class Form:
    """One way to run a peer."""

    name: str
    """Such as 'OpenVINO int8 (NNCF, mixed)'."""
    open: Callable[[Material, int], Opened]
    """Makes what it needs, or takes what an earlier call made, and loads it with so many threads.

    Raises ModuleNotFoundError for a package that is missing, and whatever the libraries raise.
    """


def list_forms() -> Sequence[Form]:
    """What the peers' makers, NNCF and ONNX Runtime offer, and on a machine with an NVIDIA GPU what ours get there."""
    from clipdepth_bench.families.peers import gpu_forms, onnx_forms, openvino_forms

    return [*openvino_forms.FORMS, *onnx_forms.FORMS, *gpu_forms.list_forms()]
