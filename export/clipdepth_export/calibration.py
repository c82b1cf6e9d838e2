"""What the tensors of a graph hold on real frames."""

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator
from onnxruntime.quantization.calibrate import TensorData, TensorsData

from clipdepth_export.topology import ARITHMETIC, GLUE

Feeds = dict[str, NDArray[np.uint8]]
"""A graph's inputs by name, one frame each."""
PERCENTILE = 99.99
"""An int8 tensor's range covers this share of its values: the last few in ten thousand cost the others resolution."""


@dataclass(frozen=True)
class Statistics:
    """What int8 has to know of the tensors of a graph on real frames."""

    ranges: TensorsData
    """Of what the quantised operators take and make, by percentile."""
    largest: Mapping[str, float]
    """See `largest_values`."""


def largest_values(graph: Path, frames: Iterable[Feeds]) -> dict[str, float]:
    """The largest magnitude of every float tensor of the graph over the frames."""
    model = onnx.shape_inference.infer_shapes(onnx.load(graph), data_prop=True)
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    made = [tensor for node in model.graph.node for tensor in node.output]
    floats = [tensor for tensor in made if types.get(tensor) == TensorProto.FLOAT]
    probes = {tensor: f"{tensor}_largest" for tensor in floats}
    for tensor, probe in probes.items():
        model.graph.node.append(helper.make_node("Abs", [tensor], [f"{tensor}_magnitude"]))
        model.graph.node.append(helper.make_node("ReduceMax", [f"{tensor}_magnitude"], [probe], keepdims=0))
        model.graph.output.append(helper.make_tensor_value_info(probe, TensorProto.FLOAT, []))
    session = open_session(model)
    found = [session.run(list(probes.values()), feeds) for feeds in frames]
    return dict(zip(floats, np.max(found, axis=0).tolist(), strict=True)) if floats else {}


def activation_ranges(graph: Path, frames: Iterable[Feeds]) -> TensorsData:
    """The ranges of what the quantised operators take and make, by percentile over all frames."""
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):  # it prints as it goes
        calibrator = create_calibrator(
            graph,
            [*ARITHMETIC, *GLUE],
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"symmetric": False, "percentile": PERCENTILE},
        )
        for feeds in frames:
            # One at a time: it keeps every tensor of all that it is given at once.
            calibrator.collect_data(_OneFrame(feeds))
        return calibrator.compute_data()


def widest(found: Sequence[TensorsData]) -> TensorsData:
    """Of each tensor the range that holds all those found: of one network at several sizes, say."""
    ranges = {}
    for name in found[0]:
        lows, highs = zip(*(each[name].range_value for each in found), strict=True)
        ranges[name] = TensorData(lowest=np.min(lows, axis=0), highest=np.max(highs, axis=0))
    return TensorsData(found[0].calibration_method, ranges)


def open_session(model: onnx.ModelProto | Path) -> onnxruntime.InferenceSession:
    """A CPU session of a graph, without messages."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = model if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class _OneFrame(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Feeds) -> None:
        self._left: list[Feeds] = [feeds]

    def get_next(self) -> Feeds | None:
        """See CalibrationDataReader."""
        return self._left.pop() if self._left else None
