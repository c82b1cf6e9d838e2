"""What the roofline found, as JSON holds it."""

from clipdepth.bundle.record import Record


class Rate(Record, frozen=True):
    """The best rate of a large matrix product, through a library that engines use."""

    device: str
    """'CPU' or 'CUDA'."""
    precision: str
    library: str
    size: int
    """Of the square matrices."""
    gops: float
    """10^9 operations a second, 2 per multiply-add."""


class Bandwidth(Record, frozen=True):
    """The best rate of a = b + s c over three arrays too large for the caches (McCalpin's STREAM triad)."""

    device: str
    array_mb: float
    """Of each array, 10^6 bytes."""
    gb_per_s: float
    """10^9 bytes a second, each array counted once."""


class Work(Record, frozen=True):
    """What layers ask for, a frame."""

    operations: dict[str, int]
    """By the precision they are done in, 2 per multiply-add."""
    weight_bytes: int
    activation_bytes: int
    """What the layers read besides weights, and write, each layer by itself."""
    port_bytes: int
    """The graph's inputs and outputs; 0 for a part of a graph."""

    @property
    def all_operations(self) -> int:
        """Of every precision."""
        return sum(self.operations.values())

    @property
    def once_bytes(self) -> int:
        """What no cache spares: each weight, the inputs and the outputs once."""
        return self.weight_bytes + self.port_bytes


class Floor(Record, frozen=True):
    """The time that work takes at least, and the time it took; milliseconds a frame."""

    work: Work
    compute_ms: float
    """All operations, at the attainable rate of their precision."""
    memory_ms: float
    """What no cache spares, at the memory's bandwidth: each weight, the frame and the depth once."""
    uncached_ms: float
    """The same where every layer's input and output went through memory too; no bound, but a hint at fused layers."""
    took_ms: float | None
    """None where the engine does not tell."""

    @property
    def floor_ms(self) -> float:
        """The larger of both bounds."""
        return max(self.compute_ms, self.memory_ms)

    @property
    def ratio(self) -> float | None:
        """How many times the floor it took; a little below 1 where a matrix product is not the best the machine can."""
        return None if self.took_ms is None or self.floor_ms == 0 else self.took_ms / self.floor_ms


class RooflineRow(Record, frozen=True):
    """An engine with a graph."""

    name: str
    precision: str
    device: str
    whole: Floor
    """Against the p50 of the run."""
    convolutions: Floor
    """Against their own time by the engine's profiler, with what it fused into them."""


class Roofline(Record, frozen=True):
    """The machine's roof, and each engine's distance to it."""

    rates: list[Rate]
    bandwidths: list[Bandwidth]
    rows: list[RooflineRow]
    notes: list[str]
    """What was left out, and why."""
