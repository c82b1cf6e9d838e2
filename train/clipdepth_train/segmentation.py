"""Segment Anything's automatic masks of a picture."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import UsageError, WeightsError, unknown_name

# PyTorch and SAM take ten seconds to import and only `Segmenter` needs them, so they are imported where they are used.
if TYPE_CHECKING:
    from segment_anything.modeling import Sam

NO_WEIGHTS = "none"
PUBLISHED = {"vit_b": "sam_vit_b_01ec64.pth", "vit_l": "sam_vit_l_0b3195.pth", "vit_h": "sam_vit_h_4b8939.pth"}
"""The file of each variant's published weights."""
PUBLISHED_AT = "https://dl.fbaipublicfiles.com/segment_anything"
VARIANTS = (*PUBLISHED, "mini")
_POINTS_AT_ONCE_GPU = 64
# The memory of a larger batch is returned and fetched anew at each step: twice as slow.
_POINTS_AT_ONCE_CPU = 8


@dataclass(frozen=True)
class SamConfig:
    """Which Segment Anything (Kirillov et al. 2023), and which of its masks are kept."""

    variant: Literal["vit_b", "vit_l", "vit_h", "mini"]
    """Image encoder; mini is a tiny one without published weights, to try things out on a CPU."""
    weights: str
    """The path of a file as Meta publishes them, or 'none' for random weights, the same each time."""
    points_per_side: int = 32
    """The picture is asked for masks at a grid of this many points a row and a column."""
    pred_iou_thresh: float = 0.88
    """A mask is kept where SAM predicts an overlap with the true object above this; 0 keeps all."""
    stability_score_thresh: float = 0.95
    """A mask is kept where another cutoff changes it little, as overlap of the two; 0 keeps all."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise unknown_name("--sam", self.variant, VARIANTS)
        if self.points_per_side < 1:
            raise UsageError(f"--points-per-side is {self.points_per_side}; it has to be 1 or more")
        for name in ("pred_iou_thresh", "stability_score_thresh"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UsageError(f"--{name.replace('_', '-')} is {value}; it has to be in [0, 1]")


class Segmenter:
    """Segment Anything with its automatic mask generator, on the GPU where there is one.

    Raises WeightsError where the weights are missing or do not fit.
    """

    def __init__(self, config: SamConfig) -> None:
        import torch
        from segment_anything import SamAutomaticMaskGenerator

        gpu = torch.cuda.is_available()
        self._generator = SamAutomaticMaskGenerator(
            load_sam(config).to("cuda" if gpu else "cpu"),
            points_per_side=config.points_per_side,
            points_per_batch=_POINTS_AT_ONCE_GPU if gpu else _POINTS_AT_ONCE_CPU,
            pred_iou_thresh=config.pred_iou_thresh,
            stability_score_thresh=config.stability_score_thresh,
        )

    def __call__(self, frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The masks of `frame`, (H, W, 3) uint8 BGR: (N, H, W) bool, which may overlap and leave pixels out."""
        rgb = np.ascontiguousarray(frame[..., ::-1])
        masks = [record["segmentation"] for record in self._generator.generate(rgb)]
        stacked = np.array(masks, np.bool_).reshape(len(masks), *frame.shape[:2])
        # Without a threshold SAM keeps masks of no pixel too.
        return stacked[stacked.any(axis=(1, 2))]


def load_sam(config: SamConfig) -> "Sam":
    """Build SAM with its weights, on the CPU and in eval mode; raises WeightsError where they are missing or unfit."""
    import torch
    from segment_anything import sam_model_registry

    build: Callable[[], Sam] = _mini if config.variant == "mini" else sam_model_registry[config.variant]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        sam = build().eval()
    if config.weights == NO_WEIGHTS:
        return sam
    path = _weights_file(config)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sam.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch, pickle and zip each raise their own, and advise to trust the file
        remedy = weights_remedy(config.variant)
        raise WeightsError(f"{path} does not hold the weights of SAM's {config.variant}; {remedy}") from error
    return sam


def weights_digest(config: SamConfig) -> str:
    """The SHA-256 of the weights file in hexadecimal digits, or 'none'; raises WeightsError where it is missing."""
    if config.weights == NO_WEIGHTS:
        return NO_WEIGHTS
    return stored_file(_weights_file(config)).sha256


def weights_remedy(variant: str) -> str:
    """What to do about weights that are not there."""
    if variant not in PUBLISHED:
        return f"{variant} has no published weights, give --sam-weights {NO_WEIGHTS} for random ones"
    return (
        f"download {PUBLISHED_AT}/{PUBLISHED[variant]} and give --sam-weights PATH, "
        f"or --sam-weights {NO_WEIGHTS} for random weights"
    )


def _weights_file(config: SamConfig) -> Path:
    path = Path(config.weights)
    if not path.is_file():
        raise WeightsError(f"--sam-weights '{config.weights}' is no file; {weights_remedy(config.variant)}")
    return path


def _mini() -> "Sam":
    """SAM's architecture for pictures of 128×128, with a narrow encoder of two blocks."""
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    size, patch, channels = 128, 16, 32
    grid = size // patch
    encoder = ImageEncoderViT(
        img_size=size,
        patch_size=patch,
        embed_dim=channels,
        depth=2,
        num_heads=2,
        out_chans=channels,
        use_rel_pos=True,
        window_size=4,
        global_attn_indexes=(1,),
    )
    prompts = PromptEncoder(channels, (grid, grid), (size, size), mask_in_chans=16)
    transformer = TwoWayTransformer(depth=2, embedding_dim=channels, num_heads=2, mlp_dim=64)
    decoder = MaskDecoder(transformer_dim=channels, transformer=transformer)
    # Random kernels tile every mask with one chequered pattern over the whole picture; even ones leave blobs.
    with torch.no_grad():
        for upscale in (decoder.output_upscaling[0], decoder.output_upscaling[3]):
            upscale.weight[:] = upscale.weight.mean((2, 3), keepdim=True)
    return Sam(encoder, prompts, decoder)
