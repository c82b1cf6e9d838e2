"""What earlier starts measured of a bundle's engines, kept in the user's cache: one file a situation."""

import json
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from clipdepth import __version__
from clipdepth.bundle.cache import bundle_cache, make_private, read_own
from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.record import Record
from clipdepth.engines import ENGINES
from clipdepth.engines.hardware import describe_hardware
from clipdepth.engines.tensorrt.store import EngineStore
from clipdepth.engines.trial import Trial
from clipdepth.errors import OutputError
from clipdepth.files.atomic import atomic_file

_PREFIX = "trials-"

_logger = logging.getLogger(__name__)


class _Cached(Record, frozen=True):
    situation: dict[str, Any]
    trials: list[Trial]


def situation(bundle: Bundle, precisions: Sequence[str], threads: int, device: int | None) -> dict[str, Any]:
    """All that trials of the bundle depend on, as JSON values; the bundle's files are in the folder's name."""
    return {
        "clipdepth": __version__,
        "precisions": list(precisions),
        "threads": threads,
        "device": device,
        "libraries": library_versions(),
        "hardware": describe_hardware(),
        "built engines": _built_engines(bundle),
    }


def library_versions() -> dict[str, str]:
    """The version of every installed package that brings an engine."""
    packages = sorted({package for entry in ENGINES.values() for package in entry.packages})
    found = {package: _version(package) for package in packages}
    return {package: text for package, text in found.items() if text is not None}


def recall(bundle: Bundle, now: Mapping[str, Any]) -> list[Trial]:
    """The trials of that situation; empty where there are none, or none that can be read and worked."""
    try:
        trials = msgspec.json.decode(read_own(_path(bundle, now)) or b"", type=_Cached).trials
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return trials if any(trial.passed for trial in trials) else []


def remember(bundle: Bundle, now: Mapping[str, Any], trials: Sequence[Trial]) -> None:
    """Keep the trials; where the cache cannot be written, they are measured again at the next start."""
    try:
        make_private(bundle_cache(bundle.manifest))
        with atomic_file(_path(bundle, now)) as partial:
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(_Cached(dict(now), list(trials))), indent=2))
    except OSError as error:
        text = "engines are tried again at the next start: what was measured cannot be kept in %s (%s)"
        _logger.warning(text, bundle_cache(bundle.manifest), error.strerror or error)


def forget(bundle: Bundle) -> None:
    """Drop the trials of every situation of the bundle."""
    for path in bundle_cache(bundle.manifest).glob(f"{_PREFIX}*.json"):
        path.unlink(missing_ok=True)


def _path(bundle: Bundle, now: Mapping[str, Any]) -> Path:
    key = sha256(json.dumps(now, sort_keys=True).encode()).hexdigest()
    return bundle_cache(bundle.manifest) / f"{_PREFIX}{key[:16]}.json"


def _built_engines(bundle: Bundle) -> dict[str, str]:
    """The hash of every built engine's record; none where there is no cache."""
    try:
        paths = EngineStore(bundle).record_paths()
    except OutputError:
        return {}
    return {path.name: sha256(read_own(path) or b"").hexdigest() for path in paths}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
