"""Which layers are int8: all of them, or all but those that suffer most."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.manifest import Exclusion
from clipdepth.errors import VerificationError
from clipdepth_export.reference import Track

Judge = Callable[[onnx.ModelProto, bool], Agreement]
"""Compares a graph's depth with the fp32 graph's on calibration frames: on a few of them (True), or on more."""
MOST_EXCLUDED = 0.5
"""The largest share of layers that may be left out of what is still called int8."""


class Quantizer(Protocol):
    """Puts Q/DQ pairs around layers of an fp32 graph."""

    @property
    def layers(self) -> Sequence[str]:
        """The layers that may be rounded."""

    def __call__(self, layers: Iterable[str]) -> onnx.ModelProto:
        """A copy of the graph in which those layers are int8."""

    def as_run(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """What ONNX Runtime here computes as the devices that the graph is for compute it."""

    def name(self, layer: str) -> str:
        """What people know a layer by."""


@dataclass(frozen=True)
class Quantized:
    """An int8 graph and the layers that are not."""

    model: onnx.ModelProto
    layers: Sequence[str]
    """The layers that are int8."""
    excluded: list[Exclusion]


def quantize(
    quantizer: Quantizer,
    judge: Judge,
    track: Track,
    elsewhere: Callable[[Sequence[str]], bool] = lambda _: True,
) -> Quantized:
    """Quantise every layer, or all but those that do most damage on their own, as few of them as it takes.

    `elsewhere` says whether those layers may be int8 at the network's other sizes too. Raises VerificationError where
    more than half of the layers would have to be left out.
    """

    def agreement(layers: Sequence[str], probe: bool) -> Agreement:
        return judge(quantizer.as_run(quantizer(layers)), probe)

    def holds(layers: Sequence[str]) -> bool:
        return agreement(layers, False).passed and elsewhere(layers)

    if holds(quantizer.layers):
        return Quantized(quantizer(quantizer.layers), quantizer.layers, [])
    damage = {layer: _damage(agreement([layer], True)) for layer in track(quantizer.layers, "int8, by layer")}
    worst = sorted(quantizer.layers, key=damage.__getitem__, reverse=True)
    count = _fewest(lambda count: holds(worst[count:]), int(MOST_EXCLUDED * len(worst)))
    if count is None:
        named = ", ".join(f"{quantizer.name(layer)} ({damage[layer]:.2g})" for layer in worst[:5])
        raise VerificationError(
            f"int8 would leave more than half of {len(worst)} layers out; those that change depth most: {named}"
        )
    excluded = [Exclusion(quantizer.name(layer), _reason(damage[layer])) for layer in worst[:count]]
    return Quantized(quantizer(worst[count:]), worst[count:], excluded)


def _damage(agreement: Agreement) -> float:
    return agreement.mean if agreement.finite else float("inf")


def _reason(damage: float) -> str:
    return f"in int8 it alone changes depth by {damage:.2g} on average"


def _fewest(enough: Callable[[int], bool], most: int) -> int | None:
    """A small count up to `most` that is enough while the one below it is not; None where none was found.

    Begins with few: more may do worse by chance, as δ1 of a few frames changes, and would hide that few were enough.
    """
    high = min(1, most)
    while not enough(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high
