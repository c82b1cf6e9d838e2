"""The frame contract around a network: colours, mirroring, the range of depth, and what is deployed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import runs
from clipdepth.errors import UsageError
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.models import DepthClipConfig, EigenConfig
from clipdepth_train.models.network import DepthNetwork
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig, OptimConfig, Recipe
from clipdepth_train.trunk import Trunk, load_trunk
from tiny_clip import TINY_CLIP

MEAN_AND_STD = {
    "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "unit": ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
}


class Weighing(DepthNetwork):
    """Depth is a weighted sum of the normalised channels and, so that left is not right, of the column."""

    WEIGHTS = (1.0, 0.1, 0.01)
    A_COLUMN = 0.05

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        colours = sum(w * image[:, i] for i, w in enumerate(self.WEIGHTS))
        return 3 + colours + self.A_COLUMN * torch.arange(image.shape[3])


def weighing(**changes: object) -> DepthModel:
    recipe = runs.tiny_recipe("rooms", **{"normalisation": "unit", **changes})
    return DepthModel(Weighing(load_trunk(PretrainedConfig(TINY_CLIP, "none"))), recipe).eval()


def frames(height: int = 8, width: int = 12, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)


def expected(frame: np.ndarray, normalisation: str) -> np.ndarray:
    mean, std = (np.array(values) for values in MEAN_AND_STD[normalisation])
    image = (frame[..., [2, 1, 0]].astype(np.float64) / 255 - mean) / std
    depth: np.ndarray = 3 + image @ np.array(Weighing.WEIGHTS) + Weighing.A_COLUMN * np.arange(frame.shape[2])
    return depth


@pytest.mark.parametrize("normalisation", list(MEAN_AND_STD))
def test_bgr_becomes_rgb_and_is_normalised(normalisation: str) -> None:
    depth = weighing(normalisation=normalisation)(frames())
    assert depth.dtype == torch.float32
    np.testing.assert_allclose(depth.numpy(), expected(frames().numpy(), normalisation), rtol=1e-5)


def test_mirroring_averages_the_picture_and_its_mirror_image() -> None:
    frame = frames().numpy()
    mirrored = expected(frame[:, :, ::-1], "unit")[:, :, ::-1]
    depth = weighing(mirror=True)(frames()).numpy()
    np.testing.assert_allclose(depth, (expected(frame, "unit") + mirrored) / 2, rtol=1e-5)
    assert np.abs(depth - expected(frame, "unit")).max() > 0.1


class Masked(DepthNetwork):
    """Depth is 2 m plus the column where the mask is red."""

    needs_segmentation = True

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        assert segmentation is not None
        return 2 + segmentation[:, 0] * torch.arange(image.shape[3]) / 4


@pytest.mark.parametrize("mirror", [False, True])
def test_the_mirror_image_has_its_segmentation_mirrored(mirror: bool) -> None:
    masks = np.random.default_rng(3).choice(np.array([0, 255], np.uint8), (2, 8, 12, 3))
    depth = DepthModel(Masked(None), runs.tiny_recipe("rooms", mirror=mirror)).eval()(frames(), torch.tensor(masks))
    # A pixel's column is its own once and, in the mirror, the one as far from the other side: 5.5 on average.
    columns = np.full(12, 5.5) if mirror else np.arange(12)
    np.testing.assert_allclose(depth.numpy(), 2 + (masks[..., 0] == 255) * columns / 4, rtol=1e-5)


def test_a_network_with_sam_wants_a_segmentation_and_one_without_ignores_it() -> None:
    with pytest.raises(UsageError, match=r"needs SAM's segmentation of each picture; name one with --frames\.segments"):
        DepthModel(Masked(None), runs.tiny_recipe("rooms"))(frames())
    assert torch.equal(weighing()(frames(), 255 - frames()), weighing()(frames()))


class Sloping(DepthNetwork):
    """A map of 1×2, whatever it sees: 1 m and 3 m."""

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        return torch.tensor([1.0, 3.0]).expand(image.shape[0], 1, 2)


@pytest.mark.parametrize(
    ("aligned", "row"), [(True, [1, 1 + 2 / 3, 1 + 4 / 3, 3]), (False, [1, 1.5, 2.5, 3])], ids=["corners", "centres"]
)
def test_a_native_map_is_resized_to_the_picture(aligned: bool, row: list[float]) -> None:
    network = Sloping(None)
    network.aligned = aligned
    image = torch.zeros(2, 3, 3, 4)
    assert network.native(image).shape == (2, 1, 2)
    np.testing.assert_allclose(network(image).numpy(), np.broadcast_to(row, (2, 3, 4)), rtol=1e-6)


class Answering(DepthNetwork):
    """Depth from -5 to 20 m, whatever it sees."""

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        return torch.linspace(-5, 20, image.shape[3]).expand(image.shape[0], *image.shape[2:])


def test_depth_is_clamped_to_the_models_range_but_not_in_training() -> None:
    model = DepthModel(Answering(load_trunk(PretrainedConfig(TINY_CLIP, "none"))), runs.tiny_recipe("rooms"))
    free = np.linspace(-5, 20, 12)
    np.testing.assert_allclose(model.train()(frames())[0, 0].numpy(), free, rtol=1e-5)
    np.testing.assert_allclose(model.eval()(frames())[0, 0].numpy(), np.clip(free, 0.3, 10), rtol=1e-5)


def names_of(model: DepthModel, group: dict[str, list[nn.Parameter]]) -> set[str]:
    wanted = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in wanted}


def test_the_trunk_is_trained_at_a_rate_of_its_own() -> None:
    model = build_model(runs.tiny_recipe("rooms", optim=OptimConfig(trunk_learning_rate=1e-4)))
    groups = model.parameter_groups(0.1, 0.01)
    assert [group["lr"] for group in groups] == [0.1, 0.01]
    decoder, trunk = (names_of(model, group) for group in groups)
    assert decoder | trunk == {name for name, _ in model.named_parameters()}
    assert trunk == {name for name in decoder | trunk if name.startswith("network.trunk.")}
    assert not decoder & trunk


def test_a_frozen_trunk_is_in_no_group() -> None:
    model = build_model(runs.tiny_recipe("rooms", optim=OptimConfig(trunk_learning_rate=0.0)))
    (group,) = model.parameter_groups(0.1, 0.0)
    assert names_of(model, group) == {n for n, _ in model.named_parameters() if not n.startswith("network.trunk.")}


def test_without_clip_everything_is_in_one_group() -> None:
    model = build_model(runs.tiny_recipe("rooms", model=EigenConfig(), frames=DataConfig(76, 76)))
    (group,) = model.parameter_groups(0.1, 0.01)
    assert group["lr"] == 0.1
    assert names_of(model, group) == {name for name, _ in model.named_parameters()}


def test_a_model_with_nothing_to_train_has_no_group() -> None:
    recipe = runs.tiny_recipe("rooms", model=DepthClipConfig(PretrainedConfig(TINY_CLIP, "none")))
    assert build_model(recipe).parameter_groups(0.1, 0.1) == []


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (
        build_model(replace(runs.tiny_recipe("rooms"), seed=seed)).state_dict() for seed in (3, 3, 4)
    )
    assert all(torch.equal(again[name], value) for name, value in first.items())
    assert not torch.equal(other["network.head.score.weight"], first["network.head.score.weight"])
    assert not torch.equal(other["network.trunk.visual.conv1.weight"], first["network.trunk.visual.conv1.weight"])


def test_counts_and_cost_of_a_network_that_can_be_counted_by_hand() -> None:
    class OneConvolution(DepthNetwork):
        def __init__(self, trunk: Trunk) -> None:
            super().__init__(trunk)
            self.trunk = nn.Identity()  # type: ignore[assignment]
            self.mix = nn.Conv2d(3, 1, 3, padding=1)

        def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
            mixed: Tensor = self.mix(image)[:, 0]
            return mixed

    recipe: Recipe = runs.tiny_recipe("rooms", mirror=True, normalisation="unit")
    model = DepthModel(OneConvolution(load_trunk(PretrainedConfig(TINY_CLIP, "none"))), recipe).train()
    assert model.parameter_count() == 3 * 9 + 1
    assert model.flops(10, 20) == 2 * 27 * 10 * 20
    assert model.training
    assert model.mirror


def test_what_is_deployed_answers_the_same_in_one_pass() -> None:
    model = build_model(runs.tiny_recipe("rooms", model=runs.MOBILE_EDGE, mirror=True)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    deployed = model.deployable()
    calls: list[DepthModel] = []
    for one in (model, deployed):
        one.network.register_forward_hook(lambda *_, one=one: calls.append(one))
    frame = frames(64, 64, 1)
    with torch.no_grad():
        found = deployed(frame)
        assert calls == [deployed]
        model(frame)
        assert calls == [deployed, model, model]
        model.mirror = False
        torch.testing.assert_close(found, model(frame), atol=1e-4, rtol=0)
    assert found.std() > 1e-3
    assert deployed.parameter_count() < model.parameter_count()
    assert not any(parameter.requires_grad for parameter in deployed.parameters())
    assert any(parameter.requires_grad for parameter in model.parameters())
