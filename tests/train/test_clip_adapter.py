"""CLIP-Adapter: its published sizes and its equations written out in NumPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from clipdepth.errors import UsageError
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.models.clip_adapter import ClipAdapter, ResidualAdapter, build_clip_adapter
from clipdepth_train.models.configs import CLASS_DEPTHS, ClipAdapterConfig, DepthClipConfig
from clipdepth_train.models.depthclip import build_depthclip
from clipdepth_train.objective import Objective
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig
from clipdepth_train.recipes import RECIPES
from tiny_clip import TINY_CLIP
from train.zero_shot import aligned_bilinear, at_size, text_of_seed, zero_shot, zero_shot_by_steps

TINY = PretrainedConfig(TINY_CLIP, "none")
WHICH = [(True, True), (True, False), (False, True)]
"""With an image adapter, with a text adapter."""


def tiny_model(image_adapter: bool = True, text_adapter: bool = True, temperature: float = 0.1) -> ClipAdapter:
    """Adapters strong enough to be seen, on the CLIP of seed 0."""
    torch.manual_seed(0)
    model = build_clip_adapter(ClipAdapterConfig(TINY, image_adapter, text_adapter, temperature), (64, 96)).eval()
    for adapter in (model.image_adapter, model.text_adapter):
        for linear in linears(adapter):
            nn.init.normal_(linear.weight, 0, 0.5, generator=torch.Generator().manual_seed(linear.in_features))
    return model


def linears(adapter: ResidualAdapter | None) -> list[nn.Linear]:
    """The adapter's linear layers, in order."""
    return [] if adapter is None else [module for module in adapter.modules() if isinstance(module, nn.Linear)]


def weights(adapter: ResidualAdapter | None) -> list[NDArray[np.float64]]:
    return [linear.weight.detach().double().numpy() for linear in linears(adapter)]


def picture() -> Tensor:
    return torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def adapted(features: NDArray[np.float64], matrices: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Section 4.1: 0.2 · ReLU(W₂ ReLU(W₁ x)) + 0.8 · x for each row of features; without an adapter as they are."""
    if not matrices:
        return features
    first, second = matrices
    mixed: NDArray[np.float64] = 0.2 * np.maximum(np.maximum(features @ first.T, 0) @ second.T, 0) + 0.8 * features
    return mixed


@pytest.fixture(scope="module")
def paper_model() -> DepthModel:
    """The paper's model on RN50, its values taken away again: shapes are enough to count with."""
    recipe = RECIPES["clip-adapter"]
    random = replace(recipe, model=ClipAdapterConfig(PretrainedConfig("RN50-quickgelu", "none")))
    return build_model(random).to("meta")


def test_the_adapters_have_the_papers_sizes(paper_model: DepthModel) -> None:
    network = paper_model.network
    assert isinstance(network, ClipAdapter)
    image, text = linears(network.image_adapter), linears(network.text_adapter)
    assert [tuple(linear.weight.shape) for linear in image] == [(8, 2048), (2048, 8)]
    assert [tuple(linear.weight.shape) for linear in text] == [(8, 1024), (1024, 8)]
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == 2 * 2048 * 8 + 2 * 1024 * 8 == 32_768 + 16_384


def test_it_costs_what_the_trunk_costs_and_little_more(paper_model: DepthModel) -> None:
    flops = paper_model.flops(416, 544)
    assert flops / 1e9 == pytest.approx(48.4, abs=0.05)
    # Two products for each of 13·17 places, and for each of seven texts.
    adapters = 2 * 13 * 17 * 32_768 + 2 * 7 * 16_384
    assert flops - adapters == trunk_flops(paper_model)


def trunk_flops(model: DepthModel) -> int:
    assert model.network.trunk is not None
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network.trunk(torch.zeros(1, 3, 416, 544))
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("image_adapter", "text_adapter"), WHICH)
@pytest.mark.parametrize("temperature", [0.1, 0.02])
def test_its_equations(image_adapter: bool, text_adapter: bool, temperature: float) -> None:
    model = tiny_model(image_adapter, text_adapter, temperature)
    with torch.no_grad():
        depth = model(picture())[0].numpy()
        features = model.trunk(picture())[-1][0].double().numpy()  # type: ignore[misc]
    assert features.shape == (512, 2, 3)
    image = adapted(features.reshape(512, 6).T, weights(model.image_adapter)).T.reshape(512, 2, 3)
    text = adapted(text_of_seed(TINY_CLIP).numpy(), weights(model.text_adapter))
    coarse = zero_shot(image[::2], text, np.array(CLASS_DEPTHS), temperature)
    np.testing.assert_allclose(depth, aligned_bilinear(coarse, 64, 96), atol=2e-5)
    assert np.ptp(depth) > 1e-3
    assert [bool(weights(one)) for one in (model.image_adapter, model.text_adapter)] == [image_adapter, text_adapter]


@pytest.mark.parametrize(("image_adapter", "text_adapter"), WHICH)
def test_an_adapter_changes_the_depth_unless_it_answers_nothing(image_adapter: bool, text_adapter: bool) -> None:
    """What an adapter leaves is 0.8 of the feature, whose length does not matter: every second channel gets length 1.

    DepthCLIP, in which all channels together get it, answers another depth.
    """
    model = tiny_model(image_adapter, text_adapter)
    torch.manual_seed(0)
    depthclip = build_depthclip(DepthClipConfig(TINY), (64, 96)).eval()
    with torch.no_grad():
        features = model.trunk(picture())[-1]  # type: ignore[misc]
        expected = at_size(zero_shot_by_steps(features, text_of_seed(TINY_CLIP), 0.1, all_channels=False), 64, 96)
        assert (model(picture()) - expected).abs().max() > 1e-3
        for adapter in (model.image_adapter, model.text_adapter):
            if adapter is not None:
                nn.init.zeros_(linears(adapter)[-1].weight)
        torch.testing.assert_close(model(picture()).double(), expected, rtol=0, atol=1e-6)
        assert (depthclip(picture()) - expected).abs().max() > 1e-4


def test_each_adapter_changes_its_own_side_only() -> None:
    both, image, text = (tiny_model(*which) for which in WHICH)
    with torch.no_grad():
        answers = [model(picture()) for model in (both, image, text)]
        nn.init.zeros_(linears(both.text_adapter)[-1].weight)
        torch.testing.assert_close(both(picture()), answers[1])
        nn.init.zeros_(linears(both.image_adapter)[-1].weight)
        both.text_adapter = text.text_adapter
        torch.testing.assert_close(both(picture()), answers[2])
    assert min((a - b).abs().max() for a, b in zip(answers, answers[1:] + answers[:1], strict=True)) > 1e-3


def test_without_any_adapter_it_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^a clip-adapter without an adapter is depthclip; "):
        ClipAdapterConfig(TINY, image_adapter=False, text_adapter=False)


@pytest.mark.parametrize(("image_adapter", "text_adapter"), WHICH)
def test_a_training_step_moves_the_adapters_and_no_bit_of_clip(image_adapter: bool, text_adapter: bool) -> None:
    recipe = replace(
        RECIPES["clip-adapter"],
        model=ClipAdapterConfig(TINY, image_adapter, text_adapter),
        frames=DataConfig(64, 96),
        # Of seed 0 the image adapter's two hidden units answer nothing, and learn nothing.
        seed=1,
    )
    model = build_model(recipe).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameter_groups(0.1, 0.0), momentum=0.9)
    frame = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    Objective(model, recipe.loss)({"frame": frame, "depth": torch.full((2, 64, 96), 3.0)}).backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    wanted = {"image_adapter": image_adapter, "text_adapter": text_adapter}
    assert moved == {f"network.{name}.adapt.{i}.weight" for name, there in wanted.items() if there for i in (0, 2)}
