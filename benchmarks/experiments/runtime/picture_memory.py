"""The most memory that `clipdepth run` takes of one large picture, for each kind of output, on the CPU.

    python benchmarks/experiments/runtime/picture_memory.py BUNDLE [--size 12000x9000] [--count 1]

Each run is a process of its own, whose high-water mark is read from /proc until its end. The same run of a picture of
640×480 takes what Python, libraries and network take; what comes on top is compared with the picture's own bytes.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
from figures import HEIGHT, WIDTH, arguments, print_heading, print_machine, print_row, real_frames

OUTPUTS = {"16-bit PNG": "depth", ".npz": "x.npz", ".ply": "x.ply", ".mp4": "x.mp4"}
POLL_S = 0.01


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--size", default="12000x9000", help="width and height, pixels")
    parser.add_argument("--count", type=int, default=1, help="how many such pictures are in the folder")
    options = parser.parse_args()
    width, height = (int(number) for number in options.size.split("x"))
    print_machine()
    print_heading("output", "MB: 640×480", f"{width}×{height}", "more, in pictures", "s")
    with tempfile.TemporaryDirectory() as folder:
        picture = real_frames(options.video)[0]
        small, large = Path(folder, "small"), Path(folder, "large")
        _write(picture, small, WIDTH, HEIGHT, 1)
        _write(picture, large, width, height, options.count)
        for kind, name in OUTPUTS.items():
            least, _ = peak(options.bundle, small, Path(folder, "of-small", name))
            most, seconds = peak(options.bundle, large, Path(folder, "of-large", name))
            times = (most - least) / (3 * width * height / 1e6)
            print_row(kind, f"{least:.0f}", f"{most:.0f}", f"{times:.1f}", f"{seconds:.1f}")


def peak(bundle: Path, source: Path, output: Path) -> tuple[float, float]:
    """The high-water mark, MB, and the seconds of a run from `source` to `output`."""
    facts = f"--source {source} --output {output} --engine onnxruntime --threads 1".split()
    command = [sys.executable, "-m", "clipdepth", "run", str(bundle), *facts]
    start, megabytes = time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            megabytes = max(megabytes, high_water(process.pid))
            time.sleep(POLL_S)
        said = process.stderr.read() if process.stderr else b""
    if process.returncode:
        sys.exit(f"{output.name}: {said.decode()}")
    return megabytes, time.monotonic() - start


def high_water(process: int) -> float:
    """VmHWM of a process, MB (of 10⁶ bytes); 0 where it has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 / 1e6 if found else 0


def _write(picture: cv2.typing.MatLike, folder: Path, width: int, height: int, count: int) -> None:
    folder.mkdir()
    scaled = cv2.resize(picture, (width, height))
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.jpg"), scaled)


if __name__ == "__main__":
    main()
