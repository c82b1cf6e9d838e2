"""Writing ONNX graphs of any size: weights of more than a gigabyte go to a file beside the graph."""

from pathlib import Path

import onnx

LARGEST_GRAPH = 1_500_000_000
"""Bytes of weights that still go into the graph's file; protobuf's limit is 2 GiB."""
_SMALLEST_TENSOR = 1024


def save_sam_graph(model: onnx.ModelProto, path: Path, largest: int = LARGEST_GRAPH) -> list[str]:
    """Write and check a graph, which loses weights that go elsewhere; return the names of the files beside `path`."""
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if weights <= largest:
        onnx.save_model(model, path)
        beside = []
    else:
        beside = [f"{path.name}.data"]
        onnx.save_model(model, path, save_as_external_data=True, location=beside[0], size_threshold=_SMALLEST_TENSOR)
        # onnx lets only its owner read that file.
        (path.parent / beside[0]).chmod(path.stat().st_mode)
    # By path, since a graph in memory is checked by writing it out, which fails above protobuf's limit.
    onnx.checker.check_model(path, full_check=True)
    return beside
