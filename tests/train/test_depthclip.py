"""DepthCLIP against its equations written out in NumPy."""

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipdepth.errors import UsageError
from clipdepth_train.models.configs import CLASS_DEPTHS, DepthClipConfig
from clipdepth_train.models.depthclip import CLASSES, DepthClip, DistanceClasses, build_depthclip
from clipdepth_train.models.network import resize
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.trunk import trunk_of_clip
from tiny_clip import TINY_CLIP
from train.zero_shot import aligned_bilinear, at_size, text_of_seed, zero_shot, zero_shot_by_steps


@pytest.fixture(scope="module")
def model() -> DepthClip:
    torch.manual_seed(0)
    return build_depthclip(DepthClipConfig(PretrainedConfig(TINY_CLIP, "none")), (416, 544)).eval()


def test_the_papers_classes() -> None:
    assert dict(zip(CLASSES, CLASS_DEPTHS, strict=True)) == {
        "giant": 1.0,
        "extremely close": 1.5,
        "close": 2.0,
        "not in distance": 2.25,
        "a little remote": 2.5,
        "far": 2.75,
        "unseen": 3.0,
    }
    assert DepthClipConfig().depth_range == (1.0, 3.0)


@pytest.mark.parametrize("temperature", [0.1, 0.001, 1.0])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_equations_3_and_4_on_every_step_th_channel(temperature: float, step: int) -> None:
    rng = np.random.default_rng(0)
    text, depths = rng.normal(size=(3, 5)), np.array([1.0, 2.0, 4.0])
    features = rng.normal(size=(5 * step, 2, 3))
    classes = DistanceClasses(torch.tensor(text).float(), torch.tensor(depths).float(), temperature)
    found = classes(torch.tensor(features).float()[None])[0].numpy()
    np.testing.assert_allclose(found, zero_shot(features[::step], text, depths, temperature), rtol=1e-4)


def test_a_pixel_that_looks_like_a_class_has_its_depth() -> None:
    text = torch.eye(3)
    classes = DistanceClasses(text, torch.tensor([1.0, 2.0, 3.0]), temperature=0.001)
    pixels = torch.stack([7 * text[2], 0.1 * text[0], text[1]], dim=1)[None, :, None]
    torch.testing.assert_close(classes(pixels)[0, 0], torch.tensor([3.0, 1.0, 2.0]))


@pytest.mark.parametrize("temperature", [0.1, 0.02])
def test_the_whole_model_is_the_authors_steps_on_the_trunks_features(temperature: float) -> None:
    """All channels are brought to length 1 and then every second is taken; the other order gives another depth."""
    torch.manual_seed(0)
    model = build_depthclip(DepthClipConfig(PretrainedConfig(TINY_CLIP, "none"), temperature), (416, 544)).eval()
    image = torch.rand(1, 3, 416, 544, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features, depth = model.trunk(image)[-1], model(image).double()
    assert features.shape == (1, 512, 13, 17)
    text = text_of_seed(TINY_CLIP)
    theirs, other = (zero_shot_by_steps(features, text, temperature, order) for order in (True, False))
    torch.testing.assert_close(depth, at_size(theirs, 416, 544), rtol=0, atol=1e-5)
    assert (depth - at_size(other, 416, 544)).abs().max() > 1e-3
    assert depth.max() - depth.min() > 1e-3


def test_on_the_papers_trunk_similarities_are_0_7_of_a_cosine() -> None:
    torch.manual_seed(0)
    model = build_depthclip(DepthClipConfig(PretrainedConfig("RN50-quickgelu", "none")), (96, 96)).eval()
    image = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features, scores = model.trunk(image)[-1][0], 0.1 * model.scores(image)[0]
    for y, x in ((0, 0), (1, 2)):
        cosine = F.cosine_similarity(features[::2, y, x][None], model.classes.text)
        share = features[::2, y, x].norm() / features[:, y, x].norm()
        assert 0.6 < share < 0.8
        torch.testing.assert_close(scores[:, y, x], share * cosine, rtol=1e-4, atol=1e-6)


def test_resize_keeps_the_corners() -> None:
    values = torch.tensor([[[1.0, 2.0], [3.0, 5.0]]])
    resized = resize(values, torch.zeros(1, 3, 7, 5), aligned=True)[0].numpy()
    np.testing.assert_allclose(resized, aligned_bilinear(values[0].double().numpy(), 7, 5), rtol=1e-6)
    assert resized[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [1, 2, 3, 5]


def test_the_text_tower_is_gone_and_its_features_are_kept(model: DepthClip) -> None:
    names = set(model.state_dict())
    assert {"classes.text", "classes.depths"} <= names
    assert all(name.startswith(("trunk.visual.", "classes.")) for name in names)
    assert model.classes.text.shape == (7, 256)
    torch.testing.assert_close(model.classes.text.norm(dim=1), torch.ones(7))


def test_nothing_of_it_is_trained(model: DepthClip) -> None:
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.train().trunk.visual.training


def test_text_of_another_width_is_refused() -> None:
    trunk = trunk_of_clip(open_clip.create_model(TINY_CLIP), PretrainedConfig(TINY_CLIP, "none"))
    text: Tensor = torch.rand(7, 300)
    with pytest.raises(UsageError, match="512 channels are no multiple of the text's 300"):
        DepthClip(trunk, DistanceClasses(text, torch.ones(7), 0.1))
