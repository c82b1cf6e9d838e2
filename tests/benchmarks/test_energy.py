"""Meters on a file system that looks like a machine's, and NVIDIA's library as a small one of C."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clipdepth_bench.measure import nvml
from clipdepth_bench.measure.energy import InaMeter, MeterError, RaplMeter, find_meters
from live_servers import wait_until

NVML = r"""
#include <string.h>
static unsigned long long millijoules = 1000;
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *)(0x500000000 + index); return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    strncpy(name, (size_t)device == 0x500000000 ? "GPU zero" : "GPU one", length); return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { strncpy(version, "999.1", length); return 0; }
typedef struct { unsigned long long total, free, used; } memory;
int nvmlDeviceGetMemoryInfo(void *device, memory *m) {
    m->total = 8000000000ull; m->free = 5000000000ull; m->used = 3000000000ull; return 0; }
int nvmlDeviceGetClockInfo(void *device, int type, unsigned *clock) {
    *clock = 1500; return (size_t)device == 0x500000000 ? type : 3; }
#ifndef OLD
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
    *energy = millijoules += 250; return 0; }
#endif
"""
LIBRARY = "libnvidia-ml.so.1"
CHILD = """
import json, sys
from pathlib import Path
from clipdepth_bench.measure.energy import find_meters
from clipdepth_bench.measure.nvml import find_gpus, used_megabytes

meters, problems = find_meters(Path(sys.argv[1]))
for meter in meters:
    meter.start()
joules = {meter.name: meter.stop() for meter in meters}
gpus = [{"name": g.name, "driver": g.driver, "memory_mb": g.memory_mb, "clock_mhz": g.clock_mhz} for g in find_gpus()]
print(json.dumps({"joules": joules, "problems": problems, "gpus": gpus, "used_mb": used_megabytes()}))
"""


def write(path: Path, text: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")


@pytest.fixture
def rapl(tmp_path: Path) -> Path:
    """Two packages, a part of one, and the platform that holds all."""
    root = tmp_path / "class" / "powercap"
    domains = {"intel-rapl:0": "package-0", "intel-rapl:1": "package-1", "intel-rapl:2": "psys"}
    for name, label in {**domains, "intel-rapl:0:0": "core"}.items():
        write(root / name / "name", label)
        write(root / name / "max_energy_range_uj", 9_999_999)
        write(root / name / "energy_uj", 5_000_000)
    return root


def test_rapl_adds_up_packages_alone(rapl: Path, tmp_path: Path) -> None:
    meter = RaplMeter(tmp_path)
    meter.start()
    for name in ("intel-rapl:0", "intel-rapl:2", "intel-rapl:0:0"):
        write(rapl / name / "energy_uj", 7_500_000)
    write(rapl / "intel-rapl:1" / "energy_uj", 6_000_000)
    assert meter.stop() == pytest.approx(2.5 + 1.0)


def test_a_counter_of_rapl_that_began_anew_is_no_negative_energy(rapl: Path, tmp_path: Path) -> None:
    meter = RaplMeter(tmp_path)
    meter.start()
    write(rapl / "intel-rapl:0" / "energy_uj", 1_000_000)
    assert meter.stop() == pytest.approx(6.0)


def test_a_counter_that_cannot_be_read_says_so(rapl: Path, tmp_path: Path) -> None:
    (rapl / "intel-rapl:0" / "energy_uj").unlink()
    with pytest.raises(MeterError, match=r"energy_uj cannot be read \(No such file"):
        RaplMeter(tmp_path)


def rail(root: Path, channel: int, label: str, millivolts: int, milliamperes: int) -> None:
    folder = root / "bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    write(folder / f"in{channel}_label", label)
    write(folder / f"in{channel}_input", millivolts)
    write(folder / f"curr{channel}_input", milliamperes)


def test_a_jetsons_board_is_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rail(tmp_path, 1, "VDD_IN", 5000, 2000)
    rail(tmp_path, 2, "VDD_CPU_GPU_CV", 5000, 1000)
    meter = InaMeter(tmp_path)
    assert meter.name == "board: VDD_IN (INA3221)"
    half_seconds: list[float] = []

    def clock() -> float:
        half_seconds.append(len(half_seconds) / 2)
        return half_seconds[-1]

    monkeypatch.setattr("clipdepth_bench.measure.energy.monotonic", clock)
    meter.start()
    assert wait_until(lambda: len(half_seconds) > 3)
    assert meter.stop() == 10 * half_seconds[-1]
    began = len(half_seconds)
    meter.start()
    assert meter.stop() == 10 * (half_seconds[-1] - half_seconds[began]), "it begins anew"


def test_a_jetson_without_an_input_rail_is_the_sum_of_all(tmp_path: Path) -> None:
    rail(tmp_path, 1, "VDD_GPU_SOC", 5000, 2000)
    rail(tmp_path, 2, "VDD_CPU_CV", 5000, 1000)
    rail(tmp_path, 7, "sum of shunt voltages", 1, 1)
    meter = InaMeter(tmp_path)
    assert meter.name == "board: VDD_GPU_SOC + VDD_CPU_CV (INA3221)"
    assert meter._watts() == 15


def test_a_machine_that_reports_none_says_why(tmp_path: Path) -> None:
    meters, problems = find_meters(tmp_path)
    assert [meter.name for meter in meters if "NVML" not in meter.name] == []
    assert any("no RAPL here" in problem for problem in problems)
    assert any("no INA3221 here" in problem for problem in problems)


def told(library: Path, system: Path) -> dict[str, Any]:
    """What a process is told whose NVML is that file. One of its own, because a process keeps the first it loads."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    command = [sys.executable, "-c", CHILD, str(system)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def build(folder: Path, *options: str) -> Path:
    """The library, compiled with those further options."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler (Debian: gcc, libc6-dev)")
    source, library = folder / "nvml.c", folder / LIBRARY
    source.write_text(NVML, encoding="ascii")
    subprocess.run(["cc", "-shared", "-fPIC", *options, "-o", str(library), str(source)], check=True)
    return library


def test_the_driver_tells_of_its_gpus(tmp_path: Path) -> None:
    found = told(build(tmp_path), tmp_path)
    assert found["gpus"] == [
        {"name": "GPU zero", "driver": "999.1", "memory_mb": 8000, "clock_mhz": 1500},
        {"name": "GPU one", "driver": "999.1", "memory_mb": 8000, "clock_mhz": None},
    ]
    assert found["used_mb"] == 6000


def test_the_gpus_energy_is_the_difference_of_their_counters(tmp_path: Path) -> None:
    joules = told(build(tmp_path), tmp_path)["joules"]
    assert joules == {"GPU board (NVML)": pytest.approx(1.0)}, "250 mJ a call: two reads of two GPUs"


def test_an_old_driver_without_a_function_says_so(tmp_path: Path) -> None:
    found = told(build(tmp_path, "-DOLD"), tmp_path)
    assert found["joules"] == {}
    assert found["problems"][0] == "nvmlDeviceGetTotalEnergyConsumption answers Function Not Found"
    assert len(found["gpus"]) == 2, "the rest is there"


def test_without_a_driver_there_is_no_gpu(tmp_path: Path) -> None:
    library = tmp_path / LIBRARY
    library.write_text("of no machine", encoding="ascii")
    found = told(library, tmp_path)
    assert (found["gpus"], found["used_mb"], found["joules"]) == ([], None, {})
    assert found["problems"][0].startswith("no NVIDIA driver (")


def test_without_its_package_one_line_says_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_meters(tmp_path)[1][0] == (
        "NVML needs nvidia-ml-py, which is not installed; run pip install 'clipdepth[bench]'"
    )
    assert (nvml.find_gpus(), nvml.used_megabytes()) == ([], None)
