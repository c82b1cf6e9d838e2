"""How much memory `clipdepth run` holds over many frames of a live stream, with ONNX Runtime on the CPU.

    python benchmarks/experiments/runtime/memory.py BUNDLE [--video VIDEO] [--frames 20000] [--engine onnxruntime]

This process serves 640×480 JPEG pictures over HTTP; `clipdepth run`, a process of its own, makes depths of so many.
Its resident memory is read from /proc every second. The warm-up is the first tenth of the frames.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import (
    TESTS,
    arguments,
    note,
    print_heading,
    print_machine,
    print_row,
    real_frames,
    say,
)

sys.path.insert(0, str(TESTS))
from live_servers import mjpeg_server

WANTED_MB, FLAT = 400, 0.05
WARM_UP = 0.1
PARTS = 10


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--fps", type=float, default=60)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        with mjpeg_server(fps=options.fps, pictures=real_frames(options.video)) as (url, _):
            facts = f"--frames {options.frames} --engine {options.engine} --threads {options.threads}".split()
            command = [sys.executable, "-m", "clipdepth", "run", options.bundle, "--source", url, *facts]
            megabytes = sample(subprocess.Popen([*command, "--json", report], stdout=subprocess.DEVNULL))
        found = json.loads(report.read_text())
    show(megabytes, found)


def sample(process: "subprocess.Popen[bytes]") -> list[float]:
    """The resident memory of a process, MB, each second until its end."""
    megabytes: list[float] = []
    while process.poll() is None:
        megabytes.append(resident(process.pid))
        if len(megabytes) % 30 == 0:
            note(f"{len(megabytes)} s: {megabytes[-1]:.0f} MB")
        time.sleep(1)
    if process.returncode:
        sys.exit(process.returncode)
    # Without the moments in which it was not yet or no longer itself.
    return megabytes[1:-2]


def resident(process: int) -> float:
    """VmRSS of a process, MB (of 10⁶ bytes); 0 where it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 / 1e6 if found else 0


def show(megabytes: list[float], report: dict[str, object]) -> None:
    """Print how memory went, tenth by tenth of the time."""
    print_heading("part of the run", "MB: median", "least", "most")
    for number, part in enumerate(np.array_split(np.array(megabytes), PARTS)):
        if len(part):
            print_row(f"{number + 1}/{PARTS}", *(f"{value:.1f}" for value in (np.median(part), part.min(), part.max())))
    steady = np.array(megabytes[round(len(megabytes) * WARM_UP) :])
    middle = float(np.median(steady))
    off = max(steady.max() / middle - 1, 1 - steady.min() / middle)
    say(
        f"\n{report['frames']} depths by {report['engine']}, {report['threads']} threads, in {report['seconds']:.0f} s."
    )
    most = f"Most: {max(megabytes):.0f} MB (wanted: below {WANTED_MB}). After the first tenth: {middle:.0f} MB"
    say(f"{most} ± {100 * off:.1f}% (wanted: {100 * FLAT:.0f}%), n = {len(steady)} samples.")


if __name__ == "__main__":
    main()
