"""Engines: what runs a bundle's graph. One module each, chosen from one table, imported on use."""

# The help of commands names the engines, and is not to wait for NumPy: what only types need is imported for them alone.
from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol

from clipdepth.errors import EngineError, MissingExtraError, UsageError, unknown_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipdepth.bundle.agreement import Agreement, Tolerance
    from clipdepth.bundle.answer import Answer
    from clipdepth.bundle.folder import Bundle
    from clipdepth.bundle.golden import Golden
    from clipdepth.bundle.kind import DepthKind
    from clipdepth.bundle.manifest import InputSize, Placement
    from clipdepth.engines.operations import Operation
    from clipdepth.engines.precisions import Precisions

__all__ = [
    "AUTO",
    "DEFAULT",
    "ENGINES",
    "Engine",
    "Infer",
    "engines_for",
    "executed_precisions",
    "infer_golden",
    "load_engine",
    "measure_agreement",
    "usable_cores",
    "verify_engine",
]

AUTO = "auto"
"""What stands for the fastest engine that works here, see `clipdepth.engines.choice`."""
DEFAULT = "onnxruntime"
"""The engine that is taken where none is named and none is sought."""

# Else ONNX Runtime, from 1.29 on, reports sessions and graphs to its maker. It reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Else OpenVINO, when it is imported, reports that to its maker, and keeps a number for this user in ~/intel.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


class Infer(Protocol):
    """What every engine's `infer` does."""

    def __call__(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`."""


class Engine(Protocol):
    """A loaded graph on a device."""

    name: str
    """Its name in the table, such as 'onnxruntime'."""
    device: str
    """What it really runs on, as the library reports it after loading."""

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """Turn frames, (N, H, W, 3) uint8 BGR at the model's size, into depth, (N, H, W) float32 metres.

        Confidence comes with it where the model has it.

        `segmentation`, (N, H, W, 3) uint8, is for the graph of a model with SAM.
        """

    def operations(self) -> list[Operation]:
        """The operations that it runs, in order, as its library tells; empty where it does not.

        Read when it is asked for: ONNX Runtime opens a second session, which takes the graph's memory until it is read.
        """

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """The operations with the time that each takes by the library's own profiler, of frames as `infer` takes them.

        The graph is opened again for it, with the options that the engine runs with.
        """

    def close(self) -> None:
        """Free the device; the engine cannot be used after."""


Hardware = Literal["CPU", "NVIDIA", "GPU", "NPU", "DirectX", "Apple"]
"""What an engine runs on; GPU and NPU are Intel's."""


@dataclass(frozen=True)
class EngineEntry:
    """Where an engine's `load(bundle, precision, threads)` lives and what brings its library.

    One of GPUs takes the `device`'s number too, or None.
    """

    module: str
    function: str
    extra: str
    packages: tuple[str, ...]
    """Names under which the library is distributed, any of which will do."""
    imports: tuple[str, ...]
    """The modules that it needs from outside."""
    hardware: Hardware = "CPU"
    placement: Placement = "cpu"
    """Which int8 graph it takes."""

    @property
    def on_gpus(self) -> bool:
        """Whether there may be several of its devices, of which one is chosen."""
        return self.hardware in ("NVIDIA", "GPU", "DirectX")


_CPU = "clipdepth.engines.onnxruntime_cpu"
_GPU = "clipdepth.engines.onnxruntime_gpu"
_COREML = "clipdepth.engines.onnxruntime_coreml"
_DIRECTML = "clipdepth.engines.onnxruntime_directml"
_OPENVINO = "clipdepth.engines.openvino"
_TENSORRT = "clipdepth.engines.tensorrt.engine"
_ORT = ("onnxruntime",)
_ORT_GPU = ("onnxruntime-gpu",)
_ORT_DIRECTML = ("onnxruntime-directml",)
_RTX = ("onnxruntime-ep-nv-tensorrt-rtx-cu13", "onnxruntime-ep-nv-tensorrt-rtx-cu12")
_RTX_PLUGIN = "onnxruntime_ep_nv_tensorrt_rtx"
_OV = ("openvino",)
_TRT = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")

ENGINES = {
    "onnxruntime": EngineEntry(_CPU, "load", "cpu", _ORT + _ORT_GPU + _ORT_DIRECTML, _ORT),
    "onnxruntime-cuda": EngineEntry(_GPU, "load_cuda", "gpu", _ORT_GPU, _ORT, "NVIDIA"),
    "onnxruntime-rtx": EngineEntry(_GPU, "load_rtx", "rtx", _RTX, (*_ORT, _RTX_PLUGIN), "NVIDIA", "tensorrt"),
    "openvino": EngineEntry(_OPENVINO, "load", "openvino", _OV, _OV),
    "openvino-gpu": EngineEntry(_OPENVINO, "load_gpu", "openvino", _OV, _OV, "GPU"),
    "openvino-npu": EngineEntry(_OPENVINO, "load_npu", "openvino", _OV, _OV, "NPU"),
    "coreml": EngineEntry(_COREML, "load", "coreml", _ORT, _ORT, "Apple"),
    "directml": EngineEntry(_DIRECTML, "load", "directml", _ORT_DIRECTML, _ORT, "DirectX"),
    "tensorrt": EngineEntry(_TENSORRT, "load", "tensorrt", _TRT, ("tensorrt",), "NVIDIA", "tensorrt"),
}


def engines_for(device: int | None) -> list[str]:
    """The names of the engines that can take `device`, a GPU's number; all where it is None."""
    return [name for name, entry in ENGINES.items() if device is None or entry.on_gpus]


def load_engine(
    bundle: Bundle,
    name: str = DEFAULT,
    precision: str = "fp32",
    threads: int | None = None,
    device: int | None = None,
) -> Engine:
    """Load the bundle's graph of `precision` on engine `name` with `threads` threads (all usable cores).

    Of a bundle with several sizes, those after the first are loaded when a frame of that size comes.

    `device` is a GPU's number, from 0 on, for an engine on GPUs (the first). Raises UsageError for an unknown name, or
    a device where the engine has none to choose, MissingExtraError where its library is not installed, EngineError
    where it does not load or does not get its device.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name not in engines_for(device):
        raise UsageError(
            f"engine '{name}' is not for GPUs, so that it has no device {device}; leave the device out, or choose one "
            f"of {', '.join(engines_for(device))}"
        )
    entry = ENGINES[name]
    bundle.stated(precision, entry.placement)
    try:
        load: Callable[..., Engine] = getattr(import_module(entry.module), entry.function)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"engine '{name}'", error.name or name, entry.extra) from None
    except (ImportError, OSError) as error:
        raise EngineError(
            f"engine '{name}' does not load: {error}; run pip install --force-reinstall 'clipdepth[{entry.extra}]'"
        ) from error
    chosen = (device,) if entry.on_gpus else ()

    def load_size(size: InputSize) -> Engine:
        return load(bundle.at(size.height, size.width), precision, threads or usable_cores(), *chosen)

    inputs = bundle.manifest.inputs
    engine = _sized(load_size, inputs) if len(inputs) > 1 else load_size(inputs[0])
    return _with_sam(engine, bundle, precision, threads) if bundle.manifest.sam else engine


def _sized(load: Callable[[InputSize], Engine], sizes: tuple[InputSize, ...]) -> Engine:
    from clipdepth.engines.sizes import SizedEngine

    return SizedEngine(load, sizes)


def _with_sam(engine: Engine, bundle: Bundle, precision: str, threads: int | None) -> Engine:
    from clipdepth.engines.sam.segmented import SegmentedEngine
    from clipdepth.engines.sam.segmenter import load_segmenter

    assert bundle.manifest.sam
    masks = load_segmenter(bundle.path, bundle.manifest.sam, bundle.manifest.sam.beside(precision), threads)
    return SegmentedEngine(engine, masks)


def verify_engine(engine: Engine, bundle: Bundle, precision: str) -> Agreement:
    """Check `engine`, loaded with the bundle's graph of `precision`, on the golden frames of the bundle's first size.

    Of a model with SAM that is the depth graph alone, given the masks that PyTorch painted.
    """
    manifest = bundle.manifest
    return measure_agreement(engine.infer, bundle.golden(), manifest.tolerance(precision), manifest.kind)


def executed_precisions(engine: Engine, bundle: Bundle, precision: str) -> Precisions:
    """What `engine`, loaded with the bundle's graph of `precision`, really computes in; raises EngineError.

    Of a model with SAM that is the depth graph alone.
    """
    from clipdepth.bundle.onnx_file import OnnxFile
    from clipdepth.engines.operations import count_precisions

    graph = bundle.graph(precision, ENGINES[engine.name].placement)
    return count_precisions(engine.operations(), OnnxFile(graph).nodes)


def measure_agreement(infer: Infer, golden: Golden, tolerance: Tolerance, kind: DepthKind) -> Agreement:
    """Run golden frames through `infer`, one by one, and compare with PyTorch's answers, which are of `kind`.

    Raises EngineError where one of the two has confidence and the other has none.
    """
    from clipdepth.bundle.agreement import compare_answers

    found = infer_golden(infer, golden)
    if (found.confidence is None) != (golden.confidence is None):
        which = "golden frames have" if found.confidence is None else "graph has"
        raise EngineError(f"only the {which} confidence; export the bundle again")
    return compare_answers(found, golden.answer, tolerance, golden.truth, kind)


def infer_golden(infer: Infer, golden: Golden) -> Answer:
    """What `infer` answers to golden frames, one by one."""
    from clipdepth.bundle.answer import join

    masks = [None] * len(golden.frames) if golden.segmentation is None else [*golden.segmentation]
    pairs = zip(golden.frames, masks, strict=True)
    return join(
        [infer(frame[None]) if painted is None else infer(frame[None], painted[None]) for frame, painted in pairs]
    )


def usable_cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
