"""The engines in a bundle's folder `engines/`: each an .engine file as TensorRT wrote it and a .json beside it."""

import re
from pathlib import Path

from clipdepth.atomic import atomic_file
from clipdepth.bundle import Bundle, stored_file
from clipdepth.errors import BundleError, EngineError
from clipdepth.record import decode_record, encode_record
from clipdepth.tensorrt.record import SCHEMA, EngineKey, EngineRecord

FOLDER = "engines"
TIMING_CACHE = "timing.cache"


class EngineStore:
    """The engines that devices built from one bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle.path
        self.folder = bundle.path / FOLDER

    def path(self, key: EngineKey) -> Path:
        """Where an engine of that key lies, if it was built."""
        gpu = re.sub(r"[^a-z0-9]+", "-", key.gpu.lower()).strip("-")
        stem = f"{key.precision}-{gpu}-sm{key.compute_capability.replace('.', '')}-trt{key.tensorrt}"
        return self.folder / f"depth.{stem}-{key.graph_sha256[:8]}.engine"

    def find(self, key: EngineKey) -> EngineRecord | None:
        """The record of the engine of exactly that key, its file whole and its verification passed; or None."""
        path = self.path(key)
        record = _read(path.with_suffix(".json"))
        if record is None or record.key != key or not record.verification or not path.is_file():
            return None
        return record if stored_file(path) == record.stored else None

    def require(self, key: EngineKey) -> Path:
        """The file of the engine of that key; raises EngineError naming the key and what engines there are."""
        if self.find(key) is None:
            others = "; ".join(str(record.key) for record in self.records()) or "none"
            raise EngineError(
                f"no engine {key} in {self.folder} (there: {others}); "
                f"run 'clipdepth build {self._bundle} --precision {key.precision}' on this device"
            )
        return self.path(key)

    def records(self) -> list[EngineRecord]:
        """Every engine's record."""
        found = (_read(path) for path in sorted(self.folder.glob("*.json")))
        return [record for record in found if record is not None]

    def write(self, engine: bytes, record: EngineRecord) -> Path:
        """Keep a verified engine: its file first, so that a record never stands for one that is not there."""
        path = self.path(record.key)
        with atomic_file(path) as partial:
            partial.write_bytes(engine)
        with atomic_file(path.with_suffix(".json")) as partial:
            partial.write_bytes(encode_record(record))
        return path

    def timing_cache(self) -> bytes:
        """What earlier builds learned of kernels' times."""
        path = self.folder / TIMING_CACHE
        return path.read_bytes() if path.is_file() else b""

    def keep_timing_cache(self, cache: bytes) -> None:
        """Keep it for later builds."""
        with atomic_file(self.folder / TIMING_CACHE) as partial:
            partial.write_bytes(cache)


def _read(path: Path) -> EngineRecord | None:
    """A record, or None where there is none of ours: an engine can always be built again."""
    try:
        return decode_record(path.read_bytes(), EngineRecord, SCHEMA, str(path), "build the engine again")
    except (FileNotFoundError, BundleError):
        return None
