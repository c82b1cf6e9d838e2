"""From a trained model to an ONNX graph with the frame contract."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import onnx
import torch
from onnx.external_data_helper import set_external_data
from onnx_ir.passes import PassError
from torch import Tensor, nn
from torch.export import Dim

from clipdepth.bundle.manifest import InputSize
from clipdepth.engines.contract import ANSWERS
from clipdepth.errors import ClipdepthError
from clipdepth.files.atomic import atomic_file
from clipdepth_train.depth_model import ConfidentModel, DepthModel
from clipdepth_train.quiet import quiet_logger

OPSET = 18
"""What TensorRT 10, ONNX Runtime and OpenVINO all read, and the newest that torch writes without a conversion."""
SHARED = 1024
"""Bytes from which on a tensor is stored once for several graphs; smaller ones stay in their graph."""
BATCH = "batch"
"""The name of the symbolic first dimension of a graph that takes several frames at once."""


class ExportError(ClipdepthError, RuntimeError):
    """The model cannot be written as ONNX."""


def trace_depth(
    module: nn.Module, size: InputSize, names: Sequence[str] = ("frame",), confident: bool = False
) -> torch.onnx.ONNXProgram:
    """Trace a module from `names`, each uint8 (N, H, W, 3), to `depth`, float32 (N, H, W).

    One that is `confident` answers `confidence` as well, likewise, and `novelty`, float32 (N,).
    N is 1, or anything to `size.max_batch`. Raises ExportError where torch cannot export it.
    """
    if isinstance(module, DepthModel | ConfidentModel):
        module = module.at_size(size.height, size.width)
    shape = (min(size.max_batch, 2), size.height, size.width, 3)
    # A tensor for each: torch takes one that is given twice for one input.
    inputs = {name: torch.zeros(shape, dtype=torch.uint8) for name in names}
    batch = {0: Dim(BATCH, min=1, max=size.max_batch)} if size.max_batch > 1 else None
    return trace(module, inputs, list(ANSWERS if confident else ANSWERS[:1]), dict.fromkeys(inputs, batch))


def trace(
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: list[str],
    dynamic: dict[str, dict[int, Dim] | None] | None = None,
) -> torch.onnx.ONNXProgram:
    """Trace a module with inputs and outputs of those names to ONNX; raises ExportError where torch cannot."""
    shapes = tuple(dynamic.values()) if dynamic and any(dynamic.values()) else None
    # torch.onnx warns of its own and onnxscript's deprecated calls, and onnxscript of constants that it does not fold.
    with quiet_logger("onnxscript", logging.ERROR):
        try:
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=outputs,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
        except (torch.onnx.OnnxExporterError, PassError) as error:
            what = "this model for several frames at once (--max-batch)" if shapes else "this model"
            raise ExportError(f"torch cannot export {what}: {_reason(error)}") from error
    assert program is not None
    return program


def proto_of(program: torch.onnx.ONNXProgram) -> onnx.ModelProto:
    """The traced graph, checked, without the traces of this machine's source files."""
    graph = program.model_proto
    _drop_traces(graph)
    return graph


def save_graph(graph: onnx.ModelProto, path: Path) -> None:
    """Check a graph and write it to `path`, whole or not at all."""
    onnx.checker.check_model(graph, full_check=True)
    with atomic_file(path) as partial:
        onnx.save_model(graph, partial)


def save_together(graphs: Mapping[Path, onnx.ModelProto], weights: Path) -> None:
    """Check graphs of one folder and write them; the file `weights` there holds their large tensors, each once.

    Without any there is no such file.
    """
    if not any(len(tensor.raw_data) >= SHARED for graph in graphs.values() for tensor in graph.graph.initializer):
        for path, graph in graphs.items():
            save_graph(graph, path)
        return
    places: dict[bytes, int] = {}
    with atomic_file(weights) as partial, partial.open("wb") as stream:
        for path, graph in graphs.items():
            onnx.checker.check_model(graph, full_check=True)
            copy = onnx.ModelProto.FromString(graph.SerializeToString())
            for tensor in copy.graph.initializer:
                if len(tensor.raw_data) >= SHARED:
                    _store(tensor, weights.name, places, stream)
            with atomic_file(path) as written:
                onnx.save_model(copy, written)


def _store(tensor: onnx.TensorProto, file: str, places: dict[bytes, int], stream: BinaryIO) -> None:
    """Write a tensor to the stream unless the same bytes are there, and say in its place where they are."""
    data = tensor.raw_data
    if data not in places:
        places[data] = stream.tell()
        stream.write(data)
    set_external_data(tensor, file, places[data], len(data))
    tensor.ClearField("raw_data")


def _reason(error: BaseException) -> str:
    # What torch raises last tells how to report it; what it raised first tells what is wrong.
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _drop_traces(graph: onnx.ModelProto) -> None:
    # The exporter notes each node's stack trace, with the paths of this machine's source files.
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*graph.graph.value_info, *graph.graph.input, *graph.graph.output, *graph.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
