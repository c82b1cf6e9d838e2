"""CLIPs of OpenAI's kinds that are small enough for tests; importing this tells open_clip of them."""

from pathlib import Path

import open_clip

TINY_CLIP = "tiny-clip"
CHANNELS = (16, 64, 128, 256, 512)
"""Of the ResNet's trunk, at strides 2 to 32; the text features have 256."""
TINY_VIT = "tiny-vit"
"""A ViT with 5 blocks of 48 channels, patches of 16×16, and position embeddings for a picture of 64×64."""

for _name in (TINY_CLIP, TINY_VIT):
    open_clip.add_model_config(Path(__file__).with_name(f"{_name}.json"))
