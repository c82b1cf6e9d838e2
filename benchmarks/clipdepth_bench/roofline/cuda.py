"""The same on an NVIDIA GPU, by PyTorch and CUDA events."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from clipdepth_bench.contender import first_line
from clipdepth_bench.roofline.record import Bandwidth, Rate

SIZES = (4096, 8192)
_ARRAY_MB = 512
_REPEATS = 10


def cuda_rates(precisions: Iterable[str]) -> tuple[list[Rate], list[str]]:
    """The best rate of each precision; fp32 with TF32, which TensorRT takes where the GPU has it."""
    rates, problems = [], []
    torch.backends.cuda.matmul.allow_tf32 = True
    for precision in precisions:
        try:
            rates.append(max((_rate(precision, size) for size in SIZES), key=lambda rate: rate.gops))
        except RuntimeError as error:
            problems.append(f"no {precision} rate of the GPU: {first_line(error)}")
    torch.backends.cuda.matmul.allow_tf32 = False
    return rates, problems


def cuda_bandwidth() -> Bandwidth:
    """The triad in the GPU's memory."""
    count = _ARRAY_MB * 1_000_000 // 4
    a, b, c = (torch.rand(count, device="cuda") for _ in range(3))
    seconds = _seconds(lambda: torch.add(b, c, alpha=3.0, out=a))
    return Bandwidth("CUDA", _ARRAY_MB, 3 * 4 * count / seconds / 1e9)


def _rate(precision: str, size: int) -> Rate:
    if precision == "int8":
        left, right = (torch.randint(-128, 128, (size, size), dtype=torch.int8, device="cuda") for _ in range(2))
        # cuBLAS takes the second operand by columns.
        seconds = _seconds(lambda: torch._int_mm(left, right.t()))
    else:
        kind = torch.float16 if precision == "fp16" else torch.float32
        first, second = (torch.rand((size, size), dtype=kind, device="cuda") for _ in range(2))
        seconds = _seconds(lambda: first @ second)
    return Rate("CUDA", precision, "PyTorch", size, 2 * size**3 / seconds / 1e9)


def _seconds(run: Callable[[], object]) -> float:
    """The shortest of repeated runs."""
    event: Any = torch.cuda.Event
    run()
    times: list[float] = []
    for _ in range(_REPEATS):
        start, end = (event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return min(times)
