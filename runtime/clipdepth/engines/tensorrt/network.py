"""From an ONNX file to TensorRT's network: what its parser makes of the graph, before anything is built."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipdepth.engines.contract import ANSWERS
from clipdepth.engines.tensorrt.library import import_tensorrt, tensorrt_log
from clipdepth.errors import EngineError

_GIVEN = ({"depth": "FLOAT"}, dict.fromkeys(ANSWERS, "FLOAT"))


@dataclass(frozen=True)
class ParsedGraph:
    """A graph as TensorRT's objects; the parser is here because it owns the network's weights."""

    path: Path
    builder: Any
    network: Any
    parser: Any

    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Every input's name and shape, with -1 for the batch where it is dynamic."""
        tensors = [self.network.get_input(index) for index in range(self.network.num_inputs)]
        return {tensor.name: tuple(tensor.shape) for tensor in tensors}


def parse_graph(path: Path) -> ParsedGraph:
    """Parse an ONNX file, with its external data if it has any, into a strongly typed network.

    Raises EngineError with all that TensorRT's parser has against it.
    """
    trt = import_tensorrt()
    log = tensorrt_log()
    builder = trt.Builder(log)
    # TensorRT 10 builds FP32 from FP16 types unless told so; 11 knows nothing else and takes the flag all the same.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(path)):
        problems = [_describe(parser.get_error(index)) for index in range(parser.num_errors)]
        raise EngineError(f"TensorRT {trt.__version__} cannot take {path}: {'; '.join(problems)}")
    if not network.num_outputs:  # it reads an empty file as an empty network
        raise EngineError(f"TensorRT {trt.__version__} cannot take {path}: it holds no graph")
    parsed = ParsedGraph(path, builder, network, parser)
    _check_shapes(parsed)
    return parsed


def _describe(error: Any) -> str:
    reason = " ".join(error.desc().split())
    operator = error.node_operator()
    return f"node {error.node()} '{error.node_name()}' ({operator}): {reason}" if operator else reason


def check_contract(parsed: ParsedGraph) -> None:
    """Raise EngineError where the graph does not turn a 'frame', all its inputs being uint8, into float32 'depth'.

    It may give a float32 'confidence' and 'novelty' beside it.
    """
    network = parsed.network
    taken = {tensor.name: tensor.dtype.name for tensor in map(network.get_input, range(network.num_inputs))}
    given = {tensor.name: tensor.dtype.name for tensor in map(network.get_output, range(network.num_outputs))}
    if "frame" not in taken or set(taken.values()) != {"UINT8"} or given not in _GIVEN:
        raise EngineError(f"{parsed.path} does not turn a uint8 'frame' into a float32 'depth'; export it again")


def _check_shapes(parsed: ParsedGraph) -> None:
    for name, shape in parsed.inputs().items():
        if -1 in shape[1:]:
            raise EngineError(
                f"input {name} of {parsed.path} has shape {shape}: only the batch may be dynamic; export it again"
            )
