"""How long an engine's convolutions take, by its own profiler."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from clipdepth.bundle.folder import Bundle

_FRAMES = 10
_OPENVINO = ("Convolution", "GroupConvolution", "Deconvolution")


def convolutions_ms(bundle: Bundle, engine: str, precision: str, threads: int) -> float | None:
    """The median over frames of what they take together, milliseconds; None for an engine that does not tell."""
    profiler = PROFILERS.get(engine)
    return None if profiler is None else profiler(bundle, precision, threads)


def _openvino(bundle: Bundle, precision: str, threads: int) -> float:
    import openvino

    config = {"PERFORMANCE_HINT": "LATENCY", "EXECUTION_MODE_HINT": "ACCURACY", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(bundle.graph(precision), "CPU", {**config, "PERF_COUNT": True})
    request, frame = compiled.create_infer_request(), bundle.golden().frames[:1]
    times = []
    for _ in range(_FRAMES + 1):
        request.infer({"frame": frame})
        nodes = request.get_profiling_info()
        times.append(sum(node.real_time.total_seconds() for node in nodes if node.node_type in _OPENVINO))
    return 1000 * float(median(times[1:]))


def _onnxruntime(bundle: Bundle, precision: str, threads: int) -> float:
    import onnxruntime

    from clipdepth.engines.onnxruntime_session import session_options

    options, frame = session_options(threads), bundle.golden().frames[:1]
    with TemporaryDirectory() as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(bundle.graph(precision), options, providers=["CPUExecutionProvider"])
        for _ in range(_FRAMES + 1):
            session.run(["depth"], {"frame": frame})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return median(_of_each_run(events)[1:])


def _of_each_run(events: Iterable[dict[str, object]]) -> list[float]:
    """Milliseconds of the convolutions in each run; a run's event follows those of its nodes."""
    runs, microseconds = [], 0.0
    for event in events:
        if event.get("name") == "model_run":
            runs.append(microseconds / 1000)
            microseconds = 0.0
        arguments = event.get("args")
        if event.get("cat") == "Node" and isinstance(arguments, dict) and "Conv" in arguments.get("op_name", ""):
            microseconds += float(str(event["dur"]))
    return runs


PROFILERS: dict[str, Callable[[Bundle, str, int], float]] = {"openvino": _openvino, "onnxruntime": _onnxruntime}
