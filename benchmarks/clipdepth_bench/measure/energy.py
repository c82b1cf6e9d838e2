"""Energy, where the device reports it. A meter counts a whole chip or board, whatever runs on it."""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Protocol

from clipdepth_bench.measure.nvml import Nvml, NvmlError

SYSTEM = Path("/sys")
_INA_SECONDS = 0.02
_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN")


class Meter(Protocol):
    """Counts joules between `start` and `stop`."""

    name: str
    """What it covers and who tells it."""

    def start(self) -> None:
        """Begin to count."""

    def stop(self) -> float:
        """Joules since `start`."""


class MeterError(Exception):
    """There is no such meter here, or it may not be read."""


def find_meters(system: Path = SYSTEM) -> tuple[list[Meter], list[str]]:
    """All meters of this machine, and why there is none of the other kinds."""
    meters: list[Meter] = []
    problems = []
    kinds: tuple[Callable[[], Meter], ...] = (NvmlMeter, lambda: RaplMeter(system), lambda: InaMeter(system))
    for kind in kinds:
        try:
            meters.append(kind())
        except (MeterError, NvmlError) as error:
            problems.append(str(error))
    return meters, problems


class NvmlMeter:
    """NVIDIA GPUs, each as a whole board."""

    name = "GPU board (NVML)"

    def __init__(self) -> None:
        self._nvml = Nvml()
        self._before = self._joules()

    def start(self) -> None:
        """See `Meter`."""
        self._before = self._joules()

    def stop(self) -> float:
        """See `Meter`."""
        return self._joules() - self._before

    def _joules(self) -> float:
        return sum(self._nvml.joules(handle) for handle in self._nvml.handles)


class RaplMeter:
    """CPU packages, memory excluded, by Intel's and AMD's running average power limit."""

    name = "CPU package (RAPL)"

    def __init__(self, system: Path = SYSTEM) -> None:
        domains = (system / "class" / "powercap").glob("intel-rapl:*")
        # 'intel-rapl:0:0' is a part of 'intel-rapl:0', and 'psys' holds the packages.
        packages = [path for path in domains if path.name.count(":") == 1 and _read(path / "name") != "psys"]
        if not packages:
            raise MeterError("no RAPL here (/sys/class/powercap)")
        self._packages = {path: int(_read(path / "max_energy_range_uj")) for path in packages}
        self._before = self._counters()

    def start(self) -> None:
        """See `Meter`."""
        self._before = self._counters()

    def stop(self) -> float:
        """See `Meter`; a counter that began anew in between is taken as one that did so once."""
        after = self._counters()
        differences = ((after[path] - self._before[path]) % (largest + 1) for path, largest in self._packages.items())
        return sum(differences) / 1e6

    def _counters(self) -> dict[Path, int]:
        return {path: int(_read(path / "energy_uj")) for path in self._packages}


class InaMeter:
    """A Jetson's rails, by its INA3221: power is read every 20 ms and summed up."""

    def __init__(self, system: Path = SYSTEM) -> None:
        labels = sorted((system / "bus" / "i2c" / "drivers" / "ina3221").glob("*/hwmon/hwmon*/in*_label"))
        rails = {label: _read(label) for label in labels}
        rails = {label: name for label, name in rails.items() if "sum" not in name.lower()}
        whole = {label: name for label, name in rails.items() if name in _WHOLE_BOARD}
        self._rails = [_Rail(label) for label in whole or rails]
        if not self._rails:
            raise MeterError("no INA3221 here, as a Jetson has")
        self.name = f"board: {' + '.join((whole or rails).values())} (INA3221)"
        self._joules = 0.0
        self._ended = Event()
        self._thread: Thread | None = None
        self._watts()

    def start(self) -> None:
        """See `Meter`."""
        self._joules = 0.0
        self._ended.clear()
        self._thread = Thread(target=self._sum_up, name="clipdepth-energy", daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """See `Meter`."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        return self._joules

    def _sum_up(self) -> None:
        last, power = monotonic(), self._watts()
        ended = False
        while not ended:
            ended = self._ended.wait(_INA_SECONDS)
            now, next_power = monotonic(), self._watts()
            self._joules += (now - last) * (power + next_power) / 2
            last, power = now, next_power

    def _watts(self) -> float:
        return sum(rail.watts() for rail in self._rails)


class _Rail:
    """One channel: its voltage in mV and current in mA, named after its label's file."""

    def __init__(self, label: Path) -> None:
        channel = label.name.removeprefix("in").removesuffix("_label")
        self._voltage, self._current = label.with_name(f"in{channel}_input"), label.with_name(f"curr{channel}_input")

    def watts(self) -> float:
        """Its power now."""
        return int(_read(self._voltage)) * int(_read(self._current)) / 1e6


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise MeterError(f"{path} cannot be read ({error.strerror})") from None
