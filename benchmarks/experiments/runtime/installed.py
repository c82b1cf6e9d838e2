"""What an installation brings: megabytes of each package, seconds, and how long a command takes to start.

    python benchmarks/experiments/runtime/installed.py [--extra cpu] [--runs 10] [--out benchmarks/results/…]

A fresh environment; pip installs this checkout's wheel and takes the rest from its index, with nothing cached. Bytes
are those of the files that each RECORD names, what pip compiles among them. Starts are in seconds of the
processor, which depend less on what else runs.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from figures import note, print_heading, print_machine, print_row, spread

ROOT = Path(__file__).parents[3]
STARTS = {
    "python": "pass",
    "import clipdepth": "import clipdepth",
    "clipdepth --help": "from clipdepth.cli import main; main(['--help'])",
    "clipdepth run --help": "from clipdepth.cli import main; main(['run', '--help'])",
}
SIZES = """
import json, sys
from importlib.metadata import distributions
from pathlib import Path
found = {}
for one in distributions(path=[path for path in sys.path if 'site-packages' in path]):
    files = [Path(one.locate_file(file)) for file in one.files or ()]
    found[one.name] = one.version, sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Package:
    """An installed package."""

    name: str
    version: str
    mb: float


def main() -> None:
    """Install, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extra", default="cpu")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--out", type=Path, help="a folder for installed.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        run(sys.executable, "-m", "venv", python.parents[1])
        before = {package.name for package in packages(python)}
        note("the wheel")
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
        (wheel,) = Path(folder).glob("*.whl")
        note("the installation")
        begun = time.perf_counter()
        run(python, "-m", "pip", "install", "--quiet", "--no-cache-dir", f"{wheel}[{options.extra}]")
        seconds = time.perf_counter() - begun
        found = sorted(
            (one for one in packages(python) if one.name not in before), key=lambda one: one.mb, reverse=True
        )
        starts = {name: [started(python, code) for _ in range(options.runs)] for name, code in STARTS.items()}
    print_machine()
    print_heading("package", "version", "MB")
    for package in found:
        print_row(package.name, package.version, f"{package.mb:.1f}")
    total = sum(package.mb for package in found)
    print_row("all", f"{seconds:.0f} s", f"{total:.0f}")
    print_heading("start", "processor time, s", "n")
    for name, times in starts.items():
        print_row(name, spread(times, 2), len(times))
    if options.out:
        record = {
            "extra": options.extra,
            "python": sys.version.split()[0],
            "packages": [asdict(package) for package in found],
            "install_s": seconds,
            "start_processor_s": starts,
        }
        (options.out / "installed.json").write_text(json.dumps(record, indent=2) + "\n")


def run(*command: str | Path) -> str:
    """Run a program; return what it printed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def packages(python: Path) -> list[Package]:
    """What is installed there."""
    found = json.loads(run(python, "-c", SIZES))
    return [Package(name, version, size / 1e6) for name, (version, size) in found.items()]


def started(python: Path, code: str) -> float:
    """The processor's seconds of a process that does `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(python, "-c", code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
