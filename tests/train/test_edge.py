"""The edge model: bins that tile the depth range, and depth at the size of the picture."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipdepth.errors import UsageError
from clipdepth_train.models import EdgeConfig
from clipdepth_train.models.decoder import BinHead
from clipdepth_train.models.edge import Edge, build_edge
from clipdepth_train.pretrained import PretrainedConfig
from tiny_clip import CHANNELS, TINY_CLIP


def head(bins: int = 6) -> BinHead:
    torch.manual_seed(0)
    return BinHead(4, bins, 0.3, 10.0).eval()


@pytest.fixture(scope="module")
def model() -> Edge:
    torch.manual_seed(0)
    return build_edge(EdgeConfig(PretrainedConfig(TINY_CLIP, "none"), width=8, bins=8), (64, 96)).eval()


@pytest.mark.parametrize("bins", [2, 6, 64])
def test_bins_start_out_equal_in_log_depth(bins: int) -> None:
    edges = 0.3 * (10 / 0.3) ** (np.arange(bins + 1) / bins)
    np.testing.assert_allclose(head(bins).centres().detach().numpy(), (edges[:-1] + edges[1:]) / 2, rtol=1e-4)


def test_bins_tile_the_range_whatever_was_learned() -> None:
    bins = head(16)
    nn.init.normal_(bins.log_widths, 0, 3, generator=torch.Generator().manual_seed(1))
    centres = bins.centres().detach().double().numpy()
    # From the near end on, each centre is half a bin after an edge: this gives back all edges.
    edges = [0.3]
    for centre in centres:
        edges.append(2 * centre - edges[-1])
    assert (np.diff(centres) > 0).all()
    assert (np.diff(edges) > 0).all()
    assert edges[-1] == pytest.approx(10, abs=1e-4)


def test_the_whole_score_on_one_bin_gives_its_centre() -> None:
    bins = head()
    for chosen in range(6):
        nn.init.zeros_(bins.score.weight)
        bins.score.bias = nn.Parameter(torch.where(torch.arange(6) == chosen, 100.0, 0.0))
        depth = bins(torch.rand(1, 4, 2, 3))
        torch.testing.assert_close(depth, bins.centres()[chosen].expand(1, 2, 3))


def test_equal_scores_give_the_mean_of_the_centres() -> None:
    bins = head()
    nn.init.zeros_(bins.score.weight)
    nn.init.zeros_(bins.score.bias)  # type: ignore[arg-type]
    torch.testing.assert_close(bins(torch.rand(1, 4, 2, 3)), bins.centres().mean().expand(1, 2, 3))


def test_half_the_score_each_on_two_bins_is_half_way() -> None:
    bins = head()
    nn.init.zeros_(bins.score.weight)
    bins.score.bias = nn.Parameter(torch.tensor([100.0, 0, 0, 0, 0, 100.0]))
    centres = bins.centres()
    torch.testing.assert_close(bins(torch.rand(1, 4, 1, 1))[0, 0, 0], (centres[0] + centres[5]) / 2)


@pytest.mark.parametrize("size", [(240, 320), (64, 64), (97, 131), (33, 47)])
def test_depth_has_the_size_of_the_picture(model: Edge, size: tuple[int, int]) -> None:
    with torch.no_grad():
        depth = model(torch.rand(2, 3, *size))
    assert depth.shape == (2, *size)


def test_depth_stays_in_range_for_the_wildest_scores() -> None:
    bins = head()
    nn.init.normal_(bins.score.weight, 0, 1e4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        depth = bins(torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert depth.min() >= 0.3
    assert depth.max() <= 10
    assert depth.max() - depth.min() > 1


def edge(**parts: int) -> Edge:
    torch.manual_seed(0)
    return build_edge(EdgeConfig(PretrainedConfig(TINY_CLIP, "none"), width=8, bins=8, **parts), (64, 96)).eval()


def noise(height: int, width: int) -> Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_features_of_every_level_reach_every_pixel(model: Edge) -> None:
    assert model.trunk is not None
    assert model.detail is not None
    picture = noise(64, 64)
    with torch.no_grad():
        features = (model.detail(picture), *model.trunk(F.avg_pool2d(picture, 2))[1:])
        before = model.pyramid(features)
        torch.testing.assert_close(model.joined(picture), before)
        for level in range(4):
            changed = [f + (i == level) for i, f in enumerate(features)]
            assert ((model.pyramid(tuple(changed)) - before).abs().amax(1) > 0).float().mean() > 0.9, level
    assert [tuple(f.shape[2:]) for f in features] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    assert before.shape == (2, 8, 16, 16)


@pytest.mark.parametrize("shrink", [1, 2, 4])
@pytest.mark.parametrize("size", [(128, 192), (131, 193)])
def test_the_trunk_sees_averages_of_squares_of_pixels(shrink: int, size: tuple[int, int]) -> None:
    model, seen = edge(shrink=shrink), list[Tensor]()
    assert model.trunk is not None
    model.trunk.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    picture = noise(*size)
    with torch.no_grad():
        assert model(picture).shape == (2, *size)
    height, width = (side // shrink for side in size)  # what is left over at the end is not seen
    squares = picture[..., : height * shrink, : width * shrink].reshape(2, 3, height, shrink, width, shrink)
    (found,) = seen
    torch.testing.assert_close(found, squares.mean(dim=(3, 5)))


def chequered(picture: Tensor) -> Tensor:
    """The picture with a pattern that every square of 2×2 pixels averages out."""
    rows, columns = (torch.arange(side) for side in picture.shape[2:])
    return picture + torch.where((rows[:, None] + columns) % 2 == 0, 0.5, -0.5)


def test_what_the_trunk_cannot_see_reaches_the_depth_as_detail() -> None:
    picture = noise(64, 96)
    with torch.no_grad():
        with_detail, without = (
            [model.native(given) for given in (picture, chequered(picture))] for model in (edge(), edge(detail=0))
        )
    torch.testing.assert_close(without[0], without[1], rtol=0, atol=1e-5)
    assert (with_detail[0] - with_detail[1]).abs().mean() > 5e-4


@pytest.mark.parametrize(
    ("parts", "stride"),
    [
        ({}, 4),
        ({"shrink": 4}, 4),
        ({"detail": 0}, 8),
        ({"detail": 0, "shrink": 1}, 4),
        ({"detail": 0, "shrink": 4}, 16),
    ],
)
def test_depth_is_made_at_the_finest_stride_there_is(parts: dict[str, int], stride: int) -> None:
    model = edge(**parts)
    with torch.no_grad():
        assert model.native(noise(128, 192)).shape == (2, 128 // stride, 192 // stride)
        assert model(noise(97, 131)).shape == (2, 97, 131)


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_the_trunk_has_the_stages_that_are_asked_for(stages: int) -> None:
    model = edge(stages=stages, detail=5)
    assert model.trunk is not None
    assert model.trunk.channels == CHANNELS[: 1 + stages]
    lateral = [layer[0].in_channels for layer in model.pyramid.lateral]  # type: ignore[index]
    assert lateral == [5, *CHANNELS[1 : 1 + stages]], "the detail, then the stages without the stem"
    with torch.no_grad():
        assert model(noise(64, 64)).shape == (2, 64, 64)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_depth": 0.0},
        {"min_depth": 10.0},
        {"max_depth": -1.0},
        {"bins": 1},
        {"width": 0},
        {"shrink": 0},
        {"detail": -1},
        {"stages": 0},
        {"stages": 5},
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(UsageError, match=f"{value}" if "depth" in name else f"--model.{name} {value}"):
        EdgeConfig(**wrong)  # type: ignore[arg-type]
