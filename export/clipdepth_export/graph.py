"""From a trained model to an ONNX graph with the frame contract."""

import warnings
from pathlib import Path

import onnx
import torch

from clipdepth.errors import ClipdepthError
from clipdepth_train.depth_model import DepthModel

OPSET = 18


class ExportError(ClipdepthError, RuntimeError):
    """The model cannot be written as ONNX."""


def write_graph(model: DepthModel, path: Path, height: int, width: int) -> None:
    """Write the deployable model as ONNX: `frame` uint8 (1, H, W, 3) to `depth` float32 (1, H, W), static shapes.

    Weights are inside the file. Raises ExportError where torch cannot export the model.
    """
    frame = torch.zeros(1, height, width, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch.onnx warns of its own and onnxscript's deprecated calls, which no caller can mend.
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                model,
                (frame,),
                input_names=["frame"],
                output_names=["depth"],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ExportError(f"torch cannot export this model: {_reason(error)}") from error
    assert program is not None
    graph = program.model_proto
    _drop_traces(graph)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save_model(graph, path)


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
