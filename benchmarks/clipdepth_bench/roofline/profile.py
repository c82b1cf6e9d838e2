"""How long an engine's convolutions take, by its own profiler."""

from collections.abc import Iterable
from contextlib import closing

from clipdepth.bundle.folder import Bundle
from clipdepth.engines import load_engine
from clipdepth.engines.operations import Operation


def convolutions_ms(bundle: Bundle, engine: str, precision: str, threads: int) -> float | None:
    """What they take together, medians over runs of a golden frame, milliseconds; None where the engine does not tell.

    Raises as `load_engine`.
    """
    golden = bundle.golden()
    masks = None if golden.segmentation is None else golden.segmentation[:1]
    with closing(load_engine(bundle, engine, precision, threads)) as loaded:
        return sum_of_convolutions(loaded.profile(golden.frames[:1], masks))


def sum_of_convolutions(operations: Iterable[Operation]) -> float | None:
    """With what the engine fused into them: 'QLinearConv', 'GroupConvolution', 'Deconvolution' and the like."""
    times = [each.milliseconds for each in operations if each.precision and "conv" in each.kind.lower()]
    told = [time for time in times if time is not None]
    return sum(told) if told else None
