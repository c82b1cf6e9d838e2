"""The Multi-Scale Adapter: its published size, its wiring written out again, and its correction of ±1 m."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.errors import UsageError
from clipdepth_train.clip import ClipConfig
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.losses import depth_loss
from clipdepth_train.models.depthclip import DepthClipConfig, build_depthclip
from clipdepth_train.models.msa import Msa, MsaConfig, build_msa
from clipdepth_train.recipe import RECIPES, DataConfig, LossConfig
from clipdepth_train.trunk import Trunk
from tiny_clip import TINY_CLIP

TINY = ClipConfig(TINY_CLIP, "none")


def tiny_msa(initial_depth: bool = False, seed: int = 0) -> Msa:
    torch.manual_seed(seed)
    return build_msa(MsaConfig(TINY, initial_depth, temperature=0.1)).eval()


def image(height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(4))


@pytest.fixture(scope="module")
def paper_model() -> DepthModel:
    """The paper's network without values: shapes are enough to count with."""
    with torch.device("meta"):
        clip = nn.Module()
        clip.visual = ModifiedResNet([3, 4, 6, 3], 1024, 32, 224, 64)
        return DepthModel(Msa(Trunk(clip), None), RECIPES["msa"])


def test_the_adapter_has_the_papers_parameters(paper_model: DepthModel) -> None:
    network = paper_model.network
    assert isinstance(network, Msa)
    assert sum(p.numel() for p in network.adapter.parameters()) == 124_300_789


def test_it_costs_what_the_paper_says(paper_model: DepthModel) -> None:
    assert paper_model.flops(416, 544) / 1e9 == pytest.approx(326, abs=0.5)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        paper_model.network.trunk(torch.zeros(1, 3, 416, 544))
    assert counter.get_total_flops() / 1e9 == pytest.approx(48, abs=0.5)


def u_net(weights: dict[str, Tensor], picture: Tensor, features: tuple[Tensor, ...]) -> Tensor:
    """Section 4.3 and its table again, with functions and named weights only, in eval mode."""

    def block(x: Tensor, name: str) -> Tensor:
        x = F.conv2d(x, weights[f"{name}.0.weight"], weights[f"{name}.0.bias"], padding=1)
        statistics = weights[f"{name}.1.running_mean"], weights[f"{name}.1.running_var"]
        return F.batch_norm(x, *statistics, weights[f"{name}.1.weight"], weights[f"{name}.1.bias"]).relu()

    skips = [*reversed(features[:-1]), picture]
    x = block(block(features[-1], "bridge.0"), "bridge.1")
    for level, skip in enumerate(skips):
        name = f"steps.{level}"
        up = F.conv_transpose2d(x, weights[f"{name}.up.weight"], weights[f"{name}.up.bias"], stride=2)
        x = block(block(torch.cat([up, skip], dim=1), f"{name}.mix.0"), f"{name}.mix.1")
    return F.conv2d(x, weights["answer.weight"], weights["answer.bias"])[:, 0]


def test_its_wiring_is_the_papers() -> None:
    model, picture = tiny_msa(), image()
    for module in model.adapter.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    with torch.no_grad():
        depth = model(picture)
        expected = u_net(model.adapter.state_dict(), picture, model.trunk(picture))
    assert depth.shape == (2, 64, 96)
    assert depth.std() > 1e-3
    torch.testing.assert_close(depth, expected)


def test_without_a_residual_it_answers_the_zero_shot_depth() -> None:
    model, picture = tiny_msa(initial_depth=True), image()
    nn.init.zeros_(model.adapter.answer.weight)
    nn.init.zeros_(model.adapter.answer.bias)  # type: ignore[arg-type]
    torch.manual_seed(0)
    zero_shot = build_depthclip(DepthClipConfig(TINY, temperature=0.1)).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(picture), zero_shot(picture))


@pytest.mark.parametrize("sign", [1, -1])
def test_it_corrects_the_zero_shot_depth_by_a_metre_at_most(sign: int) -> None:
    model, picture = tiny_msa(initial_depth=True), image()
    torch.manual_seed(0)
    with torch.no_grad():
        zero_shot = build_depthclip(DepthClipConfig(TINY, temperature=0.1)).eval()(picture)
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
        Msa(Trunk(SimpleNamespace(visual=TimmModel("convnext_atto", 8, image_size=64))), None)  # type: ignore[arg-type]


def test_a_training_step_moves_the_adapter_and_no_bit_of_clip() -> None:
    recipe = replace(
        RECIPES["msa"], model=MsaConfig(TINY, initial_depth=True), frames=DataConfig(64, 64), loss=LossConfig("l1")
    )
    model = build_model(recipe).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameter_groups(0.1, 0.0), weight_decay=0.1)
    frame = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    depth_loss(model(frame), torch.full((2, 64, 64), 3.0), recipe.loss).backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[1] for name in moved} == {"adapter"}
    assert "network.adapter.bridge.0.0.weight" in moved
    assert "network.adapter.answer.weight" in moved
