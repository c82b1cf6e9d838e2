"""The Multi-Scale Adapter: its published size, its wiring written out again, and its correction of ±1 m."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.errors import UsageError
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.losses import depth_loss
from clipdepth_train.models import DepthClipConfig, MsaConfig
from clipdepth_train.models.depthclip import build_depthclip
from clipdepth_train.models.msa import Msa, build_msa
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig, LossConfig
from clipdepth_train.recipes import RECIPES
from clipdepth_train.trunk import load_trunk, trunk_of_clip
from tiny_clip import TINY_CLIP
from train.zero_shot import at_size, text_of_seed, zero_shot_by_steps

TINY = PretrainedConfig(TINY_CLIP, "none")


def tiny_msa(initial_depth: bool = False, segmentation: bool = False, seed: int = 0) -> Msa:
    torch.manual_seed(seed)
    return build_msa(MsaConfig(TINY, initial_depth, temperature=0.1, segmentation=segmentation), (64, 96)).eval()


def image(height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(4))


def masks(height: int = 64, width: int = 96, seed: int = 5) -> Tensor:
    """Painted masks as the network takes them: blocks of 8×8 in colours from 0 to 1."""
    blocks = torch.rand(2, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))
    return blocks.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)


def model_on_rn50(segmentation: bool) -> DepthModel:
    """The paper's network without values: shapes are enough to count with."""
    with torch.device("meta"):
        clip = nn.Module()
        clip.visual = ModifiedResNet([3, 4, 6, 3], 1024, 32, 224, 64)
        return DepthModel(Msa(trunk_of_clip(clip, TINY), None, segmentation), RECIPES["msa-l1"])


@pytest.fixture(scope="module")
def paper_model() -> DepthModel:
    return model_on_rn50(segmentation=False)


def test_the_adapter_has_the_papers_parameters(paper_model: DepthModel) -> None:
    network = paper_model.network
    assert isinstance(network, Msa)
    assert sum(p.numel() for p in network.adapter.parameters()) == 124_300_789


def test_with_sam_it_has_the_papers_parameters_too(paper_model: DepthModel) -> None:
    network = model_on_rn50(segmentation=True).network
    assert isinstance(network, Msa)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == 124_302_517
    assert {id(parameter) for parameter in trained} == {id(parameter) for parameter in network.adapter.parameters()}
    # Three channels more for the first of the finest level's 3×3 convolutions, and nothing else.
    assert 124_302_517 - 124_300_789 == 64 * 3 * 9
    finest = network.adapter.get_submodule("steps.4.mix.0.0")
    assert isinstance(finest, nn.Conv2d)
    assert tuple(finest.weight.shape) == (64, 64 + 6, 3, 3)
    unused = paper_model.network.get_submodule("adapter.segmentation")
    assert not any(parameter.requires_grad for parameter in unused.parameters())


def test_it_costs_what_the_paper_says(paper_model: DepthModel) -> None:
    assert paper_model.flops(416, 544) / 1e9 == pytest.approx(326, abs=0.5)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        paper_model.network.trunk(torch.zeros(1, 3, 416, 544))
    assert counter.get_total_flops() / 1e9 == pytest.approx(48, abs=0.5)


def u_net(
    weights: dict[str, Tensor], picture: Tensor, features: tuple[Tensor, ...], segmentation: Tensor | None = None
) -> Tensor:
    """Section 4.3 and its table again, with functions and named weights only, in eval mode."""

    def block(x: Tensor, name: str) -> Tensor:
        x = F.conv2d(x, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], padding=1)
        statistics = weights[f"{name}.1.running_mean"], weights[f"{name}.1.running_var"]
        return F.batch_norm(x, *statistics, weights[f"{name}.1.weight"], weights[f"{name}.1.bias"]).relu()

    if segmentation is not None:
        picture = torch.cat([picture, block(block(segmentation, "segmentation.0"), "segmentation.1")], dim=1)
    skips = [*reversed(features[:-1]), picture]
    x = block(block(features[-1], "bridge.0"), "bridge.1")
    for level, skip in enumerate(skips):
        name = f"steps.{level}"
        up = F.conv_transpose2d(x, weights[f"{name}.up.weight"], weights[f"{name}.up.bias"], stride=2)
        x = block(block(torch.cat([up, skip], dim=1), f"{name}.mix.0"), f"{name}.mix.1")
    return F.conv2d(x, weights["answer.weight"], weights["answer.bias"])[:, 0]


def with_statistics(model: Msa) -> Msa:
    """The model with batch norms that have seen something."""
    for module in model.adapter.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    return model


@pytest.mark.parametrize("segmentation", [None, masks()], ids=["without-sam", "with-sam"])
def test_its_wiring_is_the_papers(segmentation: Tensor | None) -> None:
    model, picture = with_statistics(tiny_msa(segmentation=segmentation is not None)), image()
    assert model.trunk is not None
    with torch.no_grad():
        depth = model(picture, segmentation)
        expected = u_net(model.adapter.state_dict(), picture, model.trunk(picture), segmentation)
    assert depth.shape == (2, 64, 96)
    assert depth.std() > 1e-3
    torch.testing.assert_close(depth, expected)


@pytest.mark.parametrize("initial_depth", [False, True], ids=["", "clip"])
@pytest.mark.parametrize("segmentation", [False, True], ids=["", "sam"])
def test_with_and_without_clips_depth_and_sam(initial_depth: bool, segmentation: bool) -> None:
    config = MsaConfig(TINY, initial_depth, 0.1, segmentation)
    recipe = replace(RECIPES["msa-l1"], model=config, frames=DataConfig(64, 96))
    model = build_model(recipe).eval()
    with_statistics(model.network)  # type: ignore[arg-type]
    frame, painted, others = (given.permute(0, 2, 3, 1).mul(255).byte() for given in (image(), masks(), masks(seed=6)))
    with torch.no_grad():
        depth, other = model(frame, painted), model(frame, others)
    assert depth.shape == (2, 64, 96)
    assert depth.isfinite().all()
    assert depth.std() > 1e-3
    if segmentation:
        assert (other - depth).abs().max() > 1e-3
    else:
        assert torch.equal(other, depth)
        assert torch.equal(model(frame), depth)


def test_with_sam_a_picture_without_its_segmentation_is_an_error() -> None:
    recipe = replace(RECIPES["msa-l1"], model=MsaConfig(TINY, segmentation=True), frames=DataConfig(64, 96))
    with pytest.raises(UsageError, match=r"needs SAM's segmentation of each picture; name one with --frames\.segments"):
        build_model(recipe)(torch.zeros(1, 64, 96, 3, dtype=torch.uint8))


def test_an_untrained_adapter_answers_about_two_metres() -> None:
    """Around 0 it would be behind the camera half of the time, where a photometric loss has no slope."""
    with torch.no_grad():
        depth = tiny_msa()(image())
    assert 1 < depth.min() < depth.median() < depth.max() < 3
    assert depth.mean() == pytest.approx(2, abs=0.5)


def zero_shot_depth(model: Msa, picture: Tensor) -> Tensor:
    """CLIP's depth as the authors' MSA makes it: every second channel, brought to length 1; at the picture's size."""
    assert model.trunk is not None
    with torch.no_grad():
        coarse = zero_shot_by_steps(model.trunk(picture)[-1], text_of_seed(TINY_CLIP), 0.1, all_channels=False)
    return at_size(coarse, *picture.shape[2:])


def test_without_a_residual_it_answers_the_zero_shot_depth() -> None:
    model, picture = tiny_msa(initial_depth=True), image()
    nn.init.zeros_(model.adapter.answer.weight)
    nn.init.zeros_(model.adapter.answer.bias)  # type: ignore[arg-type]
    torch.manual_seed(0)
    depthclip = build_depthclip(DepthClipConfig(TINY, temperature=0.1), (64, 96)).eval()
    expected = zero_shot_depth(model, picture)
    with torch.no_grad():
        torch.testing.assert_close(model(picture).double(), expected, rtol=0, atol=1e-6)
        # DepthCLIP brings all channels to length 1 before it takes every second.
        assert (depthclip(picture) - expected).abs().max() > 1e-4


@pytest.mark.parametrize("sign", [1, -1])
def test_it_corrects_the_zero_shot_depth_by_a_metre_at_most(sign: int) -> None:
    model, picture = tiny_msa(initial_depth=True), image()
    zero_shot = zero_shot_depth(model, picture).float()
    with torch.no_grad():
        gentle = model(picture) - zero_shot
        model.adapter.answer.bias.fill_(100 * sign)  # type: ignore[union-attr]
        strong = model(picture) - zero_shot
    assert 0 < gentle.abs().max() < 1
    torch.testing.assert_close(strong, torch.full_like(strong, float(sign)))


@pytest.mark.parametrize("size", [(64, 80), (48, 64), (240, 320)])
def test_a_size_that_32_does_not_divide_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"multiples of 32, not \({size[0]}, {size[1]}\)"):
        tiny_msa()(image(*size))


def test_a_trunk_without_a_stem_is_refused() -> None:
    with pytest.raises(UsageError, match=r"not \(4, 8, 16, 32\); use RN50"):
        Msa(load_trunk(PretrainedConfig("convnext_atto", "none")), None)


@pytest.mark.parametrize("segmentation", [False, True], ids=["without-sam", "with-sam"])
def test_a_training_step_moves_the_adapter_and_no_bit_of_clip(segmentation: bool) -> None:
    config = MsaConfig(TINY, initial_depth=True, segmentation=segmentation)
    recipe = replace(RECIPES["msa-l1"], model=config, frames=DataConfig(64, 64), loss=LossConfig("l1"))
    model = build_model(recipe).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameter_groups(0.1, 0.0), weight_decay=0.1)
    frame = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    depth_loss(model(frame, frame.flip(0)), torch.full((2, 64, 64), 3.0), recipe.loss).backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[1] for name in moved} == {"adapter"}
    assert "network.adapter.bridge.0.0.weight" in moved
    assert "network.adapter.answer.weight" in moved
    # The authors' network has these blocks also where it is given no segmentation: there they stay as they are.
    assert any(name.startswith("network.adapter.segmentation.") for name in moved) == segmentation


def test_an_adapter_on_a_trunk_of_timms() -> None:
    model = build_msa(MsaConfig(PretrainedConfig("tf_efficientnet_lite0", "none")), (64, 96)).eval()
    with torch.no_grad():
        depth = model(torch.rand(2, 3, 64, 96))
    assert depth.shape == (2, 64, 96)
    assert model.trunk is not None
    assert not any(parameter.requires_grad for parameter in model.trunk.parameters())
    # Each up-step halves the channels of the level below it, from the trunk's 320.
    assert [step.up.out_channels for step in model.adapter.steps] == [160, 80, 40, 20, 10]  # type: ignore[union-attr]
