"""Tiny models of the families of transformers, with seeded weights, saved as their authors save theirs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import nn

CARD = "---\nlicense: apache-2.0\n---\n# A tiny model\n"
_TRUNK = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
_NECK = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 8}
_VIT = {**_TRUNK, "intermediate_size": 32, "image_size": 32, "patch_size": 8}


def dinov2() -> Any:
    """The trunk of Depth Anything, with patches of 14 pixels."""
    stages = {"out_indices": [1, 2, 3, 4], "apply_layernorm": True, "reshape_hidden_states": False}
    return transformers.Dinov2Config(**_TRUNK, image_size=56, patch_size=14, mlp_ratio=2, **stages)


def beit() -> Any:
    """The trunk of ZoeDepth, with relative positions."""
    stages = {"out_features": ["stage1", "stage2", "stage3", "stage4"], "reshape_hidden_states": False}
    return transformers.BeitConfig(**_VIT, use_relative_position_bias=True, **stages)


def depth_anything(folder: Path, **changes: Any) -> Path:
    """Depth Anything V2, of pictures 56 pixels high."""
    config = transformers.DepthAnythingConfig(
        backbone_config=dinov2(), reassemble_hidden_size=16, head_hidden_size=8, patch_size=14, **_NECK, **changes
    )
    model = transformers.DepthAnythingForDepthEstimation(config)
    size = {"height": 56, "width": 56}
    return save(folder, model, transformers.DPTImageProcessor(size=size, keep_aspect_ratio=True, ensure_multiple_of=14))


def dpt(folder: Path) -> Path:
    """MiDaS 3: DPT on a ViT, which its authors normalise to [-1, 1]."""
    config = transformers.DPTConfig(**{**_VIT, "patch_size": 16}, backbone_out_indices=[0, 1, 2, 3], **_NECK)
    half = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    processor = transformers.DPTImageProcessor(size={"height": 32, "width": 32}, **half)
    return save(folder, transformers.DPTForDepthEstimation(config), processor)


def dpt_hybrid(folder: Path) -> Path:
    """MiDaS 3's hybrid: DPT on a ViT on a BiT."""
    trunk = transformers.BitConfig(
        global_padding="same", layer_type="bottleneck", depths=[1, 1, 1], hidden_sizes=[8, 8, 32, 32], num_groups=4,
        embedding_size=8, out_features=["stage1", "stage2", "stage3"], embedding_dynamic_padding=True,
    )  # fmt: skip
    config = transformers.DPTConfig(
        **{**_VIT, "image_size": 32, "patch_size": 16}, backbone_out_indices=[0, 1, 2, 3], **_NECK, is_hybrid=True,
        backbone_config=trunk, backbone_featmap_shape=[1, 32, 2, 2],
    )  # fmt: skip
    processor = transformers.DPTImageProcessor(size={"height": 32, "width": 32})
    return save(folder, transformers.DPTForDepthEstimation(config), processor)


def dpt_beit(folder: Path) -> Path:
    """MiDaS 3.1: DPT on a BEiT."""
    config = transformers.DPTConfig(backbone_config=beit(), **_NECK)
    processor = transformers.DPTImageProcessor(size={"height": 32, "width": 32}, ensure_multiple_of=32)
    return save(folder, transformers.DPTForDepthEstimation(config), processor)


def dpt_dinov2(folder: Path) -> Path:
    """DINOv2's depth heads, which answer metres."""
    config = transformers.DPTConfig(backbone_config=dinov2(), **_NECK)
    processor = transformers.DPTImageProcessor(size={"height": 56, "width": 56}, ensure_multiple_of=14)
    return save(folder, transformers.DPTForDepthEstimation(config), processor)


def glpn(folder: Path) -> Path:
    """GLPN, of pictures of any size that 32 divides; its processor does not normalise."""
    config = transformers.GLPNConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=8, max_depth=10,
    )  # fmt: skip
    return save(folder, transformers.GLPNForDepthEstimation(config), transformers.GLPNImageProcessor())


def zoedepth(folder: Path, heads: int = 1) -> Path:
    """ZoeDepth with one or several metric heads."""
    bins = [
        {"name": name, "n_bins": 8, "min_depth": 1e-3, "max_depth": most} for name, most in (("nyu", 10), ("kitti", 80))
    ]
    several = {
        "num_patch_transformer_layers": 1, "patch_transformer_hidden_size": 16,
        "patch_transformer_intermediate_size": 16, "patch_transformer_num_attention_heads": 2,
        "bin_centers_type": "softplus", "num_attractors": [4, 4, 4, 4],
    }  # fmt: skip
    config = transformers.ZoeDepthConfig(
        backbone_config=beit(), **_NECK, num_relative_features=8, bottleneck_features=8, bin_embedding_dim=8,
        bin_configurations=bins[:heads], **(several if heads > 1 else {"num_attractors": [4, 4, 2, 1]}),
    )  # fmt: skip
    size = {"height": 32, "width": 64}
    processor = transformers.ZoeDepthImageProcessor(size=size, keep_aspect_ratio=False, ensure_multiple_of=32)
    return save(folder, transformers.ZoeDepthForDepthEstimation(config), processor)


def depth_pro(folder: Path, use_fov_model: bool = True) -> Path:
    """Depth Pro, of pictures of 128×128."""
    trunk = {**_TRUNK, "num_hidden_layers": 2, "image_size": 32, "patch_size": 16, "mlp_ratio": 2}
    trunks = {f"{part}_model_config": transformers.Dinov2Config(**trunk) for part in ("image", "patch", "fov")}
    config = transformers.DepthProConfig(
        patch_size=32, fusion_hidden_size=16, intermediate_hook_ids=[1, 0], intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.25, 0.5, 1.0], scaled_images_feature_dims=[8, 8, 8], use_fov_model=use_fov_model,
        num_fov_head_layers=1, **trunks,
    )  # fmt: skip
    processor = transformers.DepthProImageProcessor(size={"height": 128, "width": 128})
    model = transformers.DepthProForDepthEstimation(config)
    return save(folder, model, processor, field_of_view=60 if use_fov_model else None)


def tipsv2(folder: Path) -> Path:
    """TIPSv2 with a head of depth bins."""
    stages = {"out_indices": [1, 2, 3, 4], "apply_layernorm": True, "reshape_hidden_states": False}
    trunk = transformers.Tipsv2VisionConfig(**{**_VIT, "image_size": 56, "patch_size": 14}, **stages)
    config = transformers.Tipsv2DptConfig(backbone_config=trunk, **_NECK, num_depth_bins=8)
    processor = transformers.Tipsv2DptImageProcessor(size={"height": 56, "width": 56})
    return save(folder, transformers.Tipsv2DptForDepthEstimation(config), processor)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "depth-anything": depth_anything,
    "depth-anything-metric": lambda folder: depth_anything(folder, depth_estimation_type="metric", max_depth=20),
    "dpt": dpt,
    "dpt-hybrid": dpt_hybrid,
    "dpt-beit": dpt_beit,
    "dpt-dinov2": dpt_dinov2,
    "glpn": glpn,
    "zoedepth": zoedepth,
    "depth-pro": depth_pro,
    "tipsv2": tipsv2,
}


def save(folder: Path, model: Any, processor: Any, field_of_view: float | None = None) -> Path:
    """Save a model, with seeded weights whose answer varies, its processor and its card."""
    _enliven(model)
    if field_of_view is not None:
        model.fov_model.head.layers[-1].bias.data.fill_(field_of_view)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder


def pictures(folder: Path, count: int, height: int, width: int) -> Path:
    """Seeded pictures, smooth and with edges."""
    folder.mkdir(parents=True)
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:03}.png"), picture(i, height, width))
    return folder


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """One of them, (height, width, 3) uint8 BGR."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.rectangle(image, (width // 4, height // 4), (width // 2, height // 2), (20 * seed % 256, 200, 90), -1)
    return np.asarray(image, np.uint8)


def _enliven(model: nn.Module) -> None:
    """Give every layer weights that keep the size of what passes, so that the picture still counts at the end."""
    generator = torch.Generator().manual_seed(19)
    for name, parameter in model.named_parameters():
        if parameter.dim() >= 2:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
        elif "norm" not in name and name.endswith("bias"):
            parameter.data.normal_(0.1, 0.1, generator=generator)
        if name in ("head.head.4.bias", "head.conv3.bias", "head.layers.4.bias"):
            parameter.data.fill_(1)  # before a ReLU, which would cut half of the picture away
