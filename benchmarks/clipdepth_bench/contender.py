"""What a benchmark times: a contender, and what it is before it is loaded."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.agreement import Agreement
from clipdepth.bundle.folder import Bundle
from clipdepth.engines import Engine, Infer
from clipdepth.engines.operations import Operation
from clipdepth.engines.precisions import Precisions
from clipdepth_bench.measure.duration import CLOCK, Measure, by_clock


@dataclass(frozen=True)
class Setup:
    """What contenders are made from."""

    bundle: Bundle
    """Of one size."""
    run: str | None
    """The run or other model that the bundle was exported from, for PyTorch's weights; without, they are random."""
    threads: int
    compile: bool = True
    """Whether `torch.compile` takes part; it compiles for a minute or so."""
    peers: bool = False
    """Whether what people would use instead takes part."""
    without: tuple[str, ...] = ()
    """Rows that take no part, each a name or a name and a precision."""
    device: int | None = None
    """The number of the GPU that those on a GPU run on; None for the first."""
    tell: Callable[[str], None] = lambda text: None
    """Hears what is being done where loading takes minutes."""


@dataclass(frozen=True)
class Contender:
    """A row of the benchmark: `infer` takes frames as an engine does, or is None where it could not be loaded."""

    name: str
    precision: str
    device: str
    infer: Infer | None
    agreement: Agreement | None
    """None where there is nothing to compare: not loaded, or weights that are not the bundle's."""
    note: str = ""
    """Why it is not there, or what a reader has to know."""
    measure: Measure | None = None
    """How a frame is timed where the device has a better clock than the host's around `infer`."""
    timed_by: str = CLOCK
    """'clock', the host's, from array to array, or 'CUDA events'."""
    model_bytes: int | None = None
    """The size of the graph's file, or of PyTorch's weights."""
    close: Callable[[], None] = lambda: None
    executed: Callable[[], Precisions] | None = None
    """Reads what its arithmetic really runs in; None for what is no engine."""
    peer: bool = False
    """Whether it is another model, which people would use instead."""
    chosen: str = ""
    """How its form was chosen among others, in a sentence."""

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.name} {self.precision}".strip()

    @property
    def failed(self) -> bool:
        """Whether its depth differs from PyTorch's."""
        return self.agreement is not None and not self.agreement.passed

    @property
    def engine(self) -> Engine:
        """A loaded contender as what `DepthModel` and `Pipeline` run; the contender's owner closes it."""
        assert self.infer
        return ContenderEngine(self.name, self.device, self.infer)

    @property
    def stopwatch(self) -> Measure | None:
        """What times it; None where it is not there, or is not to be timed since it failed."""
        if self.infer is None or self.failed:
            return None
        return self.measure or by_clock(self.infer)


@dataclass
class ContenderEngine:
    """A contender that was loaded, as an `Engine`; closing it leaves the contender open."""

    name: str
    device: str
    infer: Infer

    def operations(self) -> list[Operation]:
        """None: what it is made of is not told."""
        return []

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """None: what it is made of is not told."""
        return []

    def close(self) -> None:
        """See `Engine.close`."""


@dataclass(frozen=True)
class Entry:
    """A contender before it is loaded, so that another process can load it alone."""

    name: str
    precision: str
    load: Callable[[], Contender]
    """What is not here is a contender too, with a note; raises only for a mistake in what the user gave."""

    @property
    def key(self) -> str:
        """As `Contender.key`."""
        return f"{self.name} {self.precision}"


def gated_as(precision: str) -> str:
    """The precision whose tolerance holds for a row: of PyTorch's own, fp16's for tf32 and int8's for bf16.

    Their fractions have as many bits as fp16's, and as int8's numbers.
    """
    return {"tf32": "fp16", "bf16": "int8"}.get(precision, precision)


def absent(name: str, precision: str, why: str) -> Contender:
    """A row that says why there is nothing to time."""
    return Contender(name, precision, "", None, None, " ".join(why.split()))


def first_line(error: Exception) -> str:
    """The first line of an error that has many, or its kind."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def load_all(entries: Iterable[Entry], loading: Callable[[str], None] = lambda key: None) -> list[Contender]:
    """Load one after another, `loading` hears of each before; a name that is missing altogether gets one row."""
    loaded: list[Contender] = []
    for entry in entries:
        loading(entry.key)
        loaded.append(entry.load())
    return _one_row_for_what_is_missing(loaded)


def _one_row_for_what_is_missing(loaded: list[Contender]) -> list[Contender]:
    rows: list[Contender] = []
    for name in dict.fromkeys(row.name for row in loaded):
        same = [row for row in loaded if row.name == name]
        missing = all(row.infer is None for row in same) and len({row.note for row in same}) == 1
        rows += [absent(name, "", same[0].note)] if missing and len(same) > 1 else same
    return rows
