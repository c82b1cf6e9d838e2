"""From the start of `clipdepth run` to the first depth, a process of its own each time, the files in the disk's cache.

    python benchmarks/experiments/runtime/startup.py BUNDLE [--video VIDEO] [--engines onnxruntime openvino auto]
                                                     [--runs 10]

The source is a JPEG of 640×480 and the first depth a PNG that is whole: reading, inference and writing are included.
Processor time, of all cores until the command's end, depends less on what else runs. The engines take turns.
"""

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
from figures import arguments, note, print_heading, print_machine, print_row, real_frames, spread

WANTED_S = 2.0
POLL_S = 0.001
LONGEST_S = 120.0


@dataclass(frozen=True)
class Start:
    """Seconds until the first depth, and the processor's seconds until the end."""

    wall: float
    processor: float


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--engines", nargs="+", default=["onnxruntime", "openvino", "auto"])
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    print_machine()
    found: dict[str, list[Start]] = {engine: [] for engine in options.engines}
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "frame.jpg"
        cv2.imwrite(str(image), real_frames(options.video)[0])
        for number in range(options.runs + 1):
            note(f"run {number} of {options.runs}")
            for engine, starts in found.items():
                taken = first_depth(options.bundle, engine, image, Path(folder) / f"{engine}-{number}")
                if number:
                    starts.append(taken)
    print_heading("engine", "start to first depth, s", "wanted", "processor time, s", "n")
    for engine, starts in found.items():
        wall, processor = ([getattr(one, key) for one in starts] for key in ("wall", "processor"))
        print_row(engine, spread(wall, 2), f"< {WANTED_S:g}", spread(processor, 2), len(starts))


def first_depth(bundle: Path, engine: str, image: Path, output: Path) -> Start:
    """Run the command for one frame."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "clipdepth",
        "run",
        bundle,
        "--source",
        image,
        "--engine",
        engine,
    ]
    depth = output / "depth_000000.png"
    used, start = children(), time.perf_counter()
    process = subprocess.Popen([*command, "--output", output], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not depth.exists() and process.poll() is None and time.perf_counter() - start < LONGEST_S:
        time.sleep(POLL_S)
    seconds = time.perf_counter() - start
    if process.wait(LONGEST_S) or not depth.exists():
        sys.exit(f"clipdepth run --engine {engine} made no depth; run it by hand to see why")
    return Start(seconds, children() - used)


def children() -> float:
    """The processor time of all processes that ended, seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
