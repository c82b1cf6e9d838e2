"""The bandwidth of the host's memory."""

from pathlib import Path

from clipdepth_bench.roofline.rates import best_seconds
from clipdepth_bench.roofline.record import Bandwidth

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_LEAST, _MOST = 64_000_000, 512_000_000
"""Bytes of an array."""


def cpu_bandwidth(threads: int, array_bytes: int | None = None) -> Bandwidth:
    """The triad by PyTorch on `threads` threads, in arrays of four times the largest cache, as STREAM asks."""
    import torch

    count = (array_bytes or min(max(4 * largest_cache(), _LEAST), _MOST)) // 4
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        a, b, c = (torch.full((count,), value) for value in (0.0, 1.0, 2.0))
        seconds = best_seconds(lambda: torch.add(b, c, alpha=3.0, out=a))
    finally:
        torch.set_num_threads(before)
    return Bandwidth("CPU", 4 * count / 1e6, 3 * 4 * count / seconds / 1e9)


def largest_cache(caches: Path = _CACHES) -> int:
    """Bytes of the largest cache of the first core, as Linux tells; 0 where it does not."""
    return max((_bytes(path.read_text(encoding="ascii").strip()) for path in caches.glob("index*/size")), default=0)


def _bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text.rstrip("KMG")) * units.get(text[-1:], 1)
