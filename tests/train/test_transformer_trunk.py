"""Features of several blocks of vision transformers, at sizes that they were not trained on."""

import copy
from typing import Any

import numpy as np
import open_clip
import pytest
import timm
import torch
from numpy.typing import NDArray
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.errors import UsageError
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.transformer_trunk import TransformerTrunk, load_transformer
from tiny_clip import TINY_VIT

BLOCKS = (1, 2, 3, 5)
COLOURS = ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
DINOV2, DINOV3 = "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"
KINDS = [TINY_VIT, "test_vit", DINOV2, DINOV3]


def trunk_of(name: str, blocks: tuple[int, ...] = BLOCKS) -> TransformerTrunk:
    torch.manual_seed(0)
    return load_transformer(PretrainedConfig(name, "none"), blocks).eval()


def image(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3))


def features(trunk: nn.Module, picture: Tensor) -> list[Tensor]:
    with torch.no_grad():
        return list(trunk(picture))


def by_pillow(embeddings: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(rows, columns, C) resized by Pillow, whose bicubic filter is antialiased: (height, width, C)."""
    resized = [
        Image.fromarray(channel).resize((width, height), Image.Resampling.BICUBIC)
        for channel in np.moveaxis(embeddings, 2, 0)
    ]
    return np.stack([np.asarray(channel) for channel in resized], axis=2)


def test_clips_features_are_open_clips_own() -> None:
    torch.manual_seed(0)
    visual: Any = open_clip.create_model(TINY_VIT).visual.eval()
    picture = image(64, 64)
    with torch.no_grad():
        given = visual.forward_intermediates(
            picture, [block - 1 for block in BLOCKS], normalize_intermediates=True, intermediates_only=True
        )
    trunk = trunk_of(TINY_VIT)
    assert trunk.channels == (48,) * 4
    assert trunk.strides == (16,) * 4
    for found, expected in zip(features(trunk, picture), given["image_intermediates"], strict=True):
        assert found.shape == (1, 48, 4, 4)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("name", "size"), [("test_vit", (160, 160)), (DINOV2, (518, 518)), (DINOV3, (256, 256))])
def test_timms_features_are_its_own(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = timm.create_model(name).eval()
    with torch.no_grad():
        expected = model.forward_intermediates(
            image(*size), [block - 1 for block in BLOCKS], norm=True, intermediates_only=True
        )
    for found, wanted in zip(features(trunk_of(name), image(*size)), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_siglip_is_a_model_of_timms_in_open_clips_hands() -> None:
    torch.manual_seed(0)
    tower = TimmModel("vit_tiny_patch16_224", 8, image_size=224, pool="")
    trunk = TransformerTrunk(tower, BLOCKS, COLOURS).eval()
    assert trunk.channels == (192,) * 4
    assert [tuple(f.shape) for f in features(trunk, image(48, 80))] == [(1, 192, 3, 5)] * 4


@pytest.mark.parametrize("size", [(64, 96), (32, 128), (112, 48)])
def test_position_embeddings_of_clip_are_resized_as_pillow_and_open_clip_do(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    clip: Any = open_clip.create_model(TINY_VIT).eval()
    other = VisionTransformer(size, 16, 48, 5, 3, 4.0, act_layer=open_clip.transformer.QuickGELU).eval()
    rows, columns = (side // 16 for side in size)
    state = {name: value for name, value in clip.visual.state_dict().items() if name != "proj"}
    held = state["positional_embedding"].numpy()
    resized = by_pillow(held[1:].reshape(4, 4, 48), rows, columns).reshape(-1, 48)
    state["positional_embedding"] = torch.from_numpy(np.concatenate([held[:1], resized]))
    other.load_state_dict(state, strict=False)
    if rows * columns != 16:  # open_clip takes as many patches for the same grid
        whole = nn.Module()
        whole.visual = other
        its_own = {"visual.positional_embedding": torch.from_numpy(held)}
        open_clip.model.resize_pos_embed(its_own, whole)
        np.testing.assert_allclose(its_own["visual.positional_embedding"], state["positional_embedding"], atol=1e-5)
    with torch.no_grad():
        given = other.forward_intermediates(
            image(*size), [block - 1 for block in BLOCKS], normalize_intermediates=True, intermediates_only=True
        )
    for found, expected in zip(features(trunk_of(TINY_VIT), image(*size)), given["image_intermediates"], strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_position_embeddings_of_timms_models_are_resized_as_pillow_does() -> None:
    torch.manual_seed(0)
    model, other = timm.create_model(DINOV2), timm.create_model(DINOV2, img_size=(70, 112)).eval()
    state = model.state_dict()
    assert state["pos_embed"].shape == (1, 37 * 37, 384), "the class token and the registers have none"
    held = state["pos_embed"].numpy().reshape(37, 37, 384)
    state["pos_embed"] = torch.from_numpy(by_pillow(held, 5, 8).reshape(1, 40, 384))
    other.load_state_dict(state)
    with torch.no_grad():
        expected = other.forward_intermediates(
            image(70, 112), [block - 1 for block in BLOCKS], norm=True, intermediates_only=True
        )
    for found, wanted in zip(features(trunk_of(DINOV2), image(70, 112)), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_dinov3_has_rotary_embeddings_of_the_grid() -> None:
    """Siméoni et al. 2025: patch centres from -1 to 1 on each axis, 16 periods from 1 to 100 of 64 channels a head."""
    trunk = trunk_of(DINOV3)
    trunk.fix_size(48, 80)
    rows, columns = (2 * (np.arange(count) + 0.5) / count - 1 for count in (3, 5))
    periods = 100 ** (np.arange(16) / 16)
    angles = [2 * np.pi * np.asarray((y, x))[:, None] / periods for y in rows for x in columns]
    half = np.reshape(angles, (15, 32))
    expected = np.concatenate([f(np.tile(half, 2)) for f in (np.sin, np.cos)], axis=1)
    np.testing.assert_allclose(trunk.visual.rope.get_embed((3, 5)), expected, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_a_trunk_of_one_size_gives_the_same(name: str) -> None:
    trunk = trunk_of(name)
    height, width = 3 * trunk.strides[0], 5 * trunk.strides[0]
    before = features(trunk, image(height, width))
    trunk.fix_size(height, width)
    for found, expected in zip(features(trunk, image(height, width)), before, strict=True):
        torch.testing.assert_close(found, expected)


def closed_form(name: str, grid: tuple[int, int], stride: int, width: int, blocks: int) -> tuple[int, int]:
    """Weights and operations of a plain transformer of two-layer perceptrons of 4 times the width (3 in test_vit)."""
    patches, prefix = grid[0] * grid[1], {TINY_VIT: 1, "test_vit": 1, DINOV2: 5, DINOV3: 5}[name]
    ratio = 3 if name == "test_vit" else 4
    tokens = patches + prefix
    pixels = 3 * stride**2
    # Queries, keys, values and what is made of them; two layers; each norm a scale and a shift for each channel.
    weights = (4 + 2 * ratio) * width**2 + (4 + ratio + 1 + 4) * width
    block_flops = 2 * tokens * (4 + 2 * ratio) * width**2 + 4 * tokens**2 * width
    positions = {TINY_VIT: 17, "test_vit": 101, DINOV2: 37**2, DINOV3: 0}[name]
    around = pixels * width + (prefix + positions) * width + 2 * width  # patches, tokens, last norm
    around += {TINY_VIT: 2, "test_vit": 1, DINOV2: 1, DINOV3: 1}[name] * width  # a norm before, or the patches' bias
    weights += {DINOV2: 2, DINOV3: 2 - 3}.get(name, 0) * width  # layers' scales; DINOv3's projections have no bias
    return blocks * weights + around, blocks * block_flops + 2 * patches * pixels * width


@pytest.mark.parametrize(("name", "width"), [(TINY_VIT, 48), ("test_vit", 64), (DINOV2, 384), (DINOV3, 384)])
def test_parameters_and_operations_are_those_of_a_transformer(name: str, width: int) -> None:
    trunk = trunk_of(name)
    stride = trunk.strides[0]
    weights, flops = closed_form(name, (3, 5), stride, width, BLOCKS[-1])
    assert sum(p.numel() for p in trunk.parameters()) == weights
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with FlopCounterMode(display=False) as counter:
        features(trunk, image(3 * stride, 5 * stride))
    torch.backends.mha.set_fastpath_enabled(fused)
    assert counter.get_total_flops() == flops


def test_a_frozen_trunk_learns_nothing_and_a_free_one_learns_its_positions() -> None:
    trunk = trunk_of(TINY_VIT).train()
    sum(f.sum() for f in trunk(image(64, 96))).backward()  # type: ignore[union-attr]
    assert trunk.visual.positional_embedding.grad.abs().min() > 0
    trunk.freeze()
    assert not trunk.train().training
    assert not any(p.requires_grad for p in trunk.parameters())


@pytest.mark.parametrize(("name", "nearest"), [(TINY_VIT, (96, 128)), (DINOV2, (98, 126))])
def test_a_picture_that_patches_do_not_tile_is_refused(name: str, nearest: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"give --frames.height {} --frames.width {}".format(*nearest)):
        trunk_of(name)(image(95, 130))


@pytest.mark.parametrize("name", ["convnext_atto", "test_efficientnet", "RN-mini", "vit_relpos_small_patch16_224"])
def test_what_is_no_plain_transformer_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no plain vision transformer"):
        trunk_of(name)


def test_blocks_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--model\.blocks 3 6 9 12: the trunk has 5 blocks; give four from 1 to 5"):
        trunk_of(TINY_VIT, (3, 6, 9, 12))


def test_a_copy_of_one_size_leaves_the_trunk_as_it_was() -> None:
    trunk = trunk_of(TINY_VIT)
    before = copy.deepcopy(trunk.state_dict())
    copy.deepcopy(trunk).fix_size(48, 80)
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())
