"""A CLIP of OpenAI's ResNet kind that is small enough for tests; importing this tells open_clip of it."""

from pathlib import Path

import open_clip

TINY_CLIP = "tiny-clip"
CHANNELS = (16, 64, 128, 256, 512)
"""Of the trunk, at strides 2 to 32; the text features have 256."""

open_clip.add_model_config(Path(__file__).with_name(f"{TINY_CLIP}.json"))
