"""Ray: a local one for this run, on the loopback alone, or a cluster that is there."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from threading import Event, Thread
from typing import Any, Literal

from clipdepth.engines import usable_cores
from clipdepth.errors import EngineError, MissingExtraError, UsageError

LOCAL = "local"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's switch between all interfaces, its habit on Linux, and 127.0.0.1, so that nobody else can give it work."""
_PATIENT = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60"}
"""Ray Serve gives up what listens after five seconds, which are too few for a busy machine."""
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
    sees_all_gpus: bool = False
    """Whether workers that have no GPU of Ray's see those of the machine."""

    @property
    def threads(self) -> int:
        """Of each engine."""
        return max(int(self.cpus), 1)


@contextmanager
def connect(wanted: Resources) -> Iterator[Resources]:
    """Start Ray or join it; yield the resources with what was left open decided; stop it or leave it at the end.

    A local Ray counts the workers' CPUs on top of the cores, since it counts and does not bind: decoding and encoding
    take their turns on the same ones. It is a new one whatever Ray runs on this machine. Raises EngineError where there
    is no cluster at the address or Ray does not start, UsageError where it is too small, MissingExtraError without Ray.
    """
    os.environ.update(_QUIET, RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0" if wanted.sees_all_gpus else "1")
    is_local = wanted.address == LOCAL
    if is_local:
        os.environ.update(_LOOPBACK)
        for name, value in _PATIENT.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("a cluster", str(error.name), "cluster") from None

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    _check_that_it_answers(wanted.address)
    cores = usable_cores()
    workers = wanted.workers or _half(cores, wanted)
    counted = cores + ceil(workers * wanted.cpus)
    own: dict[str, Any] = {"num_cpus": counted, "object_store_memory": wanted.store, "include_dashboard": False}
    try:
        with _stderr_closed():
            ray.init(wanted.address, logging_level=logging.ERROR, log_to_driver=False, **(own if is_local else {}))
    except ConnectionError:
        raise _no_answer(wanted.address) from None
    except Exception as error:
        # Ray raises nothing narrower on a machine that is too busy to start it within 30 seconds.
        why = " ".join(str(error).split())
        raise EngineError(f"Ray did not start: {why} Start the command again") from None
    try:
        there = _resources("cluster")
        # Something has to decode: elsewhere on a CPU that no worker has.
        yield decide(wanted, cores if is_local else there.get("CPU", 0.0) - 1, there.get("GPU", 0.0))
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
        f"no Ray cluster answers at '{address}'; start one with 'ray start --head', set RAY_AUTH_MODE=token where it "
        f"wants a token, or give --ray {LOCAL}"
    )


def _half(cpus: float, wanted: Resources) -> int:
    # Without a GPU the network has 0.62 of the work on 640×480, see docs/archive.md. Half leaves cores to the rest on a
    # cluster, where workers take theirs away from it, and memory: each worker declares a gigabyte.
    return max(int(cpus / 2 / wanted.cpus), 1)


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


def decide(wanted: Resources, cpus: float, gpus: float) -> Resources:
    """The resources with what was left open: a worker for each of `gpus`, or for every second one of `cpus`.

    Raises UsageError where workers would take more than these.
    """
    each = min(gpus, 1.0) if wanted.gpus is None else wanted.gpus
    workers = wanted.workers or (max(int(gpus / each), 1) if each else _half(cpus, wanted))
    for kind, one, free in (("CPUs", wanted.cpus, cpus), ("GPUs", each, gpus)):
        if workers * one > free:
            raise UsageError(
                f"{workers} workers of {one:g} {kind} take {workers * one:g}, but Ray has {free:g} for them; "
                f"give fewer --workers, or --{kind.lower()}"
            )
    return replace(wanted, workers=workers, gpus=each)


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
