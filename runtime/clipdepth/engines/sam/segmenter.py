"""From a frame to Segment Anything's masks, by the graphs in a folder."""

from pathlib import Path

from clipdepth.bundle.sam_record import SamRecord
from clipdepth.engines import usable_cores
from clipdepth.engines.sam.generator import MaskGenerator
from clipdepth.engines.sam.painting import COLOURING
from clipdepth.errors import BundleError, MissingExtraError


def load_segmenter(folder: Path, sam: SamRecord, precision: str = "fp32", threads: int | None = None) -> MaskGenerator:
    """Load the graphs of `precision` from `folder` on ONNX Runtime with `threads` threads (all usable cores).

    Raises UsageError for a precision it does not have, BundleError where masks are painted differently by now,
    MissingExtraError where ONNX Runtime is not installed, EngineError where it refuses a graph.
    """
    graphs = sam.of(precision)
    if sam.colouring != COLOURING:
        raise BundleError(
            f"{folder} goes with colouring {sam.colouring} of SAM's masks, this clipdepth paints {COLOURING}; "
            "train and export again, or install the version of clipdepth that wrote it"
        )
    try:
        from clipdepth.engines.sam.graphs import load
    except ModuleNotFoundError as error:
        raise MissingExtraError("SAM", error.name or "onnxruntime", "cpu") from None
    encoder, decoder = (load(folder / name, threads or usable_cores()) for name in (graphs.encoder, graphs.decoder))
    return MaskGenerator(
        encoder,
        decoder,
        sam.image_size,
        sam.points_per_side,
        sam.pred_iou_thresh,
        sam.stability_score_thresh,
    )
