"""CLIPs of OpenAI's and Apple's kinds that are small enough for tests; importing this tells open_clip of them."""

from pathlib import Path
from typing import Any

import open_clip
from timm.models import register_model
from timm.models.fastvit import FastVit, fastvit_mci0

TINY_CLIP = "tiny-clip"
CHANNELS = (16, 64, 128, 256, 512)
"""Of the ResNet's trunk, at strides 2 to 32; the text features have 256."""
TINY_VIT = "tiny-vit"
"""A ViT with 5 blocks of 48 channels, patches of 16×16, and position embeddings for a picture of 64×64."""
TINY_MOBILE = "tiny-mobile"
"""MobileCLIP2-S0 with fewer blocks of a quarter of the channels: every kind of layer that it has."""


@register_model
def fastvit_tiny(pretrained: bool = False, **options: Any) -> FastVit:
    """The trunk of TINY_MOBILE, by the name that its config gives timm."""
    made: FastVit = fastvit_mci0(pretrained, layers=(1, 1, 1, 1), embed_dims=(32, 64, 128, 256), **options)
    return made


for _name in (TINY_CLIP, TINY_VIT, TINY_MOBILE):
    open_clip.add_model_config(Path(__file__).with_name(f"{_name}.json"))
