"""Grouped convolutions as depthwise ones: another order of channels, the same features."""

import copy
from typing import Any

import pytest
import torch
from open_clip.modified_resnet import ModifiedResNet
from timm.models.fastvit import LayerScale2d
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from clipdepth_train.depthwise import RepeatedDepthwise, make_depthwise
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.trunk import Trunk, load_trunk


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def mobileclip() -> Trunk:
    """MobileCLIP2-S0's trunk, random to the last statistic and scale, so that nothing in it counts for nothing."""
    torch.manual_seed(0)
    trunk = load_trunk(PretrainedConfig("MobileCLIP2-S0", "none")).eval()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
        elif isinstance(module, LayerScale2d):
            nn.init.uniform_(module.gamma, 0.1, 0.5)
    return trunk


def features(trunk: Trunk) -> tuple[Tensor, ...]:
    with torch.no_grad():
        found: tuple[Tensor, ...] = trunk(noise(1, 3, 96, 64))
    return found


def grouped(module: nn.Module) -> list[nn.Conv2d]:
    """The convolutions with several groups, and several outputs for each."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    return [layer for layer in layers if 1 < layer.groups < layer.out_channels]


@pytest.mark.parametrize("copies", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(7, 2, 3), (3, 1, 0)])
def test_the_same_channels_in_the_order_it_tells(copies: int, kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    whole = nn.Conv2d(5, 5 * copies, kernel, stride, padding, groups=5)
    repeated = RepeatedDepthwise(whole)
    picture = noise(2, 5, 12, 9)
    with torch.no_grad():
        torch.testing.assert_close(repeated(picture), whole(picture)[:, repeated.order])
    assert sorted(repeated.order.tolist()) == list(range(5 * copies))
    assert repeated.depthwise.groups == repeated.depthwise.in_channels == repeated.depthwise.out_channels == 5 * copies


def test_a_trunk_gives_the_features_that_timm_alone_gives_and_has_no_group_of_several(mobileclip: Trunk) -> None:
    by_timm, ours = copy.deepcopy(mobileclip), copy.deepcopy(mobileclip)
    by_timm.visual = reparameterize_model(by_timm.visual, inplace=True)
    assert len(grouped(by_timm)) == 3
    ours.reparameterize()
    assert grouped(ours) == []
    assert sum(isinstance(module, RepeatedDepthwise) for module in ours.modules()) == 3
    for found, expected, trained in zip(features(ours), features(by_timm), features(mobileclip), strict=True):
        assert expected.std() > 0.1
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
        assert (found - trained).abs().max() <= 1e-4 * trained.abs().max()


def test_each_reordered_layer_counts(mobileclip: Trunk) -> None:
    """In the old order any of the layers after the convolution would change the features, which shows them in use."""
    trunk = copy.deepcopy(mobileclip)
    trunk.reparameterize()
    embed: Any = trunk.visual.stages[3].downsample  # type: ignore[index]
    before = features(trunk)[-1]
    places = embed.proj[0].reparam_conv.order.argsort()
    for layer, dimension in ((embed.proj[0].se.fc1, 1), (embed.proj[0].se.fc2, 0), (embed.proj[1].reparam_conv, 1)):
        weight = layer.weight.data
        layer.weight.data = weight.index_select(dimension, places)
        assert (features(trunk)[-1] - before).abs().max() > 1e-3 * before.abs().max(), layer
        layer.weight.data = weight


def test_a_trunk_without_such_convolutions_stays_as_it_is() -> None:
    torch.manual_seed(0)
    resnet = ModifiedResNet([1, 1, 1, 1], 64, 2, 64, 8)
    before, layers = copy.deepcopy(resnet.state_dict()), str(resnet)
    make_depthwise(resnet)
    assert str(resnet) == layers
    assert before.keys() == resnet.state_dict().keys()
    for name, value in resnet.state_dict().items():
        assert torch.equal(value, before[name]), name
