"""What becomes of a run when something goes wrong: counted, logged once, and recovered from or a clean exit.

    python benchmarks/experiments/runtime/faults.py BUNDLE [--video VIDEO] [--restarts 20]
                                                    [--only sources cameras sinks viewers]

A row for each fault, the last column says whether all that was so. Exits with 1 where it was not. The RTSP server is
GStreamer's (Debian: gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-ugly); without it that row says so.
"""

import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from camera_faults import camera_faults
from fault import Fault
from figures import Frame, arguments, note, print_heading, print_machine, print_row, real_frames
from sink_faults import sink_faults
from source_faults import source_faults
from viewer_faults import viewer_faults

KINDS = ("sources", "cameras", "sinks", "viewers")


def main() -> int:
    """Try every fault and print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    # In a shell's background Ctrl-C is ignored, which the commands started here would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print_machine()
    print_heading("fault", "what happened", "counted", "logged", "time", "as wanted")
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        frames = real_frames(options.video)
        for fault in faults(options.bundle, frames, Path(folder), options.restarts, options.only):
            print_row(
                fault.name, fault.happened, fault.counted, fault.logged, fault.took, "yes" if fault.is_well else "no"
            )
            note(f"done: {fault.name}")
            bad += not fault.is_well
    return 1 if bad else 0


def faults(bundle: Path, frames: list[Frame], folder: Path, restarts: int, kinds: list[str]) -> Iterator[Fault]:
    """The faults of these kinds."""
    if "sources" in kinds:
        yield from source_faults(bundle, frames, folder, restarts)
    if "cameras" in kinds:
        yield from camera_faults(bundle, frames, folder, restarts)
    if "sinks" in kinds:
        yield from sink_faults(bundle, folder)
    if "viewers" in kinds:
        yield from viewer_faults(bundle, frames)


if __name__ == "__main__":
    sys.exit(main())
