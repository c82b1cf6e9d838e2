"""The depth models of transformers: what each family answers, and which pictures it takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.errors import UsageError
from clipdepth_train.imported.framed import Answer, Resizing

FARTHEST = 1e4
"""Metres: the largest depth that Depth Pro's processor lets through."""


def _predicted(given: Any) -> Tensor:
    depth: Tensor = given.predicted_depth
    return depth


@dataclass(frozen=True)
class Family:
    """What a model's config says of it, and what we know of its family."""

    kind: DepthKind | None
    """None where neither the config nor its trunk tells."""
    kind_is_sure: bool = True
    """Whether the config says so itself, so that --kind can add nothing."""
    max_depth: float | None = None
    """Metres, of a metric model; None where the config does not tell."""
    multiple: int = 1
    """Pixels that height and width are a multiple of."""
    fixed: tuple[int, int] | None = None
    """The only height and width that it takes."""
    answer: Answer = _predicted
    resizing: Resizing = "bicubic"
    """How its processor brings the answer to the picture's size."""
    finds_focal: bool = False
    """Whether it estimates the camera's focal length itself."""
    may_pad: bool = False
    """Whether the padding of its processor may be left out."""


def family_of(config: Any, named: str) -> Family:
    """The family of a config of transformers; raises UsageError for one that cannot be exported."""
    if config.model_type in _REFUSED:
        raise UsageError(f"{named} is a {config.model_type} model, which {_REFUSED[config.model_type]}")
    make = FAMILIES.get(config.model_type)
    if make is None:
        known = ", ".join(FAMILIES)
        raise UsageError(f"{named} is a {config.model_type} model, which clipdepth cannot frame; it knows {known}")
    return make(config, named)


def _depth_anything(config: Any, named: str) -> Family:
    if config.depth_estimation_type == "metric":
        return Family(METRIC, max_depth=_metres(config.max_depth), multiple=_pixels(config.patch_size))
    return Family("disparity", multiple=_pixels(config.patch_size))


def _dpt(config: Any, named: str) -> Family:
    backbone = config.backbone_config
    patch = config.patch_size if config.is_hybrid or backbone is None else getattr(backbone, "patch_size", 1)
    # MiDaS, on any other trunk, answers disparity; DINOv2's heads answer metres, as do others' on its trunk, or not.
    kind: DepthKind | None = None if backbone is not None and backbone.model_type == "dinov2" else "disparity"
    return Family(kind, kind_is_sure=False, multiple=_pixels(patch))


def _glpn(config: Any, named: str) -> Family:
    return Family(METRIC, max_depth=_metres(config.max_depth), multiple=math.prod(config.strides))


def _zoedepth(config: Any, named: str) -> Family:
    bins = config.bin_configurations
    if len(bins) > 1:
        heads = ", ".join(str(head.get("name")) for head in bins)
        raise UsageError(
            f"{named} chooses one of several heads ({heads}) for each picture, which no graph can; export a model "
            "with one, such as hf:Intel/zoedepth-nyu"
        )
    patch = _pixels(config.backbone_config.patch_size)
    return Family(METRIC, max_depth=_metres(bins[0]["max_depth"]), multiple=patch, may_pad=True)


def _depth_pro(config: Any, named: str) -> Family:
    side = round(_pixels(config.patch_size) / min(config.scaled_images_ratios))
    if not config.use_fov_model:
        raise UsageError(f"{named} has no field of view (use_fov_model), without which its depth is not in metres")
    return Family(
        METRIC,
        max_depth=FARTHEST,
        fixed=(side, side),
        answer=_metres_of_canonical,
        resizing="bilinear",
        finds_focal=True,
    )


def _tipsv2(config: Any, named: str) -> Family:
    patch = _pixels(config.backbone_config.patch_size)
    return Family(METRIC, max_depth=_metres(config.max_depth), multiple=patch, resizing="bilinear")


def _metres_of_canonical(given: Any) -> Tensor:
    """Depth Pro (Bochkovskii et al., 2024), equation 1: canonical inverse depth to metres, by the field of view."""
    half = 0.5 * torch.deg2rad(given.field_of_view.float())  # in a network of half precision too
    width_by_focal = 2 * half.sin() / half.cos()
    inverse = given.predicted_depth.float() * width_by_focal[:, None, None]
    depth: Tensor = 1 / inverse.clamp(1 / FARTHEST, FARTHEST)
    return depth


def _metres(stated: Any) -> float | None:
    """A config's largest depth, which is often an integer."""
    return float(stated) if stated else None


def _pixels(patch: Any) -> int:
    """A patch's side; of one that is not square, what both sides divide."""
    return math.lcm(*patch) if isinstance(patch, list | tuple) else int(patch)


FAMILIES: dict[str, Callable[[Any, str], Family]] = {
    "depth_anything": _depth_anything,
    "dpt": _dpt,
    "glpn": _glpn,
    "zoedepth": _zoedepth,
    "depth_pro": _depth_pro,
    "tipsv2_dpt": _tipsv2,
}
"""From the `model_type` of a config to its family."""
_REFUSED = {
    "prompt_depth_anything": "answers metres only with a prompt of a depth sensor, which a bundle does not take; "
    "export a depth_anything model",
    "chmv2": "answers the height of trees seen from above, not depth; choose another model",
}
