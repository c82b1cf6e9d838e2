"""What the arithmetic computes in, whatever engine runs it: how many operations in each precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipdepth.errors import EngineError

MOSTLY = 0.9
"""The share of its arithmetic that has to run in int8 where something is called int8."""
_SHOWN = 5


@dataclass(frozen=True)
class Precisions:
    """How many operations of arithmetic compute in each precision.

    Arithmetic is convolution and matrix multiplication, where the time goes.
    """

    layers: Mapping[str, int]
    """Operations by precision: fp32, fp16, bf16, fp8, int8. Empty where an engine does not tell."""
    strayed: tuple[str, ...] = ()
    """The layers that the graph quantises and that ran in something else, by their weights' names."""

    def __str__(self) -> str:
        if not self.layers:
            return "no arithmetic layers"
        ordered = sorted(self.layers.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} in {name}" for name, count in ordered)

    def share(self, precision: str) -> float | None:
        """The share of the operations in that precision, 0 to 1; None where the engine does not tell."""
        total = sum(self.layers.values())
        return self.layers.get(precision, 0) / total if total else None

    def remark(self, precision: str) -> str:
        """What belongs beside the name of a graph of `precision`: '(0% in int8)' where int8 is not int8, else ''."""
        share = self.share("int8")
        if precision != "int8" or share is None or share >= MOSTLY:
            return ""
        return f"({int(100 * share)}% in int8)"


def titled(name: str, precision: str, found: Precisions | None) -> str:
    """`name`, that of a graph of `precision` or of its row, with the remark on what was found of it."""
    return f"{name} {found.remark(precision)}".rstrip() if found else name


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def require_int8(found: Precisions, what: str, least: float = MOSTLY) -> None:
    """Check that `what`, an int8 graph on an engine, really computes in int8.

    Raises EngineError with the layers that the graph quantises and that ran in something else, and where less than the
    share `least` of all arithmetic ran in int8. An engine that does not tell passes.
    """
    if found.strayed:
        raise EngineError(
            f"{what} computes {len(found.strayed)} of its quantised layers in something else than int8: "
            f"{some(found.strayed)}; quantise what they read and write as this engine wants it, and export again"
        )
    share = found.share("int8")
    if share is not None and share < least:
        raise EngineError(
            f"{what} computes {int(100 * share)}% of its arithmetic in int8 ({found}), of at least {least:.0%}; "
            "quantise more of its layers, and export again"
        )
