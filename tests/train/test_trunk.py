"""Features of several scales from CLIP's image towers."""

import copy
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.trunk import StagedTrunk
from tiny_clip import CHANNELS, TINY_CLIP

COLOURS = ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def trunk_of(visual: nn.Module, stages: int | None = None) -> StagedTrunk:
    return StagedTrunk(visual, stages, COLOURS)


def resnet50() -> ModifiedResNet:
    torch.manual_seed(0)
    return ModifiedResNet([3, 4, 6, 3], 1024, 32, 224, 64).eval()


def convnext() -> TimmModel:
    torch.manual_seed(0)
    return TimmModel("convnext_atto", 64, image_size=64).eval()


@pytest.fixture(scope="module")
def mobileclip() -> nn.Module:
    torch.manual_seed(0)
    visual: nn.Module = open_clip.create_model("MobileCLIP2-S0").visual.eval()
    return visual


def image(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3))


def recorded(modules: list[nn.Module], run: Any, given: Tensor, inputs: bool = False) -> list[Tensor]:
    """What each of `modules` gives (or is given) while `run` runs on `given`."""
    seen: list[Tensor] = []
    hooks = [m.register_forward_hook(lambda _, i, o: seen.append((i[0] if inputs else o).clone())) for m in modules]
    with torch.no_grad():
        run(given)
    for hook in hooks:
        hook.remove()
    return seen


def test_rn50_gives_open_clips_own_features_and_its_stem_before_the_pool() -> None:
    visual, picture = resnet50(), image(96, 64)
    with torch.no_grad():
        expected = visual.forward_intermediates(picture, intermediates_only=True)["image_intermediates"]
    stem = recorded([visual.avgpool], visual.stem, picture, inputs=True)[0]
    trunk = trunk_of(visual).eval()
    with torch.no_grad():
        features = trunk(picture)
    assert trunk.channels == (64, 256, 512, 1024, 2048)
    assert trunk.strides == (2, 4, 8, 16, 32)
    assert [tuple(f.shape) for f in features] == [
        (1, c, 96 // s, 64 // s) for c, s in zip(trunk.channels, trunk.strides, strict=True)
    ]
    for found, wanted in zip(features, [stem, *expected[1:]], strict=True):
        assert torch.equal(found, wanted)


def test_a_trunk_has_no_attention_pool_to_train() -> None:
    trunk = trunk_of(resnet50())
    assert not [name for name, _ in trunk.named_parameters() if "attnpool" in name]


def test_mobileclip_gives_the_stages_of_its_own_forward(mobileclip: Any) -> None:
    picture = image(96, 64)
    stages = recorded(list(mobileclip.trunk.stages), mobileclip, picture)
    trunk = trunk_of(mobileclip).eval()
    with torch.no_grad():
        features = trunk(picture)
    assert trunk.channels == (64, 128, 256, 512)
    assert trunk.strides == (4, 8, 16, 32)
    for found, wanted, channels, stride in zip(features, stages, trunk.channels, trunk.strides, strict=True):
        assert torch.equal(found, wanted)
        assert found.shape == (1, channels, 96 // stride, 64 // stride)


def test_convnext_gives_the_stages_of_its_own_forward() -> None:
    visual, picture = convnext(), image(96, 64)
    stages = recorded(list(visual.trunk.stages), visual, picture)
    trunk = trunk_of(visual).eval()
    with torch.no_grad():
        features = trunk(picture)
    assert trunk.channels == (40, 80, 160, 320)
    assert trunk.strides == (4, 8, 16, 32)
    for found, wanted in zip(features, stages, strict=True):
        assert torch.equal(found, wanted)


def small_resnet() -> ModifiedResNet:
    torch.manual_seed(0)
    return ModifiedResNet([2, 1, 2, 1], 64, 2, 64, 8).eval()


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["resnet", "convnext", "mobileclip"])
def test_a_trunk_that_ends_early_gives_the_first_features_of_the_whole(
    kind: str, stages: int, request: pytest.FixtureRequest
) -> None:
    make = {"resnet": small_resnet, "convnext": convnext, "mobileclip": lambda: request.getfixturevalue("mobileclip")}
    visual = make[kind]()
    whole, early = trunk_of(copy.deepcopy(visual)).eval(), trunk_of(copy.deepcopy(visual), stages).eval()
    with torch.no_grad():
        expected, found = whole(image(96, 64)), early(image(96, 64))
    count = stages + (kind == "resnet")  # with its stem
    assert len(found) == count
    for one, other in zip(found, expected[:count], strict=True):
        assert torch.equal(one, other)
    assert early.channels == whole.channels[:count] == tuple(f.shape[1] for f in found)
    assert early.strides == whole.strides[:count] == tuple(96 // f.shape[2] for f in found)
    names, kept = dict(whole.named_parameters()).keys(), dict(early.named_parameters()).keys()
    dropped = tuple(
        f"visual.layer{number + 1}." if kind == "resnet" else f"visual.stages.{number}." for number in range(stages, 4)
    )
    assert names - kept == {name for name in names if name.startswith(dropped)}
    assert kept <= names
    assert len(names - kept) >= len(dropped)


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_timms_own_models_count_no_stage_at_stride_2(stages: int) -> None:
    torch.manual_seed(0)
    model, picture = timm.create_model("test_efficientnet").eval(), image(96, 64)
    with torch.no_grad():
        expected = copy.deepcopy(model).forward_intermediates(picture, intermediates_only=True)
        early = trunk_of(model, stages).eval()
        found = early(picture)
    assert early.strides == (2, 4, 8, 16, 32)[: 1 + stages]
    assert len(found) == 1 + stages
    for one, other in zip(found, expected[: 1 + stages], strict=True):
        assert torch.equal(one, other)
    assert not [name for name, _ in early.named_parameters() if "classifier" in name or "conv_head" in name]


def test_a_size_that_the_stride_does_not_divide() -> None:
    trunk = trunk_of(convnext()).eval()
    with torch.no_grad():
        sizes = [tuple(f.shape[2:]) for f in trunk(image(80, 48))]
    assert sizes == [(20, 12), (10, 6), (5, 3), (2, 1)]


def test_a_frozen_trunk_keeps_every_bit_in_training() -> None:
    trunk = trunk_of(open_clip.create_model(TINY_CLIP).visual)
    assert trunk.channels == CHANNELS
    trunk.freeze()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    model = nn.Sequential(trunk).train()
    for _ in range(2):
        model(torch.rand(2, 3, 64, 64))
    assert any(isinstance(module, nn.BatchNorm2d) for module in trunk.modules())
    assert not any(module.training for module in trunk.modules())
    assert not any(parameter.requires_grad for parameter in trunk.parameters())
    for name, value in trunk.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_trunk_that_is_not_frozen_learns_statistics() -> None:
    trunk = trunk_of(open_clip.create_model(TINY_CLIP).visual).train()
    before = trunk.state_dict()["visual.bn1.running_mean"].clone()
    trunk(torch.rand(2, 3, 64, 64))
    assert not torch.equal(trunk.state_dict()["visual.bn1.running_mean"], before)


def test_looking_at_a_trunks_channels_leaves_its_mode_and_statistics() -> None:
    clip = open_clip.create_model(TINY_CLIP).train()
    before = {name: value.clone() for name, value in clip.visual.state_dict().items() if "attnpool" not in name}
    trunk = trunk_of(clip.visual)
    assert trunk.training
    assert trunk.visual.training
    for name, value in trunk.visual.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_reparameterized_mobileclip_keeps_its_features(mobileclip: nn.Module) -> None:
    trunk = trunk_of(copy.deepcopy(mobileclip)).eval()
    # Statistics that are not those of a fresh network, which folding would not move.
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
            nn.init.normal_(module.running_mean, 0, 0.1)  # type: ignore[arg-type]
    picture = image(64, 64)
    with torch.no_grad():
        before = trunk(picture)
        convolutions = sum(isinstance(m, nn.Conv2d) for m in trunk.modules())
        trunk.reparameterize()
        after = trunk(picture)
    assert sum(isinstance(m, nn.Conv2d) for m in trunk.modules()) < convolutions
    for found, wanted in zip(after, before, strict=True):
        assert (found - wanted).abs().max() <= 1e-4 * wanted.abs().max()


@pytest.mark.parametrize(
    "visual",
    [
        lambda: VisionTransformer(64, 16, 32, 1, 2, 4.0, output_dim=8),
        lambda: TimmModel("vit_tiny_patch16_224", 8, image_size=64, pool=""),
    ],
    ids=["open_clip", "timm"],
)
def test_a_vision_transformer_has_one_scale_and_is_refused(visual: Any) -> None:
    with pytest.raises(UsageError, match="has no feature maps at several scales; the recipe 'space' takes"):
        trunk_of(visual())
