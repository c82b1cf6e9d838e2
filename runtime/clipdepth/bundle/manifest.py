"""What a bundle says of itself: `manifest.json`, read by typed, validating code."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

import msgspec

from clipdepth.bundle.agreement import MOST_LOOSENED, Agreement, Tolerance, largest_mean, looser_limits
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.metrics import Align, DepthMetrics
from clipdepth.bundle.record import FileName, Positive, Record, Sha256, Share, decode_record
from clipdepth.bundle.sam_record import SamRecord
from clipdepth.errors import BundleError, UsageError

SCHEMA = 3
MANIFEST = "manifest.json"
LARGEST_MANIFEST = 16 << 20
"""Bytes of a manifest that are read, at most."""

Precision = Literal["fp32", "fp16", "int8"]
"""What a graph computes in; it stands in the graph itself, as half tensors or as Q/DQ."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Placement = Literal["cpu", "tensorrt"]
"""Whose rules the Q/DQ of an int8 graph follow: ONNX Runtime's and OpenVINO's on processors, or TensorRT's."""


def label_of(precision: Precision, placement: Placement | None) -> str:
    """What people call a graph: by its precision and, where there is one for each, its placement; 'int8 cpu'."""
    return f"{precision} {placement}" if placement else precision


PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]


class Model(Record, frozen=True):
    """The network inside: what made it, its size and its cost a frame (2 per multiply-add)."""

    recipe: dict[str, Any]
    """The recipe that trained it; empty where clipdepth did not."""
    parameters: Positive
    flops: Positive
    checkpoint_sha256: Sha256
    """Of the checkpoint of a run, or of the weights of any other model: tells one network from another."""
    origin: str = ""
    """Where the model came from, such as 'hf:OWNER/NAME@REVISION'; empty for a run of clipdepth."""


class InputSize(Record, frozen=True):
    """The frames the graphs take: their size in pixels, and how many at once at most."""

    height: Positive
    width: Positive
    max_batch: Positive = 1

    def __str__(self) -> str:
        return f"{self.height}×{self.width}"


class DepthRange(Record, frozen=True):
    """The smallest and largest depth the graph can answer, in metres."""

    minimum: PositiveFloat
    maximum: PositiveFloat


class TrainingCamera(Record, frozen=True):
    """The training camera's focal lengths, in pixels of the input size; depth is metric for such a camera."""

    fx: PositiveFloat
    fy: PositiveFloat

    @property
    def focal(self) -> float:
        """The geometric mean of both."""
        return math.sqrt(self.fx * self.fy)


class Licence(Record, frozen=True):
    """What a part of the bundle may be used for."""

    part: str
    licence: str


CODE = Licence("clipdepth code", "MIT")
"""What every bundle states of itself."""


class Exclusion(Record, frozen=True):
    """A layer that a quantised graph leaves in fp32, and why."""

    layer: str
    reason: str


class Graph(Record, frozen=True):
    """A graph's file, the number of its operators, and what its verification against PyTorch fp32 measured.

    `excluded` are the layers of a quantised graph that are not in int8.
    """

    file: FileName
    precision: Precision
    opset: Positive
    operators: Positive
    verification: Agreement
    excluded: Sequence[Exclusion] = ()
    placement: Placement | None = None
    """Whose int8 graph it is; None where every engine takes the same one."""
    weights: FileName | None = None
    """The file of its large weights, which it shares with others of its precision; None where they are inside."""

    @property
    def files(self) -> list[str]:
        """The names of all that an engine reads."""
        return [self.file, *([self.weights] if self.weights else [])]

    @property
    def label(self) -> str:
        """See `label_of`."""
        return label_of(self.precision, self.placement)

    def suits(self, placement: Placement) -> bool:
        """Whether an engine that takes that placement takes this graph."""
        return self.placement in (None, placement)


class StoredFile(Record, frozen=True):
    """What a file must be, byte for byte."""

    sha256: Sha256
    size: Positive


class StatedConfidence(Record, frozen=True):
    """What confidence was worth on the pixels that accuracy was measured on; see `clipdepth.bundle.confidence`."""

    stated: Share
    """The mean confidence."""
    observed: Share
    """The share of pixels whose depth is within 10% of the truth."""
    covered: Share
    """The share of pixels whose truth lies in the interval of 90%."""
    surest: float
    """By how much rel changes without the least sure fifth of the pixels, as a share: -0.1 is a tenth less."""


class Accuracy(Record, frozen=True):
    """What 'clipdepth evaluate' measured of the run that a bundle was exported from, in PyTorch fp32.

    With `align` median each image's depth was first scaled to its true median.
    """

    data: str
    split: Literal["test", "train"]
    frames: Positive
    crop: Literal["all", "eigen", "paper"]
    mirrored: bool
    metrics: DepthMetrics
    align: Align = "none"
    confidence: StatedConfidence | None = None
    """None where it was not measured."""


class OtherSize(Record, frozen=True):
    """What a bundle has for another size of input than its first: the same network, and the same weights on disk."""

    input: InputSize
    graphs: Annotated[list[Graph], msgspec.Meta(min_length=1)]
    golden: FileName


class Manifest(Record, frozen=True):
    """The whole of `manifest.json`; `input`, `graphs` and `golden` are those of its first size."""

    schema: int
    name: str
    written_by: dict[str, str]
    model: Model
    input: InputSize
    depth: DepthRange | None
    """None where the answer is not in metres."""
    camera: TrainingCamera | None
    """None where it is not known."""
    licences: list[Licence]
    graphs: Annotated[list[Graph], msgspec.Meta(min_length=1)]
    golden: FileName
    files: dict[FileName, StoredFile]
    sam: SamRecord | None = None
    """Segment Anything, for a model that takes its masks."""
    description: str = ""
    """In a line: the trunk, and the data it was trained on."""
    accuracy: list[Accuracy] = msgspec.field(default_factory=list)
    weights: FileName | None = None
    """The network's weights, to train on from, in safetensors; no device needs them."""
    kind: DepthKind = METRIC
    """What the graphs answer."""
    other_sizes: list[OtherSize] = msgspec.field(default_factory=list)
    """Further sizes, each with the same precisions; the training camera's focal length in pixels is that of all."""
    confidence: bool = False
    """Whether the graphs say how sure they are of each pixel, and how novel a frame is, as a second and a third output;
    see `clipdepth.bundle.confidence`."""

    @property
    def inputs(self) -> tuple[InputSize, ...]:
        """All sizes, the first one first."""
        return (self.input, *(other.input for other in self.other_sizes))

    def at(self, height: int, width: int) -> "Manifest":
        """Of that size alone, which has to be among `inputs`."""
        if (height, width) == (self.input.height, self.input.width):
            return msgspec.structs.replace(self, other_sizes=[]) if self.other_sizes else self
        other = next(each for each in self.other_sizes if (each.input.height, each.input.width) == (height, width))
        return msgspec.structs.replace(
            self, input=other.input, graphs=other.graphs, golden=other.golden, other_sizes=[]
        )

    @property
    def sizes(self) -> list["Manifest"]:
        """Of each size alone."""
        return [self.at(size.height, size.width) for size in self.inputs]

    @property
    def precisions(self) -> list[Precision]:
        """Each once, in the order of the graphs."""
        return list(dict.fromkeys(graph.precision for graph in self.graphs))

    def tolerance(self, precision: str) -> Tolerance:
        """What the graphs of that precision are held to."""
        return next(graph.verification.tolerance for graph in self.graphs if graph.precision == precision)

    def bytes_of(self, graph: Graph) -> int:
        """The size of a graph, weights included."""
        return sum(self.files[name].size for name in graph.files)

    def looser_limits(self, precision: str) -> str | None:
        """See `agreement.looser_limits`, of the graphs of that precision."""
        return looser_limits(precision, self.tolerance(precision))

    def least_confidence(self, asked: float | None, option: str) -> float:
        """The confidence that depth needs, 0 where none is asked for.

        Raises UsageError, which names the option, for a number that is no probability and for a model that states none.
        """
        if asked is None:
            return 0.0
        if not 0 <= asked <= 1:
            raise UsageError(f"{option} is {asked:g}; give a number from 0 to 1")
        if not self.confidence:
            raise UsageError(
                f"{option}: {self.name} does not state how sure it is; leave it out, or export a run after "
                "'clipdepth confidence'"
            )
        return asked


def decode_manifest(data: bytes, where: str, any_tolerance: bool = False) -> Manifest:
    """Read and check `data`; raises BundleError naming `where`, the field and the remedy.

    With `any_tolerance` depth may differ from PyTorch's by anything: for random weights, which are only timed.
    """
    manifest = decode_record(data, Manifest, SCHEMA, where, "export the bundle again")
    for size in manifest.sizes:
        _check_consistency(size, where)
        if not any_tolerance:
            _check_tolerances(size, where)
    _check_sizes(manifest, where)
    return manifest


def _check_sizes(manifest: Manifest, where: str) -> None:
    """Raise BundleError where a size is there twice, or has other graphs than the first."""
    labels, seen = [graph.label for graph in manifest.graphs], set[tuple[int, int]]()
    for size in manifest.sizes:
        shape = size.input.height, size.input.width
        named = f"{where}: field other_sizes: {shape[0]}×{shape[1]}"
        if shape in seen:
            raise BundleError(f"{named} is there twice; export the bundle again")
        if [graph.label for graph in size.graphs] != labels or size.input.max_batch != manifest.input.max_batch:
            raise BundleError(f"{named} has other graphs, or another batch, than the first; export the bundle again")
        if any(size.tolerance(each) != manifest.tolerance(each) for each in manifest.precisions):
            raise BundleError(f"{named} has other tolerances than the first; export the bundle again")
        seen.add(shape)


def _check_tolerances(manifest: Manifest, where: str) -> None:
    for graph in manifest.graphs:
        mean, most = graph.verification.tolerance.mean, largest_mean(graph.precision)
        if mean > most:
            raise BundleError(
                f"{where}: field graphs: the tolerance of {graph.label}: mean {mean:g} is beyond {most:g}, "
                f"{MOST_LOOSENED} times what {graph.precision} may differ by; export the bundle again"
            )
        if manifest.confidence and not graph.verification.holds_confidence:
            raise BundleError(
                f"{where}: field graphs: confidence or novelty of {graph.label} is held to nothing; "
                "export the bundle again"
            )


def _check_consistency(manifest: Manifest, where: str) -> None:
    named = {f"graphs[{place}].file": graph.file for place, graph in enumerate(manifest.graphs)}
    named |= {f"graphs[{place}].weights": graph.weights for place, graph in enumerate(manifest.graphs) if graph.weights}
    named |= {"golden": manifest.golden} | ({"weights": manifest.weights} if manifest.weights else {})
    for field, file in named.items():
        if file not in manifest.files:
            raise BundleError(f"{where}: field {field}: {file} is not in files; export the bundle again")
    if (manifest.depth is None) == (manifest.kind == METRIC):
        has = "has no range" if manifest.depth is None else "has a range in metres"
        raise BundleError(f"{where}: field depth: it {has}, and kind is {manifest.kind}; export the bundle again")
    if manifest.depth is not None and manifest.depth.minimum >= manifest.depth.maximum:
        raise BundleError(f"{where}: field depth: minimum is not below maximum; export the bundle again")
    problem = manifest.sam.problem(manifest.files) if manifest.sam else None
    if problem:
        raise BundleError(f"{where}: field sam.{problem}; export the bundle again")
    for graph in manifest.graphs:
        if not graph.verification.passed:
            raise BundleError(f"{where}: field graphs: {graph.label} did not pass its verification; export again")
    _check_labels(manifest, where)


def _check_labels(manifest: Manifest, where: str) -> None:
    """Raise BundleError where an engine would find two graphs of a precision, or limits that differ."""
    for precision in manifest.precisions:
        graphs = [graph for graph in manifest.graphs if graph.precision == precision]
        placements = [graph.placement for graph in graphs]
        if len(set(placements)) < len(placements) or (len(placements) > 1 and None in placements):
            raise BundleError(f"{where}: field graphs: it has two {graphs[0].label} graphs; export the bundle again")
        if any(graph.verification.tolerance != graphs[0].verification.tolerance for graph in graphs):
            raise BundleError(f"{where}: field graphs: {precision} has two tolerances; export the bundle again")
