"""From a parsed graph to a serialised engine."""

import logging
from dataclasses import dataclass
from typing import Any

from clipdepth.engines.tensorrt.gpu import Gpu
from clipdepth.engines.tensorrt.library import import_tensorrt, tensorrt_log
from clipdepth.engines.tensorrt.network import ParsedGraph
from clipdepth.engines.tensorrt.progress import BuildProgress, NoProgress, watch
from clipdepth.errors import EngineError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A serialised engine, as TensorRT and trtexec read it, and what the build learned of kernels' times."""

    engine: bytes
    timing_cache: bytes


def build_plan(
    parsed: ParsedGraph,
    max_batch: int,
    workspace_mb: int | None = None,
    timing_cache: bytes = b"",
    progress: BuildProgress | None = None,
    gpu: Gpu | None = None,
) -> Plan:
    """Build an engine on `gpu`, or on CUDA's own choice.

    Where the graph's batch is dynamic, the engine takes up to `max_batch` frames at a time and is tuned for that many.
    A layer may use `workspace_mb` MiB of the GPU's memory while it runs, or what TensorRT thinks fit.
    A timing cache of another GPU or TensorRT is left aside. Raises EngineError with TensorRT's reasons where it cannot.
    """
    trt = import_tensorrt()
    builder_config = parsed.builder.create_builder_config()
    # TF32 is on by default, and is not the fp32 that the graph says.
    builder_config.clear_flag(trt.BuilderFlag.TF32)
    _logger.info("TensorRT %s builds without TF32", trt.__version__)
    builder_config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if workspace_mb is not None:
        builder_config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_mb << 20)
    cache = _use_timing_cache(builder_config, timing_cache)
    _add_batch_profile(parsed, builder_config, max_batch)
    log = tensorrt_log()
    log.errors.clear()

    def build(monitor: Any) -> Any:
        if gpu:
            gpu.use()  # in this thread too, which is another one
        builder_config.progress_monitor = monitor
        return parsed.builder.build_serialized_network(parsed.network, builder_config)

    engine = watch(build, progress or NoProgress())
    if engine is None:
        reasons = " ".join("; ".join(log.errors).split()) or "it gives no reason"
        raise EngineError(f"TensorRT {trt.__version__} cannot build an engine of {parsed.path}: {reasons}")
    return Plan(bytes(engine), bytes(cache.serialize()))


def _use_timing_cache(builder_config: Any, content: bytes) -> Any:
    """The cache that the build reads and fills; it has to live until the build is done."""
    try:
        cache = builder_config.create_timing_cache(content)
    except RuntimeError:
        cache = None
    # None is what another version's cache may become, which set_timing_cache does not take.
    if cache is None or not builder_config.set_timing_cache(cache, ignore_mismatch=False):
        _logger.info("the timing cache is of another GPU or TensorRT, and is begun anew")
        cache = builder_config.create_timing_cache(b"")
        builder_config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


def _add_batch_profile(parsed: ParsedGraph, builder_config: Any, max_batch: int) -> None:
    dynamic = {name: shape[1:] for name, shape in parsed.inputs().items() if shape[0] == -1}
    if not dynamic:
        return
    profile = parsed.builder.create_optimization_profile()
    for name, frame in dynamic.items():
        profile.set_shape(name, (1, *frame), (max_batch, *frame), (max_batch, *frame))
    builder_config.add_optimization_profile(profile)
