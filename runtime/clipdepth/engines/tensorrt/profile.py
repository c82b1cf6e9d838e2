"""How long an engine's layers take, by TensorRT's profiler."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import median
from typing import Any

from clipdepth.engines.operations import Operation
from clipdepth.engines.tensorrt.library import import_tensorrt


def attach_profiler(context: Any) -> Mapping[str, list[float]]:
    """Profile an execution context from now on; the milliseconds of each layer's runs, by its name, fill as it runs."""
    trt = import_tensorrt()
    times: dict[str, list[float]] = {}

    class Profiler(trt.IProfiler):  # type: ignore[misc, name-defined]
        def report_layer_time(self, layer_name: str, ms: float) -> None:
            times.setdefault(layer_name, []).append(ms)

    context.profiler = Profiler()
    return times


def with_times(operations: Iterable[Operation], times: Mapping[str, list[float]]) -> list[Operation]:
    """The operations with the median time of the layers of their first names; the first run counts for none."""
    medians = {name: median(found[1:]) for name, found in times.items() if len(found) > 1}
    return [replace(operation, milliseconds=medians.get(operation.names[0])) for operation in operations]
