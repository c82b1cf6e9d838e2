"""What ONNX Runtime ran, read from its profile: the operators it chose, the types they had and the time they took."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from clipdepth.engines.operations import Operation

Open = Callable[[str], onnxruntime.InferenceSession]
"""Opens a session as the engine does, which writes a profile to files of that prefix; '' writes none."""
_ON_HOST = "CPUExecutionProvider"
_END = "_kernel_time"
_ARITHMETIC = re.compile(r"Conv|Gemm|MatMul|Einsum|Attention")
_INTEGER = re.compile(r"^Q|Integer|^DynamicQuantize")
"""Of these the operators that multiply integers: QLinearConv, QGemm, MatMulInteger and the like."""
_TYPES = {"float": "fp32", "double": "fp64", "float16": "fp16", "bfloat16": "bf16"}


def profile_session(open_session: Open, inputs: Mapping[str, NDArray[np.uint8]] | None, runs: int) -> list[Operation]:
    """Open a session, run `inputs` (black frames, where there are none) so many times and once before, and read it."""
    with TemporaryDirectory() as folder:
        session = open_session(str(Path(folder) / "profile"))
        fed = dict(inputs or _black(session))
        for _ in range(runs + 1):
            session.run(None, fed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return read_operations(events)


def read_operations(events: Iterable[Mapping[str, Any]]) -> list[Operation]:
    """The operations of a profile's events, in their order; the first run counts for no time.

    Times are those of the CPU's operators: of a GPU's, a profile has the time it takes to start them.
    """
    ran: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_END):
            ran.setdefault(f"{event['args'].get('node_index')} {event['name']}", []).append(event)
    return [_operation(same) for same in ran.values()]


def _operation(same: list[Mapping[str, Any]]) -> Operation:
    event, details = same[0], same[0]["args"]
    kind = str(details.get("op_name", ""))
    times = [float(each["dur"]) / 1000 for each in same[1:]] if details.get("provider") == _ON_HOST else []
    name = str(event["name"]).removesuffix(_END)
    return Operation(kind, (name,), _precision(kind, details), median(times) if times else None)


def _precision(kind: str, details: Mapping[str, Any]) -> str | None:
    if not _ARITHMETIC.search(kind):
        return None
    if _INTEGER.search(kind):
        return "int8"
    first = next((name for given in details.get("input_type_shape", []) for name in given), None)
    return None if first is None else _TYPES.get(first, first)


def _black(session: onnxruntime.InferenceSession) -> dict[str, NDArray[np.uint8]]:
    """A frame, and its segmentation where the graph takes one, of zeros; an open dimension is the batch, 1."""
    return {
        port.name: np.zeros([side if isinstance(side, int) else 1 for side in port.shape], np.uint8)
        for port in session.get_inputs()
    }
