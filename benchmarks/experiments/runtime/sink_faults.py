"""Faults of sinks: a disk that is full."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from fault import Ended, Fault, run_command
from source_faults import ENGINE, quoted

SIZE = "1m"
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


def sink_faults(bundle: Path, folder: Path) -> Iterator[Fault]:
    """A small file system that fills up with pictures, and one that does with video."""
    for kind, output in (("16-bit PNGs", "depths"), ("a video", "x.mp4")):
        name = f"full disk under {kind}"
        disk = folder / f"disk-{output.partition('.')[0]}"
        disk.mkdir()
        mount = f"mount -t tmpfs -o size={SIZE} none {disk}"
        if not _may_mount(mount):
            yield Fault(name, "not tried: needs the right to mount in a namespace of its own", "", "", "", True)
            continue
        then = f'{mount} && "$@"; status=$?; ls -A {disk} {disk}/* 2>/dev/null | grep -c -E "partial|writing" >&2; '
        wrapper = (*UNSHARE, "sh", "-c", f"{then} exit $status", "sh")
        ended = run_command(bundle, "--source", "rooms", *ENGINE, "--output", disk / output, wrapper=wrapper)
        yield _judged(name, ended)


def _judged(name: str, ended: Ended) -> Fault:
    *said, left = ended.errors
    return Fault(
        name,
        f"exit {ended.status}; {'nothing half written left' if left == '0' else f'{left} parts of files left'}",
        "the message names the frame",
        quoted(Ended(ended.status, ended.seconds, said)),
        f"{ended.seconds:.1f} s to the exit",
        ended.status == 1 and left == "0" and len(said) == 1,
    )


def _may_mount(mount: str) -> bool:
    try:
        return subprocess.run([*UNSHARE, "sh", "-c", mount], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
