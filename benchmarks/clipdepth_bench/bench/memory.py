"""Peak memory of one contender, in a process of its own: one that holds them all says nothing of each."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clipdepth.bundle.folder import open_bundle
from clipdepth.errors import EngineError, MissingExtraError
from clipdepth_bench.contender import Setup
from clipdepth_bench.measure.nvml import used_megabytes
from clipdepth_bench.registry import find_entry
from clipdepth_bench.report.record import Memory

# As the command's own script, and unlike 'python -m', without the current folder's modules.
_CHILD = f"import sys; sys.path = [path for path in sys.path if path]; from {__name__} import main; main(sys.argv[1:])"
_SECONDS = 600
"""What a child that loads, and perhaps compiles, may take."""


def measure_memory(setup: Setup, key: str) -> Memory:
    """Load the contender of that key in a child, run the golden frames, and ask for its peak.

    Raises EngineError where the child fails.
    """
    run = setup.run or ""
    device = "" if setup.device is None else str(setup.device)
    size = setup.bundle.manifest.input
    what = [str(setup.bundle.path), str(size.height), str(size.width), run, str(setup.threads), device, key]
    command = [sys.executable, "-c", _CHILD, *what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise EngineError(f"its process took more than {_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise EngineError(f"its process fails: {lines[-1]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Memory(found["host_mb"], found["device_mb"])


def main(argv: Sequence[str]) -> None:
    """The child: `BUNDLE HEIGHT WIDTH RUN THREADS GPU KEY`; its last line is JSON."""
    bundle, height, width, run, threads, gpu, key = argv
    before = used_megabytes()
    setup = Setup(
        open_bundle(Path(bundle)).of_size((int(height), int(width))),
        run or None,
        int(threads),
        peers=True,
        device=int(gpu) if gpu else None,
    )
    contender = find_entry(setup, key).load()
    if contender.infer is None:
        raise EngineError(contender.note)
    for frame in setup.bundle.golden().frames:
        contender.infer(frame[None])
    after = used_megabytes()
    device = None if before is None or after is None else max(0.0, after - before)
    sys.stdout.write(json.dumps({"host_mb": peak_megabytes(), "device_mb": device}) + "\n")


def peak_megabytes() -> float:
    """The largest resident set this process had; Windows' name for it is the peak working set."""
    if sys.platform == "win32":
        try:
            import psutil
        except ModuleNotFoundError:
            raise MissingExtraError("peak memory", "psutil", "bench") from None
        return float(psutil.Process().memory_info().peak_wset / 1e6)
    try:
        # Not getrusage, whose peak on Linux is that of the process which started this one, where that was larger.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
    except (OSError, StopIteration):
        import resource  # which Windows does not have

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
