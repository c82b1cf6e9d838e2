"""Ray: a local one for this run, on the loopback alone, or a cluster that is there."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Literal

from clipdepth.engines import usable_cores
from clipdepth.errors import EngineError, UsageError

LOCAL = "local"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's switch between all interfaces, its habit on Linux, and 127.0.0.1, so that nobody else can give it work."""
SAMPLE_S = 0.5
CONNECT_S = 10.0


@dataclass(frozen=True)
class Resources:
    """What a run may use of Ray."""

    address: str
    """'local' for a Ray of its own, 'auto' or an address for a cluster that is there."""
    workers: int | None
    """Actors that infer; None for as many as there is room for."""
    cpus: float
    """CPUs of each of them, and threads of its engine."""
    gpus: float | None
    """GPUs of each, or a fraction; None for one where there are GPUs and none elsewhere."""
    store: int
    """Bytes of Ray's object store that pictures and depth may take."""


@contextmanager
def connect(wanted: Resources) -> Iterator[Resources]:
    """Start Ray or join it; yield the resources with what was left open decided; stop it or leave it at the end.

    A local Ray counts every core twice, since it counts and does not bind: once for workers, once for decoding and
    encoding. Raises EngineError where there is no cluster at the address, UsageError where it is too small.
    """
    os.environ.update(_QUIET)
    is_local = wanted.address == LOCAL
    if is_local:
        os.environ.update(_LOOPBACK)
    import ray

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    _check_that_it_answers(wanted.address)
    here = {"num_cpus": 2 * usable_cores(), "object_store_memory": wanted.store, "include_dashboard": False}
    there = {"address": wanted.address}
    try:
        with _stderr_closed():
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **(here if is_local else there))
    except ConnectionError:
        raise _no_answer(wanted.address) from None
    try:
        yield decide(wanted, _resources("cluster"))
    finally:
        ray.shutdown()


def _check_that_it_answers(address: str) -> None:
    # Ray itself tries for minutes.
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, ValueError):
        raise _no_answer(address) from None


def _no_answer(address: str) -> EngineError:
    return EngineError(
        f"no Ray cluster answers at '{address}'; start one with 'ray start --head', or give --ray {LOCAL}"
    )


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Throw away what is written to stderr: Ray's C++ part says there how much it will say, whatever it was told."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def decide(wanted: Resources, there: dict[str, float]) -> Resources:
    """The resources with workers and GPUs as many as there is room for `there`, where they were left open.

    Raises UsageError where there are fewer CPUs or GPUs than that.
    """
    gpus = wanted.gpus if wanted.gpus is not None else min(there.get("GPU", 0.0), 1.0)
    room = int(there.get("GPU", 0.0) / gpus) if gpus else int(there.get("CPU", 0.0) / 2 / wanted.cpus)
    workers = wanted.workers or max(room, 1)
    for kind, needed in (("GPU", workers * gpus), ("CPU", workers * wanted.cpus + 1)):
        if needed > there.get(kind, 0.0):
            raise UsageError(
                f"{workers} workers of {wanted.cpus:g} CPUs and {gpus:g} GPUs, and a CPU to decode, "
                f"need {needed:g} {kind}s, but Ray has {there.get(kind, 0.0):g}; give fewer --workers, --cpus or --gpus"
            )
    return replace(wanted, workers=workers, gpus=gpus)


class StorePeak:
    """The most bytes of Ray's object stores that were in use while this context lasted, by anyone, looked at often."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="clipdepth-store", daemon=True)

    def __enter__(self) -> "StorePeak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        name = "object_store_memory"
        while not self._stopped.wait(SAMPLE_S):
            used = _resources("cluster").get(name, 0.0) - _resources("available").get(name, 0.0)
            self.bytes = max(self.bytes, int(used))


def _resources(which: Literal["cluster", "available"]) -> dict[str, float]:
    """What Ray has of each resource, in all or free at the moment."""
    import ray

    call: Callable[[], dict[str, float]] = getattr(ray, f"{which}_resources")
    return call()
