"""The precisions of a graph, made from its fp32 one and from real training frames."""

from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import Exclusion, Precision
from clipdepth_export.calibration import Feeds, activation_ranges, largest_values
from clipdepth_export.gate import depth_of, judge
from clipdepth_export.half import half, rounded
from clipdepth_export.int8 import Quantizer, quantize
from clipdepth_export.reference import Track
from clipdepth_train.data.sample import evenly_spread

CALIBRATION_FRAMES = 64
"""Training frames that int8's ranges are taken from."""
JUDGED, PROBED = 16, 4
"""Of those, how many a graph is judged on while layers are chosen, and a single layer."""
SAFETY = 0.5
"""The share of the tolerance that calibration frames may use up: a network is surer of frames it was trained on."""


@dataclass(frozen=True)
class Variant:
    """A graph of some precision, and the layers it leaves in fp32."""

    model: onnx.ModelProto
    excluded: list[Exclusion]
    judged: onnx.ModelProto
    """What computes on this machine as a device would: the graph itself, unless ONNX Runtime would not round."""


class Variants:
    """Makes the precisions of the fp32 graph `graph`, calibrated on `training` frames; fp32 needs none."""

    def __init__(self, graph: Path, training: Golden | None, kind: DepthKind, track: Track) -> None:
        self._graph = graph
        self._model = onnx.load(graph)
        self._training = training
        self._kind = kind
        self._track = track

    def make(self, precision: Precision, tolerance: Tolerance) -> Variant:
        """Make a precision; raises VerificationError where int8 cannot hold `tolerance`."""
        if precision == "fp16":
            return self._fp16()
        return self._int8(tolerance) if precision == "int8" else Variant(self._model, [], self._model)

    def _fp16(self) -> Variant:
        largest = largest_values(self._graph, self._track(feeds(self._calibration), "fp16, ranges"))
        model = half(self._model, largest)
        return Variant(model, [], rounded(model))

    def _int8(self, tolerance: Tolerance) -> Variant:
        ranges = activation_ranges(self._graph, self._track(feeds(self._calibration), "int8, ranges"))
        limit = replace(tolerance, mean=SAFETY * tolerance.mean, delta1=tolerance.delta1 and SAFETY * tolerance.delta1)
        few, more = (self._with_depth(count) for count in (PROBED, JUDGED))
        made = quantize(
            Quantizer(self._model, ranges),
            lambda model, probe: judge(model, few if probe else more, limit, self._kind),
            self._track,
        )
        return Variant(made.model, made.excluded, made.model)

    @property
    def _calibration(self) -> Golden:
        assert self._training is not None
        return self._training

    def _with_depth(self, count: int) -> Golden:
        """Calibration frames with the fp32 graph's depth, which was held to PyTorch's."""
        chosen = self._calibration.at(evenly_spread(len(self._calibration.frames), count))
        return replace(chosen, depth=depth_of(self._model, chosen))


def feeds(frames: Golden) -> list[Feeds]:
    """The graph's inputs, one frame each."""
    masks = frames.segmentation
    pairs = ({"frame": frame[None]} for frame in frames.frames)
    if masks is None:
        return list(pairs)
    return [{**pair, "segmentation": painted[None]} for pair, painted in zip(pairs, masks, strict=True)]
