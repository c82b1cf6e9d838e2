"""What lies beside a built engine: `….json`, which says what it was built for and what its verification measured."""

from hashlib import sha256
from typing import Annotated

import msgspec

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import StoredFile
from clipdepth.bundle.record import FileName, Positive, Record, Sha256
from clipdepth.engines.tensorrt.gpu import Gpu

SCHEMA = 1


class EngineKey(Record, frozen=True):
    """All that an engine is bound to: it runs only where every part is equal."""

    gpu: str
    compute_capability: str
    tensorrt: str
    graph_sha256: Sha256
    precision: str

    def __str__(self) -> str:
        return (
            f"{self.precision} for {self.gpu} (compute capability {self.compute_capability}), "
            f"TensorRT {self.tensorrt}, graph {self.graph_sha256[:8]}"
        )


class EngineRecord(Record, frozen=True):
    """The whole of an engine's JSON."""

    schema: int
    written_by: str
    key: EngineKey
    file: FileName
    stored: StoredFile
    build_seconds: Annotated[float, msgspec.Meta(ge=0)]
    workspace_mb: Positive | None
    graph_precisions: dict[str, Positive]
    """How many arithmetic layers of the graph have each precision."""
    engine_precisions: dict[str, Positive]
    """The same of the engine, as its inspector tells; empty where it does not."""
    verification: Agreement


def engine_key(bundle: Bundle, precision: str, gpu: Gpu, tensorrt_version: str) -> EngineKey:
    """The key of the bundle's graph of `precision` on that GPU; raises UsageError where it has none."""
    parts = [bundle.manifest.files[name].sha256 for name in bundle.stated(precision, "tensorrt").files]
    digest = parts[0] if len(parts) == 1 else sha256("".join(parts).encode()).hexdigest()
    return EngineKey(gpu.name, gpu.compute_capability, tensorrt_version, digest, precision)
