"""The edge model: bins that tile the depth range, and depth at the size of the picture."""

import numpy as np
import pytest
import torch
from torch import nn

from clipdepth.errors import UsageError
from clipdepth_train.clip import ClipConfig
from clipdepth_train.models.edge import BinHead, Edge, EdgeConfig, build_edge
from tiny_clip import TINY_CLIP


def head(bins: int = 6) -> BinHead:
    torch.manual_seed(0)
    return BinHead(4, bins, 0.3, 10.0).eval()


@pytest.fixture(scope="module")
def model() -> Edge:
    torch.manual_seed(0)
    return build_edge(EdgeConfig(ClipConfig(TINY_CLIP, "none"), width=8, bins=8)).eval()


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


def test_coarse_features_reach_every_pixel(model: Edge) -> None:
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = model.trunk(picture)[-4:]
        before = model.pyramid(features)
        for level in range(4):
            changed = [f + (i == level) for i, f in enumerate(features)]
            assert not torch.equal(model.pyramid(tuple(changed)), before), level
    assert before.shape == (1, 8, 16, 16)


@pytest.mark.parametrize(
    "wrong", [{"min_depth": 0.0}, {"min_depth": 10.0}, {"max_depth": -1.0}, {"bins": 1}, {"width": 0}]
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        EdgeConfig(**wrong)  # type: ignore[arg-type]
