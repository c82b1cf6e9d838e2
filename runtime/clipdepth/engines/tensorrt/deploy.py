"""From a bundle to an engine that counts: parsed, judged, built, read back, verified, and only then kept."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from clipdepth import __version__
from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import StoredFile
from clipdepth.engines import verify_engine
from clipdepth.engines.precisions import Precisions
from clipdepth.engines.tensorrt.build import Plan, build_plan
from clipdepth.engines.tensorrt.gpu import Gpu
from clipdepth.engines.tensorrt.network import check_contract, parse_graph
from clipdepth.engines.tensorrt.precisions import check_precisions, engine_precisions, network_precisions
from clipdepth.engines.tensorrt.progress import BuildProgress
from clipdepth.engines.tensorrt.record import SCHEMA, EngineKey, EngineRecord
from clipdepth.engines.tensorrt.store import EngineStore
from clipdepth.errors import VerificationError

if TYPE_CHECKING:
    from clipdepth.engines.tensorrt.engine import TensorRt


@dataclass(frozen=True)
class Deployment:
    """What is to be built."""

    bundle: Bundle
    key: EngineKey
    load: Callable[[bytes], "TensorRt"]
    """Puts a serialised engine on the device."""
    workspace_mb: int | None = None
    """The most of the GPU's memory that one layer may use while it runs, MiB; None leaves it to TensorRT."""
    gpu: Gpu | None = None
    """That it is built on; None for CUDA's own choice."""

    @property
    def name(self) -> str:
        """What messages call the engine."""
        return f"the {self.key.precision} engine of {self.bundle.path}"


def deploy(wanted: Deployment, progress: BuildProgress | None = None) -> EngineRecord:
    """Build an engine, verify it on the golden frames and keep it in the user's cache.

    Raises EngineError where TensorRT refuses the graph or the arithmetic has another precision, VerificationError
    where its depth is not PyTorch's; nothing but the timing cache is then kept. Raises OutputError where the cache is
    another user's.
    """
    store = EngineStore(wanted.bundle)
    store.prepare()
    if wanted.gpu:
        wanted.gpu.use()
    precision = wanted.key.precision
    graph = wanted.bundle.graph(precision, "tensorrt")
    parsed = parse_graph(graph)
    check_contract(parsed)
    planned = network_precisions(parsed)
    check_precisions(planned, precision, str(graph))
    start = monotonic()
    max_batch = wanted.bundle.manifest.input.max_batch
    plan = build_plan(parsed, max_batch, wanted.workspace_mb, store.timing_cache(), progress, wanted.gpu)
    seconds = monotonic() - start
    store.keep_timing_cache(plan.timing_cache)
    built, agreement = _try(wanted, plan)
    record = _record(wanted, plan, seconds, planned, built, agreement)
    store.write(plan.engine, record)
    return record


def _try(wanted: Deployment, plan: Plan) -> tuple[Precisions, Agreement]:
    precision = wanted.key.precision
    with closing(wanted.load(plan.engine)) as engine:
        found = engine_precisions(engine.information())
        check_precisions(found, precision, wanted.name)
        agreement = verify_engine(engine, wanted.bundle, precision)
    if not agreement.passed:
        raise VerificationError(f"{wanted.name} {agreement}; no engine was written")
    return found, agreement


def _record(
    wanted: Deployment, plan: Plan, seconds: float, planned: Precisions, built: Precisions, agreement: Agreement
) -> EngineRecord:
    return EngineRecord(
        schema=SCHEMA,
        written_by=f"clipdepth {__version__}",
        key=wanted.key,
        file=EngineStore(wanted.bundle).path(wanted.key).name,
        stored=StoredFile(sha256=sha256(plan.engine).hexdigest(), size=len(plan.engine)),
        build_seconds=round(seconds, 3),
        workspace_mb=wanted.workspace_mb,
        graph_precisions=dict(planned.layers),
        engine_precisions=dict(built.layers),
        verification=agreement,
    )
