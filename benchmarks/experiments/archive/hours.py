"""What a million hours of video take, by what `throughput.py` and `ray_memory.py` measured: a Markdown table.

python benchmarks/experiments/archive/hours.py benchmarks/results/archive
"""

import json
import sys
from pathlib import Path
from statistics import median

from clipdepth.cluster.archive.job import CHUNK_BYTES

FPS, HOUR, MILLION = 30, 3600, 10**6
NETWORK = 240 * 320
"""Pixels of the network's input in the measurements."""
STAGES = {"read and decode": "decoding", "infer, int8": "inference", "encode": "encoding", "join": "joining"}


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1])
    throughput = json.loads((folder / "throughput.json").read_text())
    memory = json.loads((folder / "memory.json").read_text())
    one = [run for run in throughput["runs"] if run["cores"] == 1]
    frames = FPS * HOUR
    write = sys.stdout.write
    write("| | one hour of video | a million |\n| --- | --: | --: |\n")
    write(f"| frames | {frames:,} | {frames * MILLION:.2g} |\n")
    for name, stage in STAGES.items():
        hours = median(run["milliseconds"][stage] for run in one) * frames / 1e3 / HOUR
        write(f"| {name}, hours of a core | {hours:.2f} | {_rounded(hours * MILLION)} |\n")
    stored = {
        "depth, FFV1 at 640×480": median(run["bytes_a_frame"] for run in one),
        "index": median(run["index_bytes_a_frame"] for run in one),
        "through Ray's object store, between stages": NETWORK * (3 + 4),
    }
    for name, size in stored.items():
        write(f"| {name} | {size * frames / 1e9:.3g} GB | {size * frames * MILLION / 1e15:.3g} PB |\n")
    chunk = CHUNK_BYTES // (NETWORK * 3)
    work = memory["driver_cpu_seconds"] / (memory["frames"] / chunk)
    write(f"| chunks of {chunk} frames | {frames / chunk:.0f} | {frames / chunk * MILLION:.2g} |\n")
    write(f"| the driver, {work * 1e3:.0f} ms a chunk, hours of a core | {frames / chunk * work / HOUR:.3f} | ")
    write(f"{_rounded(frames / chunk * work / HOUR * MILLION)} |\n")


def _rounded(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.0f}"


if __name__ == "__main__":
    main()
