"""The engines built of a bundle, in the user's cache: each an .engine file as TensorRT wrote it and a .json beside it.

An engine is native code that no golden frame is a match for: none is ever read from a bundle, which may be anyone's.
"""

import re
from hashlib import sha256
from pathlib import Path

from clipdepth.bundle.cache import bundle_cache, make_private, read_own
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import StoredFile
from clipdepth.bundle.record import decode_record, encode_record
from clipdepth.engines.tensorrt.record import SCHEMA, EngineKey, EngineRecord
from clipdepth.errors import BundleError, EngineError
from clipdepth.files.atomic import atomic_file

FOLDER = "engines"
TIMING_CACHE = "timing.cache"


class EngineStore:
    """The engines that this user built of one bundle; raises as `bundle_cache`."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle.path
        self.folder = bundle_cache(bundle.manifest) / FOLDER

    def path(self, key: EngineKey) -> Path:
        """Where an engine of that key lies, if it was built."""
        gpu = re.sub(r"[^a-z0-9]+", "-", key.gpu.lower()).strip("-")
        stem = f"{key.precision}-{gpu}-sm{key.compute_capability.replace('.', '')}-trt{key.tensorrt}"
        return self.folder / f"depth.{stem}-{key.graph_sha256[:8]}.engine"

    def find(self, key: EngineKey) -> EngineRecord | None:
        """The record of the engine of exactly that key, its file whole and its verification passed; or None."""
        found = self._read(key)
        return found[0] if found else None

    def require(self, key: EngineKey) -> bytes:
        """The engine of that key; raises EngineError naming the key and what engines there are."""
        found = self._read(key)
        if found is None:
            others = "; ".join(str(record.key) for record in self.records()) or "none"
            raise EngineError(
                f"no engine {key} was built of {self._bundle} (there: {others}); "
                f"run 'clipdepth build {self._bundle} --precision {key.precision}' on this device"
            )
        return found[1]

    def records(self) -> list[EngineRecord]:
        """Every engine's record."""
        found = (_read_record(path) for path in self.record_paths())
        return [record for record in found if record is not None]

    def record_paths(self) -> list[Path]:
        """Every engine's JSON."""
        return sorted(self.folder.glob("*.json"))

    def prepare(self) -> None:
        """Make the folder, so that nothing is built in vain; raises as `make_private`."""
        make_private(self.folder)

    def write(self, engine: bytes, record: EngineRecord) -> Path:
        """Keep a verified engine: its file first, so that a record never stands for one that is not there."""
        self.prepare()
        path = self.path(record.key)
        with atomic_file(path) as partial:
            partial.write_bytes(engine)
        with atomic_file(path.with_suffix(".json")) as partial:
            partial.write_bytes(encode_record(record))
        return path

    def timing_cache(self) -> bytes:
        """What earlier builds learned of kernels' times."""
        return read_own(self.folder / TIMING_CACHE) or b""

    def keep_timing_cache(self, cache: bytes) -> None:
        """Keep it for later builds."""
        self.prepare()
        with atomic_file(self.folder / TIMING_CACHE) as partial:
            partial.write_bytes(cache)

    def _read(self, key: EngineKey) -> tuple[EngineRecord, bytes] | None:
        path = self.path(key)
        record = _read_record(path.with_suffix(".json"))
        if record is None or record.key != key or not record.verification.passed:
            return None
        engine = read_own(path)
        if engine is None or StoredFile(sha256(engine).hexdigest(), len(engine)) != record.stored:
            return None
        return record, engine


def _read_record(path: Path) -> EngineRecord | None:
    """A record, or None where there is none of ours: an engine can always be built again."""
    content = read_own(path)
    if content is None:
        return None
    try:
        return decode_record(content, EngineRecord, SCHEMA, str(path), "build the engine again")
    except BundleError:
        return None
