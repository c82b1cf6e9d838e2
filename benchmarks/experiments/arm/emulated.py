"""Runs graphs under ONNX Runtime for ARM, emulated by QEMU, and compares depth and kernels with this machine's.

    python benchmarks/experiments/arm/emulated.py --system arm-system --frames golden.npz depth.int8.onnx …

Needs apt, Debian's archive keys and pip. The script unpacks QEMU, Debian's libraries and Python for ARM, and the wheels
of ONNX Runtime and NumPy into the folder `--system`. It installs nothing, and a second run uses the folder again. QEMU
7.2 crashes when ONNX Runtime is imported; QEMU 10 does not. The emulation says nothing about speed. Prints a Markdown
table with a row for each graph and core: how far ARM's depth is from this machine's, and the operators that ran.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

SUITE, PYTHON = "trixie", "3.13"
PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3t64", "libffi8", "libbz2-1.0", "liblzma5"),
    *("libuuid1", f"python{PYTHON}-minimal", f"libpython{PYTHON}-minimal", f"libpython{PYTHON}-stdlib"),
)
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64")
CORES = ("cortex-a72", "cortex-a76")
"""Raspberry Pi 4's, and 5's, which has the dot product of int8."""
SESSION = Path(__file__).with_name("session.py")
INT8 = ("QLinear", "ConvInteger", "MatMulInteger", "QGemm")
"""How the operators that compute in int8 begin."""


def main(argv: Sequence[str]) -> None:
    """Print a row for each graph and core."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("graphs", nargs="+", type=Path, metavar="GRAPH")
    parser.add_argument("--frames", type=Path, required=True, help="a bundle's golden.npz")
    parser.add_argument(
        "--count", type=int, default=1, help="of its frames (default: 1); each takes seconds to minutes"
    )
    parser.add_argument("--system", type=Path, default=Path("arm-system"), help="folder for QEMU and ARM's files")
    options = parser.parse_args(argv)
    prepare_system(options.system)
    frames = np.load(options.frames)["frames"][: options.count]
    _say("graph", "core", "mean", "largest", "on ARM", "here")
    _say("---", "---", "--:", "--:", "---", "---")
    for graph in options.graphs:
        for row in rows(graph, frames, options.system):
            _say(*row)


def prepare_system(folder: Path) -> None:
    """Unpack QEMU and, for ARM, a Python with NumPy and this machine's version of ONNX Runtime into `folder`."""
    done = folder / "done"
    if done.is_file():
        return
    packages, root = folder / "packages", folder / "root"
    for new in (packages, root, folder / "apt/lists/partial", folder / "apt/cache/archives/partial"):
        new.mkdir(parents=True, exist_ok=True)
    if not (root / "lib").is_symlink():
        (root / "lib").symlink_to("usr/lib")  # which no package brings
    # A folder of its own keeps apt from taking ARM for an architecture of this machine.
    environment = {**os.environ, "APT_CONFIG": str(_apt_config(folder / "apt"))}
    _do("apt-get", "update", env=environment)
    _do("apt-get", "download", "qemu-user", *(f"{name}:arm64" for name in PACKAGES), env=environment, cwd=packages)
    for package in packages.glob("*.deb"):
        _do("dpkg", "-x", str(package), str(folder if package.name.startswith("qemu-user_") else root))
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    wheels = ("--only-binary=:all:", "--no-deps", "--python-version", PYTHON, "--target", str(root / "site"))
    versions = (f"numpy=={np.__version__}", f"onnxruntime=={onnxruntime.__version__}")
    _do(sys.executable, "-m", "pip", "install", *platforms, *wheels, *versions)
    done.touch()


def _apt_config(folder: Path) -> Path:
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    folder = folder.resolve()
    sources, config = folder / "sources.list", folder / "apt.conf"
    sources.write_text(f"deb [signed-by={keys}] http://deb.debian.org/debian {SUITE} main\n", encoding="utf-8")
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": Path("-"),
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    config.write_text("\n".join(['APT::Architectures { "amd64"; "arm64"; };', *lines, ""]), encoding="utf-8")
    return config


def rows(graph: Path, frames: NDArray[np.uint8], system: Path) -> Iterator[tuple[str, ...]]:
    """Each core: relative difference of depth from this machine's, mean and largest, and the kernels of both."""
    depth, here = run_session(graph, frames, [sys.executable])
    for core in CORES:
        emulated, found = run_session(graph, frames, _emulator(system, core))
        if found["machine"] != "aarch64":
            raise SystemExit(f"{graph} ran on {found['machine']}, not on ARM; remove {system} and try again")
        off = np.abs(emulated - depth) / depth
        yield graph.name, core, f"{off.mean():.1e}", f"{off.max():.1e}", summary(found["ran"]), summary(here["ran"])


def _emulator(system: Path, core: str) -> list[str]:
    root = system.resolve() / "root"
    settings = {"PYTHONHOME": root / "usr", "PYTHONPATH": root / "site"}
    variables = [word for name, value in settings.items() for word in ("-E", f"{name}={value}")]
    qemu = str(system.resolve() / "usr/bin/qemu-aarch64")
    return [qemu, "-cpu", core, "-L", str(root), *variables, str(root / f"usr/bin/python{PYTHON}")]


def run_session(
    graph: Path, frames: NDArray[np.uint8], python: Sequence[str]
) -> tuple[NDArray[np.float32], Mapping[str, Any]]:
    """The depth by `session.py` under that Python, and what it says of its machine and kernels."""
    with TemporaryDirectory() as folder:
        given, made = Path(folder) / "frames.npy", Path(folder) / "depth.npy"
        np.save(given, frames)
        command = [*python, str(SESSION), str(graph), str(given), str(made)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return np.load(made), json.loads(printed)


def summary(ran: Mapping[str, int]) -> str:
    """The operators in int8, and the convolutions and additions in float, with how many nodes of each ran."""
    names = [name for name in sorted(ran) if name.startswith(INT8)]
    floats = [name for name in ("Conv", "FusedConv", "Gemm", "MatMul", "Add") if name in ran]
    return ", ".join(f"{ran[name]} {name}" for name in [*names, *floats])


def _do(*command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, env=env, cwd=cwd, stdout=sys.stderr)


def _say(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
