"""A pretrained vision transformer without its head, as a source of features after several of its blocks."""

from collections.abc import Sequence
from typing import Any

import torch
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer as ClipTransformer
from timm.layers.format import Format
from timm.layers.patch_embed import PatchEmbed
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.trunk import Trunk, load_visual, trunk_colours


class HeldRope(nn.Module):
    """Rotary position embeddings of one grid, in place of timm's module that makes them for any."""

    embeddings: Tensor

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        self.register_buffer("embeddings", embeddings)

    def get_embed(self, shape: tuple[int, int]) -> Tensor:
        """What was made, as timm's module gives it; `shape` is the grid's."""
        return self.embeddings


class TransformerTrunk(Trunk):
    """The vision transformer of a CLIP model, open_clip's own or timm's (SigLIP), or one of timm's (DINOv2, DINOv3).

    Features are those of the patches after each of `blocks`, counted from 1 and rising, through the network's last
    norm; later blocks and the head are dropped. All have the stride and channels of the patches. Position embeddings
    are resized to the image's grid, bicubically with antialiasing; rotary ones, DINOv3's, are made for it.
    Raises UsageError for another network, blocks that it does not have, and, when called, an image whose height or
    width is no multiple of the patch's.
    """

    def __init__(self, visual: nn.Module, blocks: Sequence[int], colours: tuple[Any, Any]) -> None:
        super().__init__(colours)
        self.visual: Any = visual.trunk if isinstance(visual, TimmModel) else visual
        self._indices = [block - 1 for block in blocks]
        if type(self.visual) is ClipTransformer:
            self._prepare_clip()
        elif type(self.visual) in (VisionTransformer, Eva) and type(self.visual.patch_embed) is PatchEmbed:
            self._prepare_timm()
        else:
            raise UsageError(
                f"the trunk {type(self.visual).__name__} is no plain vision transformer; "
                "name one such as ViT-B-16-quickgelu, ViT-B-16-SigLIP or vit_small_patch14_dinov2"
            )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        require_multiples(self.strides[0], image.shape[2], image.shape[3])
        if isinstance(self.visual, ClipTransformer):
            return self._clip_features(image)
        features: list[Tensor] = self.visual.forward_intermediates(
            image, indices=self._indices, norm=True, intermediates_only=True
        )
        return tuple(features)

    def fix_size(self, height: int, width: int) -> None:
        """See Trunk."""
        if isinstance(self.visual, ClipTransformer):
            grid = height // self.strides[0], width // self.strides[0]
            self.visual.positional_embedding = nn.Parameter(self._positions(grid), requires_grad=False)
            self.visual.grid_size = grid
        else:
            self.visual.set_input_size(img_size=(height, width))
            self._let_timm_resize(False)
            if getattr(self.visual, "rope", None) is not None:
                self.visual.rope = HeldRope(self.visual.rope.get_embed(shape=self.visual.patch_embed.grid_size))

    def _prepare_clip(self) -> None:
        visual, (stride, _) = self.visual, self.visual.patch_size
        self._require_blocks(len(visual.transformer.resblocks))
        visual.transformer.prune_intermediate_layers(self._indices)
        visual.proj = visual.attn_pool = None
        self._describe(visual.conv1.out_channels, stride)

    def _prepare_timm(self) -> None:
        visual = self.visual
        self._require_blocks(len(visual.blocks))
        visual.prune_intermediate_layers(self._indices, prune_norm=False, prune_head=True)
        self._let_timm_resize(True)
        self._describe(visual.embed_dim, visual.patch_embed.patch_size[0])

    def _require_blocks(self, there: int) -> None:
        if self._indices[-1] >= there:
            asked = " ".join(str(index + 1) for index in self._indices)
            raise UsageError(f"--model.blocks {asked}: the trunk has {there} blocks; give four from 1 to {there}")

    def _describe(self, channels: int, stride: int) -> None:
        self.channels = (channels,) * len(self._indices)
        self.strides = (stride,) * len(self._indices)

    def _let_timm_resize(self, resize: bool) -> None:
        """Set what timm's `dynamic_img_size` sets when it builds a model, as open_clip does not."""
        patches = self.visual.patch_embed
        self.visual.dynamic_img_size = resize
        patches.strict_img_size, patches.flatten = not resize, not resize
        patches.output_fmt = Format.NHWC if resize else Format.NCHW

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """CLIP's position embeddings of its class token and a grid of patches: (1 + rows · columns, channels)."""
        held: Tensor = self.visual.positional_embedding
        if self.visual.grid_size == grid:
            return held
        resized: Tensor = resample_abs_pos_embed(held[None], list(grid), list(self.visual.grid_size))[0]
        return resized

    def _clip_features(self, image: Tensor) -> tuple[Tensor, ...]:
        """What open_clip's `forward_intermediates` gives, which takes one size only."""
        visual = self.visual
        patches = visual.conv1(image)
        rows, columns = patches.shape[2:]
        token = visual.class_embedding.expand(image.shape[0], 1, -1)
        tokens = torch.cat([token, patches.flatten(2).transpose(1, 2)], dim=1) + self._positions((rows, columns))
        _, found = visual.transformer.forward_intermediates(visual.ln_pre(tokens), indices=self._indices)
        return tuple(visual.ln_post(x)[:, 1:].transpose(1, 2).unflatten(2, (rows, columns)) for x in found)


def load_transformer(config: PretrainedConfig, blocks: Sequence[int]) -> TransformerTrunk:
    """Build the transformer of `config`, with features after `blocks`, counted from 1.

    Raises UsageError for one that is unknown or no transformer, WeightsError where its weights cannot be had or do
    not fit.
    """
    return TransformerTrunk(load_visual(config), blocks, trunk_colours(config))


def require_multiples(stride: int, height: int, width: int) -> None:
    """Raise UsageError where patches of a side of `stride` pixels do not tile an image."""
    if height % stride or width % stride:
        nearest = (max(round(side / stride), 1) * stride for side in (height, width))
        raise UsageError(
            f"an input of {height}×{width} is no multiple of the trunk's patches of {stride}×{stride}; "
            "give --frames.height {} --frames.width {}".format(*nearest)
        )
