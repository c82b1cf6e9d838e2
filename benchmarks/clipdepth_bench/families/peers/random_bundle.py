"""A bundle of a network whose weights are random: its speed is real, its depth is not."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
from torch import nn
from torch.export import Dim
from torch.utils.flop_counter import FlopCounterMode

from clipdepth import __version__
from clipdepth.bundle.agreement import TOLERANCES, Tolerance
from clipdepth.bundle.folder import stored_file
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import (
    MANIFEST,
    SCHEMA,
    DepthRange,
    Graph,
    InputSize,
    Licence,
    Manifest,
    Model,
    Precision,
    TrainingCamera,
)
from clipdepth.bundle.record import encode_record
from clipdepth.errors import VerificationError
from clipdepth.files.atomic import atomic_folder
from clipdepth_export.calibration import Feeds, largest_values
from clipdepth_export.gate import judge
from clipdepth_export.graph import BATCH, OPSET, proto_of, save_graph, trace
from clipdepth_export.half import half
from clipdepth_export.int8 import Quantizer
from clipdepth_export.simplification import simplify

FRAMES = 2
_ANY = Tolerance(1e6)
"""Rounding may do anything to the depth of random weights; only fp32 is held to PyTorch's."""
_GOLDEN = "golden.npz"


def write_random_bundle(
    path: Path,
    module: nn.Module,
    size: InputSize,
    precisions: Sequence[Precision],
    licences: Sequence[Licence] = (),
) -> None:
    """Write a bundle of `module`, (N, H, W, 3) uint8 to (N, H, W) float32, for `size` and at most `size.max_batch`.

    Layers are quantised by the largest values on frames of noise, all of them, since no accuracy is claimed. Raises
    ExportError where torch cannot export it, VerificationError where the fp32 graph differs from PyTorch.
    """
    with atomic_folder(path) as folder:
        golden = _golden(module, size)
        golden.save(folder / _GOLDEN)
        made = _Precisions(module, size, golden, folder / "depth.fp32.onnx")
        graphs: dict[str, Graph] = {
            precision: _graph(made, precision, folder, golden) for precision in dict.fromkeys(("fp32", *precisions))
        }
        manifest = Manifest(
            schema=SCHEMA,
            name="random",
            written_by={"clipdepth": __version__, "torch": str(torch.__version__)},
            model=Model({}, _parameters(module), _flops(module, size), "0" * 64),
            input=size,
            depth=DepthRange(1e-3, 1e3),
            camera=TrainingCamera(size.width, size.width),
            licences=list(licences),
            graphs=graphs,
            golden=_GOLDEN,
            files={file.name: stored_file(file) for file in sorted(folder.iterdir())},
        )
        (folder / MANIFEST).write_bytes(encode_record(manifest))


class _Precisions:
    """The graph of a module, and what is made of it; the fp32 one lies at `path`."""

    def __init__(self, module: nn.Module, size: InputSize, golden: Golden, path: Path) -> None:
        frames = torch.zeros((min(size.max_batch, 2), size.height, size.width, 3), dtype=torch.uint8)
        batch = {0: Dim(BATCH, min=1, max=size.max_batch)} if size.max_batch > 1 else None
        self._model = simplify(proto_of(trace(module, {"frame": frames}, ["depth"], {"frame": batch})))
        self._feeds: list[Feeds] = [{"frame": frame[None]} for frame in golden.frames]
        self._path = path
        save_graph(self._model, path)

    def make(self, precision: Precision) -> onnx.ModelProto:
        """The graph of `precision`."""
        if precision == "fp16":
            return half(self._model, self._largest)
        return self._int8() if precision == "int8" else self._model

    def _int8(self) -> onnx.ModelProto:
        ranges = {name: (np.float32(-value), np.float32(value)) for name, value in self._largest.items()}
        quantizer = Quantizer(self._model, TensorsData(CalibrationMethod.MinMax, ranges))
        return quantizer(quantizer.layers)

    @cached_property
    def _largest(self) -> dict[str, float]:
        return largest_values(self._path, self._feeds)


def _graph(made: _Precisions, precision: Precision, folder: Path, golden: Golden) -> Graph:
    model = made.make(precision)
    path = folder / f"depth.{precision}.onnx"
    save_graph(model, path)
    agreement = judge(path, golden, TOLERANCES["fp32"] if precision == "fp32" else _ANY)
    if not agreement.passed:
        raise VerificationError(f"the exported {precision} graph {agreement}")
    return Graph(path.name, OPSET, len(model.graph.node), agreement)


def _golden(module: nn.Module, size: InputSize) -> Golden:
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, size.height, size.width, 3), dtype=np.uint8)
    with torch.inference_mode():
        depth = np.concatenate([module(torch.from_numpy(frame[None])).float().numpy() for frame in frames])
    return Golden(frames, depth, np.zeros_like(depth))


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _flops(module: nn.Module, size: InputSize) -> int:
    """2 per multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros((1, size.height, size.width, 3), dtype=torch.uint8))
    return int(counter.get_total_flops())
