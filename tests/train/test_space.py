"""The space model: blocks of a transformer as levels of a pyramid, depth at the size of the picture."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.errors import UsageError
from clipdepth_train.checkpoint import load_run
from clipdepth_train.depth_model import build_model
from clipdepth_train.models import SpaceConfig
from clipdepth_train.models.space import Space, build_space
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import with_trunk
from clipdepth_train.recipes import RECIPES
from runs import tiny_recipe, train_tiny_run, write_rgbd_folder
from tiny_clip import TINY_VIT

TINY = SpaceConfig(PretrainedConfig(TINY_VIT, "none"), (1, 2, 3, 5), width=8, bins=8)


@pytest.fixture(scope="module")
def model() -> Space:
    torch.manual_seed(0)
    return build_space(TINY, (64, 96)).eval()


def noise(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(64, 96), (48, 48), (112, 80)])
def test_depth_is_made_at_a_quarter_of_the_patches_and_has_the_size_of_the_picture(
    model: Space, size: tuple[int, int]
) -> None:
    height, width = size
    with torch.no_grad():
        assert model.native(noise(*size)).shape == (2, height // 4, width // 4)
        depth = model(noise(*size))
    assert depth.shape == (2, *size)
    assert depth.min() >= 0.5
    assert depth.max() <= 10


def test_blocks_become_levels_from_a_quarter_of_the_stride_to_twice_it(model: Space) -> None:
    assert model.trunk is not None
    with torch.no_grad():
        features = model.trunk(noise(64, 96))
        levels = model.levels(features)
    assert [tuple(f.shape[1:]) for f in features] == [(48, 4, 6)] * 4
    assert [tuple(f.shape[1:]) for f in levels] == [(8, 16, 24), (8, 8, 12), (8, 4, 6), (8, 2, 3)]


def test_every_block_reaches_every_pixel(model: Space) -> None:
    assert model.trunk is not None
    with torch.no_grad():
        features = model.trunk(noise(64, 96))
        before = model.pyramid(model.levels(features))
        for block in range(4):
            changed = tuple(f + (i == block) for i, f in enumerate(features))
            assert ((model.pyramid(model.levels(changed)) - before).abs().amax(1) > 0).float().mean() > 0.9, block


def decoder(config: SpaceConfig, channels: int, rows: int, columns: int) -> tuple[int, int]:
    """Weights and operations of all but the trunk, for a grid of patches."""
    width, cells = config.width, rows * columns
    coarse = ((rows + 1) // 2) * ((columns + 1) // 2)
    fine = [16 * cells, 4 * cells, cells]
    levels = channels * width * (16 + 4 + 1 + 9)
    pyramid = 4 * (width**2 + 2 * width) + 3 * (9 * width**2 + 2 * width)
    head = (width + 1) * config.bins + config.bins
    weights = levels + 4 * width + pyramid + head
    products = channels * width * (16 * cells + 4 * cells + cells + 9 * coarse)
    products += width**2 * (sum(fine) + coarse + 9 * sum(fine)) + width * config.bins * 16 * cells
    return weights, 2 * products


def test_the_recipes_parameters_and_operations() -> None:
    """CLIP's ViT-B/16 at 240×320: 12 blocks of 768 channels, 15 × 20 patches and a class token."""
    recipe = replace(RECIPES["space"], model=with_trunk(RECIPES["space"].model, weights="none"))
    model = build_model(recipe)
    assert isinstance(recipe.model, SpaceConfig)
    block_weights, tokens = 12 * 768**2 + 13 * 768, 301
    block_flops = 24 * tokens * 768**2 + 4 * tokens**2 * 768
    weights, flops = decoder(recipe.model, 768, 15, 20)
    trunk = 12 * block_weights + 768**2 + (1 + 197 + 2 + 2) * 768  # patches, class, positions, norms around
    assert model.parameter_count() == trunk + weights == 89_267_072
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == weights == 3_467_648
    assert model.flops(240, 320) == 12 * block_flops + 2 * 300 * 768**2 + flops
    assert model.flops(240, 320) / 1e9 == pytest.approx(58.35, abs=0.01)


def test_what_counts_operations_leaves_attention_as_fast_as_it_was(model: Space) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    counted = build_model(tiny_recipe("rooms", model=TINY)).flops(64, 64)
    assert torch.backends.mha.get_fastpath_enabled() == before
    with FlopCounterMode(display=False) as counter, torch.enable_grad():  # which the fused attention does not know
        model.train()(noise(64, 64)[:1])
    model.eval()
    assert counted == counter.get_total_flops()


def test_the_trunk_stays_as_it_was_and_the_rest_learns(tmp_path: Any) -> None:
    data = write_rgbd_folder(tmp_path / "data", 2, 1)
    recipe = tiny_recipe(data, model=TINY, optim=RECIPES["space"].optim)
    before = build_model(recipe).state_dict()
    run = train_tiny_run(tmp_path / "run", data, model=TINY, optim=RECIPES["space"].optim)
    after = load_run(run)[0].state_dict()
    for name, value in after.items():
        if name.startswith("network.trunk."):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(after["network.levels.0.weight"], before["network.levels.0.weight"])


def test_a_run_that_is_read_back_keeps_the_colours_of_its_weights() -> None:
    trunk = PretrainedConfig("vit_base_patch16_224", "mae")
    recipe = replace(RECIPES["space"], model=replace(TINY, trunk=trunk, blocks=(1, 2, 3, 4)))
    model = build_model(recipe, pretrained=False)
    torch.testing.assert_close(model.mean.flatten() / 255, torch.tensor([0.485, 0.456, 0.406]))


def test_a_size_that_patches_do_not_tile_is_refused_before_training() -> None:
    recipe = tiny_recipe("rooms", model=TINY)
    wrong = replace(recipe, frames=replace(recipe.frames, height=100))
    with pytest.raises(UsageError, match="an input of 100×64 is no multiple of the trunk's patches of 16×16"):
        build_model(wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"blocks": (0, 1, 2, 3)}, "--model.blocks 0 1 2 3"),
        ({"blocks": (3, 3, 6, 9)}, "--model.blocks 3 3 6 9"),
        ({"blocks": (12, 9, 6, 3)}, "--model.blocks 12 9 6 3"),
        ({"min_depth": 0.0}, "depth from 0.0"),
        ({"bins": 1}, "--model.bins 1"),
        ({"width": 0}, "--model.width 0"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SpaceConfig(**wrong)
