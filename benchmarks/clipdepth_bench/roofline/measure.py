"""The whole roofline of a benchmark's rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import onnx

from clipdepth.bundle.folder import Bundle
from clipdepth_bench.contender import first_line
from clipdepth_bench.roofline.bandwidth import cpu_bandwidth
from clipdepth_bench.roofline.profile import convolutions_ms
from clipdepth_bench.roofline.rates import attainable, cpu_rates
from clipdepth_bench.roofline.record import Bandwidth, Floor, Rate, Roofline, RooflineRow, Work
from clipdepth_bench.roofline.work import count_convolutions, count_work

DEVICES = {
    "onnxruntime": "CPU",
    "openvino": "CPU",
    "onnxruntime-cuda": "CUDA",
    "onnxruntime-rtx": "CUDA",
    "tensorrt": "CUDA",
}
"""Where engines run, of those whose machine can be measured."""


@dataclass(frozen=True)
class Timed:
    """An engine's row of the benchmark."""

    name: str
    precision: str
    p50_ms: float


def measure_roofline(
    bundle: Bundle, threads: int, timed: Sequence[Timed], progress: Callable[[str], None] = lambda step: None
) -> Roofline:
    """Measure the devices of the engines among `timed`, count their graphs, and hold one to the other.

    `progress` hears of each step before it. What cannot be measured is a note.
    """
    rows = [row for row in timed if row.name in DEVICES]
    works = {precision: _Graph(bundle, precision) for precision in dict.fromkeys(row.precision for row in rows)}
    precisions = dict.fromkeys(name for graph in works.values() for name in graph.whole.operations)
    rates: list[Rate] = []
    bandwidths: list[Bandwidth] = []
    notes: list[str] = []
    for device in dict.fromkeys(DEVICES[row.name] for row in rows):
        progress(f"roof of the {device}")
        found, bandwidth, problems = _measure_device(device, precisions, threads)
        rates += found
        bandwidths += [bandwidth]
        notes += problems
    machine = _Machine(rates, bandwidths)
    made = []
    for row in rows:
        progress(f"roofline of {row.name} {row.precision}")
        try:
            made.append(_row(bundle, threads, row, works[row.precision], machine))
        except Exception as error:  # a profiler's own; it takes nothing from the other rows
            notes.append(f"no roofline of {row.name} {row.precision}: {first_line(error)}")
    return Roofline(rates, bandwidths, made, notes)


class _Graph:
    def __init__(self, bundle: Bundle, precision: str) -> None:
        # Shapes are enough, and onnx reads no weights behind hard links, which uv makes of the models that ship.
        model = onnx.load(bundle.graph(precision), load_external_data=False)
        self.whole, self.convolutions = count_work(model), count_convolutions(model)


@dataclass(frozen=True)
class _Machine:
    rates: Sequence[Rate]
    bandwidths: Sequence[Bandwidth]

    def floor(self, device: str, work: Work, took_ms: float | None) -> Floor:
        speed = next(found.gb_per_s for found in self.bandwidths if found.device == device)
        return Floor(
            work,
            sum(count / attainable(self.rates, device, name) / 1e6 for name, count in work.operations.items()),
            work.once_bytes / speed / 1e6,
            (work.once_bytes + work.activation_bytes) / speed / 1e6,
            took_ms,
        )


def _measure_device(
    device: str, precisions: Iterable[str], threads: int
) -> tuple[list[Rate], Bandwidth, Sequence[str]]:
    if device == "CPU":
        rates, problems = cpu_rates(precisions, threads)
        return rates, cpu_bandwidth(threads), problems
    from clipdepth_bench.roofline.cuda import cuda_bandwidth, cuda_rates

    rates, problems = cuda_rates(precisions)
    return rates, cuda_bandwidth(), problems


def _row(bundle: Bundle, threads: int, row: Timed, graph: _Graph, machine: _Machine) -> RooflineRow:
    device = DEVICES[row.name]
    own = convolutions_ms(bundle, row.name, row.precision, threads)
    whole = machine.floor(device, graph.whole, row.p50_ms)
    return RooflineRow(row.name, row.precision, device, whole, machine.floor(device, graph.convolutions, own))
