"""The precisions of a graph, made from its fp32 one and from real training frames."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import onnx

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import Exclusion, Placement, Precision, label_of
from clipdepth.errors import VerificationError
from clipdepth_export.calibration import Feeds, Statistics, activation_ranges, largest_values, widest
from clipdepth_export.gate import answer_to, judge
from clipdepth_export.graph import ExportError
from clipdepth_export.half import half, rounded
from clipdepth_export.int8.cpu import CpuQuantizer
from clipdepth_export.int8.search import Quantizer, quantize
from clipdepth_export.int8.tensorrt import TensorRtQuantizer
from clipdepth_export.reference import Track
from clipdepth_train.data.sample import evenly_spread

CALIBRATION_FRAMES = 64
"""Training frames of each size: int8's ranges are taken from them, and graphs judged on them while layers are chosen.

Of 16 upright ones chance alone changed δ1 by two points, which left nine good layers of `edge-nyu` out.
"""
PROBED = 4
"""Of those, how many a single layer is judged on."""
SAFETY = 0.5
"""The share of the tolerance that calibration frames may use up: a network is surer of frames it was trained on."""


QuantizerOf = Callable[[onnx.ModelProto, Statistics], Quantizer]

QUANTIZERS: Mapping[Placement, QuantizerOf] = {
    "cpu": CpuQuantizer,
    "tensorrt": TensorRtQuantizer,
}


@dataclass(frozen=True)
class Variant:
    """A graph of some precision, for engines of some placement or for all, and the layers that int8 leaves out."""

    precision: Precision
    placement: Placement | None
    model: onnx.ModelProto
    judged: onnx.ModelProto
    """What computes on this machine as a device would: the graph itself, unless ONNX Runtime would not round."""
    excluded: Sequence[Exclusion] = ()

    @property
    def label(self) -> str:
        """As `Graph.label`."""
        return label_of(self.precision, self.placement)


class Variants:
    """Makes the precisions of a network from its fp32 graphs, one for each size of its input.

    All sizes have the same weights: one set of ranges, taken from the `training` frames of every size, and layers that
    may be int8 at all of them. fp32 needs no frames. Raises ExportError for graphs that differ in more than
    their sizes.
    """

    def __init__(self, graphs: Sequence[Path], training: Sequence[Golden], kind: DepthKind, track: Track) -> None:
        self._graphs = graphs
        self._model, *self._others = (onnx.load(graph) for graph in graphs)
        for other in self._others:
            _require_alike(self._model, other)
        self._training = training
        self._kind = kind
        self._track = track

    def make_all(self, precision: Precision, tolerance: Tolerance) -> tuple[list[list[Variant]], dict[str, str]]:
        """Make the graphs of a precision, each at all sizes; also why some cannot hold `tolerance`, by label."""
        models = [self._model, *self._others]
        if precision == "fp32":
            return [[Variant("fp32", None, model, model) for model in models]], {}
        if precision == "fp16":
            return [[self._fp16(model) for model in models]], {}
        made, refused = list[list[Variant]](), dict[str, str]()
        for placement, kind in QUANTIZERS.items():
            try:
                made.append(self._int8(placement, kind, tolerance))
            except VerificationError as error:
                refused[label_of("int8", placement)] = str(error)
        return made, refused

    def _fp16(self, fp32: onnx.ModelProto) -> Variant:
        model = half(fp32, self._largest)
        return Variant("fp16", None, model, rounded(model))

    @cached_property
    def _statistics(self) -> Statistics:
        found = [
            activation_ranges(graph, self._track(feeds(frames), "int8, ranges")) for graph, frames in self._calibration
        ]
        return Statistics(widest(found), self._largest)

    @cached_property
    def _largest(self) -> dict[str, float]:
        found = [
            largest_values(graph, self._track(feeds(frames), "largest values")) for graph, frames in self._calibration
        ]
        return {name: max(each[name] for each in found) for name in found[0]}

    def _int8(self, placement: Placement, kind: QuantizerOf, tolerance: Tolerance) -> list[Variant]:
        quantizer, *others = (kind(model, self._statistics) for model in (self._model, *self._others))
        limit = replace(tolerance, mean=SAFETY * tolerance.mean, delta1=tolerance.delta1 and SAFETY * tolerance.delta1)
        more, *of_others = self._judged
        few = more.at(evenly_spread(len(more.frames), PROBED))

        def elsewhere(layers: Sequence[str]) -> bool:
            # By the whole tolerance: in shapes that few training pictures have, chance alone changes δ1 by half of it.
            return all(
                judge(other.as_run(other(layers)), frames, tolerance, self._kind).passed
                for other, frames in zip(others, of_others, strict=True)
            )

        made = quantize(
            quantizer,
            lambda model, probe: judge(model, few if probe else more, limit, self._kind),
            self._track,
            elsewhere,
        )
        models = [(quantizer, made.model), *((other, other(made.layers)) for other in others)]
        return [Variant("int8", placement, model, of_size.as_run(model), made.excluded) for of_size, model in models]

    @cached_property
    def _judged(self) -> list[Golden]:
        """The calibration frames of each size with the fp32 graph's depth."""
        models = (self._model, *self._others)
        return [_with_depth(model, frames) for model, frames in zip(models, self._training, strict=True)]

    @property
    def _calibration(self) -> list[tuple[Path, Golden]]:
        """Each graph with its training frames."""
        return list(zip(self._graphs, self._training, strict=True))


def _with_depth(model: onnx.ModelProto, frames: Golden) -> Golden:
    """Calibration frames with the fp32 graph's answers, which were held to PyTorch's."""
    return replace(frames, **answer_to(model, frames)._asdict())


def _require_alike(first: onnx.ModelProto, other: onnx.ModelProto) -> None:
    """Raise ExportError where two graphs differ in more than the sizes of what flows through them."""
    if [_told(node) for node in first.graph.node] != [_told(node) for node in other.graph.node]:
        raise ExportError(
            "this network is another graph at another size, so that one bundle cannot hold both; export each --size "
            "to a bundle of its own"
        )


def _told(node: onnx.NodeProto) -> tuple[str, list[str], list[str]]:
    return node.op_type, list(node.input), list(node.output)


def feeds(frames: Golden) -> list[Feeds]:
    """The graph's inputs, one frame each."""
    masks = frames.segmentation
    pairs = ({"frame": frame[None]} for frame in frames.frames)
    if masks is None:
        return list(pairs)
    return [{**pair, "segmentation": painted[None]} for pair, painted in zip(pairs, masks, strict=True)]
