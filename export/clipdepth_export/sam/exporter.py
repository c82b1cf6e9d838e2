"""Exporting Segment Anything: two graphs a precision, verified, or nothing at all."""

import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch.export import Dim

from clipdepth import __version__
from clipdepth.bundle.manifest import Licence
from clipdepth.bundle.record import encode_record
from clipdepth.bundle.sam_agreement import SAM_TOLERANCES, SamAgreement, SamAnswer
from clipdepth.bundle.sam_folder import SAM_MANIFEST, SAM_SCHEMA, SamManifest, read_sam_manifest
from clipdepth.bundle.sam_record import SamGraphs, SamPrecision, SamRecord
from clipdepth.bundle.stored_file import stored_file
from clipdepth.engines.sam.painting import COLOURING
from clipdepth.errors import BundleError, UsageError
from clipdepth.files.atomic import atomic_folder
from clipdepth_export.graph import OPSET, proto_of, trace
from clipdepth_export.half import rounded
from clipdepth_export.sam.graphs import SamDecoder, SamEncoder
from clipdepth_export.sam.precision import half_sam
from clipdepth_export.sam.storage import LARGEST_GRAPH, save_sam_graph
from clipdepth_export.sam.verification import sam_answer, verify_sam
from clipdepth_train.segmentation import NO_WEIGHTS, SamConfig, load_sam

LOG = logging.getLogger(__name__)
MOST_POINTS = 4096
"""How many points the decoder takes at once at most."""
Frames = Sequence[NDArray[np.uint8]]


def export_sam(
    config: SamConfig,
    out: Path,
    precisions: Sequence[SamPrecision],
    frames: Frames,
    tell: Callable[[str], None] = LOG.info,
) -> SamManifest:
    """Export SAM to the folder `out`, verified on frames, (H, W, 3) uint8 BGR; `tell` hears what is being done.

    Raises WeightsError where weights are missing or unfit; VerificationError, and writes nothing, where graphs
    differ from PyTorch; UsageError where `out` is something else than a folder of SAM.
    """
    if out.exists():
        _require_sam(out)
    with atomic_folder(out) as folder:
        record = write_sam(config, folder, precisions, frames, tell)
        manifest = SamManifest(
            schema=SAM_SCHEMA,
            written_by=_written_by(),
            licences=sam_licences(config),
            sam=record,
            files={name: stored_file(folder / name) for name in record.files},
        )
        (folder / SAM_MANIFEST).write_bytes(encode_record(manifest))
    return manifest


def _require_sam(out: Path) -> None:
    """Raise UsageError where `out` is no folder that may be replaced."""
    try:
        read_sam_manifest(out)
    except (BundleError, OSError):
        raise UsageError(f"{out} exists and holds no {SAM_MANIFEST} of this clipdepth; choose another --out") from None


def write_sam(
    config: SamConfig,
    folder: Path,
    precisions: Sequence[SamPrecision],
    frames: Frames,
    tell: Callable[[str], None] = LOG.info,
    largest: int = LARGEST_GRAPH,
) -> SamRecord:
    """Write SAM's graphs into `folder` and verify them on frames, (H, W, 3) uint8 BGR; raises as `export_sam`.

    Weights of more than `largest` bytes go to a file beside their graph.
    """
    sam = load_sam(config)
    tell(f"running SAM's {config.variant} in PyTorch on {len(frames)} frames")
    answers = [sam_answer(sam, frame) for frame in frames]
    tell("tracing")
    programs = {"encoder": trace_encoder(sam), "decoder": trace_decoder(sam)}
    graphs: dict[SamPrecision, SamGraphs] = {}
    for precision in precisions:
        tell(f"writing and verifying {precision}")
        graphs[precision] = _write(programs, folder, precision, frames, answers, largest)
    return SamRecord(
        variant=config.variant,
        image_size=sam.image_encoder.img_size,
        points_per_side=config.points_per_side,
        pred_iou_thresh=config.pred_iou_thresh,
        stability_score_thresh=config.stability_score_thresh,
        colouring=COLOURING,
        graphs=graphs,
    )


def sam_licences(config: SamConfig) -> list[Licence]:
    """The licences of SAM's code and, where there are any, weights."""
    notes = [Licence(part="segment-anything code", licence="Apache-2.0")]
    if config.weights != NO_WEIGHTS:
        terms = "Apache-2.0 where Meta published them; else that of their publisher"
        notes.append(Licence(part=f"SAM {config.variant} weights ({Path(config.weights).name})", licence=terms))
    return notes


def trace_encoder(sam: Sam) -> torch.onnx.ONNXProgram:
    """Trace `SamEncoder`; raises ExportError where torch cannot."""
    side = sam.image_encoder.img_size
    frame = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    return trace(SamEncoder(sam), {"frame": frame, "size": torch.tensor([side, side])}, ["embedding"])


def trace_decoder(sam: Sam) -> torch.onnx.ONNXProgram:
    """Trace `SamDecoder`, for any number of points; raises ExportError where torch cannot."""
    embedding = torch.zeros(1, sam.prompt_encoder.embed_dim, *sam.prompt_encoder.image_embedding_size)
    points = {"points": {0: Dim("points", min=1, max=MOST_POINTS)}}
    inputs = {"embedding": embedding, "points": torch.zeros(2, 2)}
    return trace(SamDecoder(sam), inputs, ["masks", "iou"], {"embedding": None, **points})


def _write(
    programs: Mapping[str, torch.onnx.ONNXProgram],
    folder: Path,
    precision: SamPrecision,
    frames: Frames,
    answers: Sequence[SamAnswer],
    largest: int,
) -> SamGraphs:
    """Write and verify the two graphs of a precision."""
    names = {part: f"sam-{part}.{precision}.onnx" for part in programs}
    beside = []
    for part, program in programs.items():
        beside += save_sam_graph(_in_precision(proto_of(program), precision), folder / names[part], largest)
    agreement = verify_sam(folder, names, frames, answers, SAM_TOLERANCES[precision])
    if precision == "fp16":
        agreement = _verify_rounded(folder, names, frames, answers)
    return SamGraphs(**names, opset=OPSET, verification=agreement, weights=beside)


def _verify_rounded(
    folder: Path, names: Mapping[str, str], frames: Frames, answers: Sequence[SamAnswer]
) -> SamAgreement:
    """Verify half graphs with every half tensor rounded, as a GPU does: ONNX Runtime's CPU never overflows."""
    with TemporaryDirectory() as copies:
        for name in names.values():
            save_sam_graph(rounded(onnx.load(folder / name)), Path(copies) / name)
        return verify_sam(Path(copies), names, frames, answers, SAM_TOLERANCES["fp16"])


def _in_precision(model: onnx.ModelProto, precision: SamPrecision) -> onnx.ModelProto:
    return half_sam(model) if precision == "fp16" else model


def _written_by() -> dict[str, str]:
    return {
        "clipdepth": __version__,
        "torch": str(torch.__version__),
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
    }
