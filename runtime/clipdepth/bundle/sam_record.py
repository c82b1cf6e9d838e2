"""What a manifest says of Segment Anything: in a bundle whose model needs masks, or in a folder of its own."""

from collections.abc import Container
from typing import Annotated, Literal

import msgspec

from clipdepth.bundle.record import FileName, Positive, Record, Share
from clipdepth.bundle.sam_agreement import SAM_TOLERANCES, SamAgreement
from clipdepth.errors import UsageError

SamPrecision = Literal["fp32", "fp16"]
"""What the graphs compute in; it stands in the graphs themselves."""


class SamGraphs(Record, frozen=True):
    """The two graphs of one precision and what their verification against PyTorch fp32 measured."""

    encoder: FileName
    decoder: FileName
    opset: Positive
    verification: SamAgreement
    weights: list[FileName]
    """Files beside the graphs that hold the weights of those too large for one ONNX file."""

    @property
    def files(self) -> list[str]:
        """Every file these graphs consist of."""
        return [self.encoder, self.decoder, *self.weights]


class SamRecord(Record, frozen=True):
    """Segment Anything as exported, and how its masks are chosen and painted: as in training."""

    variant: str
    image_size: Positive
    """The side of the encoder's square input, in pixels."""
    points_per_side: Positive
    pred_iou_thresh: Share
    stability_score_thresh: Share
    colouring: Positive
    """The version of `paint`'s colours that it goes with."""
    graphs: Annotated[dict[SamPrecision, SamGraphs], msgspec.Meta(min_length=1)]

    def beside(self, precision: str) -> SamPrecision:
        """The precision that goes with a depth graph of `precision`: the same, else the first."""
        return next((name for name in self.graphs if name == precision), next(iter(self.graphs)))

    def of(self, precision: str) -> SamGraphs:
        """The graphs of `precision`; raises UsageError where there are none."""
        for name, graphs in self.graphs.items():
            if name == precision:
                return graphs
        raise UsageError(f"SAM has no {precision} graphs here; it has {', '.join(self.graphs)}")

    def problem(self, stored: Container[str]) -> str | None:
        """What is wrong beyond the types, as 'field: problem'; its files have to be among the `stored` ones."""
        for precision, graphs in self.graphs.items():
            missing = [name for name in graphs.files if name not in stored]
            if missing:
                return f"graphs.{precision}: {missing[0]} is not in files"
            if graphs.verification.tolerance != SAM_TOLERANCES[precision]:
                return f"graphs.{precision}.verification.tolerance: it is not clipdepth's"
            if not graphs.verification.passed:
                return f"graphs.{precision}.verification: it did not pass"
        return None

    @property
    def graph_files(self) -> list[str]:
        """The graphs of every precision."""
        return [name for graphs in self.graphs.values() for name in (graphs.encoder, graphs.decoder)]

    @property
    def files(self) -> list[str]:
        """Every file of every precision."""
        return [name for graphs in self.graphs.values() for name in graphs.files]
