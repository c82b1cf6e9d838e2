"""The machine's attainable rate: large matrix products through the libraries that engines use, at their best."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
import onnx

from clipdepth.errors import EngineError
from clipdepth_bench.contender import first_line
from clipdepth_bench.roofline.matrices import FLAVOURS, product_graph
from clipdepth_bench.roofline.record import Rate

SIZES = (1024, 2048)
_SECONDS, _FEWEST = 0.3, 3
"""Each product is repeated for that long, and so often at least."""

_BY_WIDTH = ("fp32", "fp16", "int8")

Run = Callable[[], object]
Loader = Callable[[onnx.ModelProto, int], Run]


def cpu_rates(precisions: Iterable[str], threads: int, sizes: Iterable[int] = SIZES) -> tuple[list[Rate], list[str]]:
    """The best rate of each precision and library on the CPU; also why a library has none."""
    rates, problems = [], []
    sizes = tuple(sizes)
    for precision in precisions:
        for library, load in LIBRARIES.items():
            found, why = _best(precision, library, load, threads, sizes)
            rates += [found] if found else []
            problems += [f"no {precision} rate of {library}: {why}"] if why and not found else []
    return rates, problems


def _best(
    precision: str, library: str, load: Loader, threads: int, sizes: tuple[int, ...]
) -> tuple[Rate | None, str | None]:
    best: Rate | None = None
    problem = None
    for flavour in FLAVOURS[precision]:
        for size in sizes:
            try:
                seconds = best_seconds(load(product_graph(flavour, size), threads))
            except ModuleNotFoundError as error:
                return None, f"{error.name} is not installed"
            except Exception as error:  # what the libraries raise shares no base class
                problem = first_line(error)
                continue
            gops = 2 * size**3 / seconds / 1e9
            if best is None or gops > best.gops:
                best = Rate("CPU", precision, library, size, gops)
    return best, problem


def best_seconds(run: Run, clock: Callable[[], float] = perf_counter) -> float:
    """The shortest of repeated runs after one that warms up."""
    run()
    return min(_samples(run, clock))


def _samples(run: Run, clock: Callable[[], float]) -> Iterator[float]:
    start, count = clock(), 0
    while count < _FEWEST or clock() - start < _SECONDS:
        before = clock()
        run()
        yield clock() - before
        count += 1


def _onnxruntime(model: onnx.ModelProto, threads: int) -> Run:
    import onnxruntime

    from clipdepth.engines.onnxruntime_session import session_options

    session = onnxruntime.InferenceSession(
        model.SerializeToString(), session_options(threads), providers=["CPUExecutionProvider"]
    )
    left = _left(model)
    return lambda: session.run(["product"], {"left": left})


def _openvino(model: onnx.ModelProto, threads: int) -> Run:
    import openvino

    config = {"PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_NUM_THREADS": threads}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", config)
    request, left = compiled.create_infer_request(), _left(model)
    return lambda: request.infer({"left": left}, share_inputs=True, share_outputs=True)


def _left(model: onnx.ModelProto) -> np.ndarray[Any, Any]:
    kind = model.graph.input[0].type.tensor_type
    shape = [length.dim_value for length in kind.shape.dim]
    values = np.random.default_rng(1).uniform(-1, 1, shape)
    return values.astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))


LIBRARIES: dict[str, Loader] = {"onnxruntime": _onnxruntime, "openvino": _openvino}


def attainable(rates: Iterable[Rate], device: str, precision: str) -> float:
    """The best of `rates`, 10^9 operations a second; raises EngineError where there is none.

    A wider precision counts too: what computes in fp16 may as well do it in fp32, and on many CPUs does.
    """
    wider = _BY_WIDTH[: _BY_WIDTH.index(precision) + 1]
    found = [rate.gops for rate in rates if rate.device == device and rate.precision in wider]
    if not found:
        raise EngineError(f"no {precision} rate of the {device} could be measured")
    return max(found)
