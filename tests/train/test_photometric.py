"""Self-supervision against the rooms' exact depth: true depth and pose rebuild a picture from its neighbour."""

import random

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipdepth_train.data.rooms import RoomsSet
from clipdepth_train.data.transforms import warped
from clipdepth_train.photometric import Cameras, photometric_loss, warp
from clipdepth_train.recipe import ViewConfig
from runtime.test_rooms import warp_error
from train.two_views import Floats, TwoViews, covisible, inside, looked_up, places, two_views

SIZE = (120, 160)
MOMENTS = [(room, seconds) for room in (0, 1, 2, 3) for seconds in (0.0, 12.0, 26.0)]
SHARE = 0.85
AROUND = np.ones((3, 3), np.uint8)
Bools = NDArray[np.bool_]


@pytest.fixture(scope="module")
def moments() -> list[TwoViews]:
    """Pairs of views from different rooms and moments."""
    return [two_views(room, seconds, *SIZE) for room, seconds in MOMENTS]


def picture(frame: NDArray[np.uint8]) -> Tensor:
    """(1, 3, H, W) float32 from 0 to 1."""
    return torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1)[None]


def cameras(camera: Floats, view_camera: Floats, pose: Floats) -> Cameras:
    return Cameras(*(torch.from_numpy(matrix).float()[None] for matrix in (camera, view_camera, pose)))


def of(views: TwoViews) -> Cameras:
    return cameras(views.camera, views.camera, views.pose)


def depth_of(views: TwoViews) -> Tensor:
    return torch.from_numpy(views.first.depth)[None]


def loss_at(views: TwoViews, scale: float | Tensor, share: float = SHARE) -> Tensor:
    """The loss at the true depth × scale."""
    first, second = picture(views.first.frame), picture(views.second.frame)
    return photometric_loss(first, second, depth_of(views) * scale, of(views), share)


def rebuilt(views: TwoViews) -> tuple[NDArray[np.float32], Bools]:
    """`warp` at true depth, as arrays (H, W, 3) and (H, W)."""
    found, seen = warp(picture(views.second.frame), depth_of(views), of(views))
    return found[0].permute(1, 2, 0).numpy(), seen[0].numpy()


def true_places(views: TwoViews) -> Floats:
    return places(views.first.depth, views.camera, views.camera, views.pose)


def test_true_depth_and_pose_rebuild_the_picture(moments: list[TwoViews]) -> None:
    for views in moments:
        found, seen = rebuilt(views)
        error = float(np.abs(found - views.first.frame / 255)[seen].mean())
        assert error < 0.012
        # NumPy's oracle of the rooms themselves, which leaves out other pixels at edges.
        assert error == pytest.approx(warp_error(views.first, views.second)[0], abs=0.0015)
        assert seen.mean() > 0.8


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_so_do_those_of_a_sets_neighbour(after: bool) -> None:
    pairs = RoomsSet("test", *SIZE, 1, 10.0)
    focal, (cx, cy) = pairs.focal[0], pairs.centre
    camera = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
    for index in (0, 11, 25):
        pair, view = pairs[index], pairs.neighbour(index, after)
        depth = torch.from_numpy(pair.depth)[None]
        found, seen = warp(picture(view.frame), depth, cameras(camera, camera, view.pose))
        assert float((found - picture(pair.frame)).abs().mean(dim=1)[seen].mean()) < 0.012
        assert seen.float().mean() > 0.5


def test_a_warp_is_opencvs(moments: list[TwoViews]) -> None:
    for views in moments:
        found, seen = rebuilt(views)
        place = true_places(views)
        expected = looked_up(views.second.frame, place, cv2.INTER_LINEAR) / 255
        where = inside(place, *SIZE)
        # OpenCV looks up at 32 places between two pixels.
        assert np.abs(found - expected)[where].max() < 0.04
        assert np.abs(found - expected)[where].mean() < 1e-3
        assert not (seen & ~where).any()


def test_cameras_that_differ_from_picture_to_picture(moments: list[TwoViews]) -> None:
    """Turned, mirrored and scaled pictures, in one batch."""
    rng, views = np.random.default_rng(0), moments[:2]
    matrices = [np.array([[s, a, b], [-a, 1, c], [0, 0, 1]]) for s, a, b, c in [(-1, *rng.random(3)), (1.2, 0, 5, 3)]]
    matrices[0][0, 2] += SIZE[1]
    batch = [(m @ v.camera, v.camera, v.pose) for m, v in zip(matrices, views, strict=True)]
    stacked = Cameras(*(torch.from_numpy(np.stack(part)).float() for part in zip(*batch, strict=True)))
    found = stacked.project(torch.cat([depth_of(v) for v in views])).permute(0, 2, 3, 1).numpy()
    for place, v, one in zip(found, views, batch, strict=True):
        expected = places(v.first.depth, *one)
        where = inside(expected, *SIZE)
        np.testing.assert_allclose(place[where], expected[where], atol=2e-3)


def test_what_both_views_show_is_seen(moments: list[TwoViews]) -> None:
    for views in moments:
        _, seen = rebuilt(views)
        both = covisible(true_places(views), views.second.depth)
        assert both.mean() > 0.5
        assert seen[both].mean() > 0.99


def test_what_the_second_view_hides_is_not_seen(moments: list[TwoViews]) -> None:
    """None of what something in the picture hides; what lies outside the picture can hide without being known."""
    hidden_by_shown, hidden, overlooked = 0, 0, 0
    for views in moments:
        _, seen = rebuilt(views)
        place, view_depth = true_places(views), views.second.depth
        nearest = looked_up(cv2.dilate(view_depth, AROUND), place, cv2.INTER_NEAREST)
        behind = inside(place, *SIZE) & (place[..., 2] > 1.05 * nearest)
        back = places(view_depth, views.camera, views.camera, np.linalg.inv(views.pose))
        shown = covisible(back, views.first.depth).astype(np.uint8)
        by_shown = behind & (looked_up(shown, place, cv2.INTER_NEAREST) > 0)
        assert not (seen & by_shown).any()
        hidden_by_shown += int(by_shown.sum())
        hidden += int(behind.sum())
        overlooked += int((seen & behind).sum())
    assert hidden_by_shown > 500
    assert overlooked < 0.15 * hidden  # 0.11


def test_a_near_plane_hides_a_far_one() -> None:
    """Focal length 20 pixels, a move of 0.25 m: what is at 1 m goes right by 5 pixels, what is at 4 m by 1.25.

    So columns 0 to 9 at 1 m come to lie on 5 to 14, over columns 10 to 13 at 4 m; 14 comes to lie beside them.
    """
    depth = torch.full((1, 6, 40), 4.0)
    depth[..., :10] = 1
    camera, pose = np.diag([20.0, 20.0, 1.0]), np.eye(4)
    pose[0, 3] = 0.25
    view = torch.arange(40.0).expand(1, 3, 6, 40) / 40
    found, seen = warp(view, depth, cameras(camera, camera, pose))
    expected = np.ones((6, 40), bool)
    expected[:, 10:15] = False
    expected[:, 38:] = False  # fall on 39.25 and 40.25, and the view ends at 39
    np.testing.assert_array_equal(seen[0].numpy(), expected)
    columns = np.where(np.arange(40) < 10, np.arange(40) + 5, np.arange(40) + 1.25)
    np.testing.assert_allclose(found[0, 0].numpy()[expected], np.tile(columns / 40, (6, 1))[expected], atol=1e-5)


@pytest.mark.parametrize("share", [0.0, SHARE, 1.0])
def test_true_depth_costs_less_than_depth_that_is_off(moments: list[TwoViews], share: float) -> None:
    for views in moments:
        near, true, far = (float(loss_at(views, scale, share)) for scale in (0.8, 1.0, 1.25))
        assert true < 0.7 * near
        assert true < 0.7 * far


@pytest.mark.parametrize("start", [0.8, 1.25])
def test_descent_finds_the_scale_of_depth(moments: list[TwoViews], start: float) -> None:
    for views in moments[::2]:
        log_scale = torch.tensor(np.log(start)).float().requires_grad_()
        optimizer = torch.optim.Adam([log_scale], lr=0.02)
        for _ in range(30):
            optimizer.zero_grad()
            loss_at(views, log_scale.exp()).backward()
            optimizer.step()
        assert float(log_scale.detach().exp()) == pytest.approx(1, abs=0.05)


def numpy_ssim(first: Floats, second: Floats) -> Floats:
    """(H, W) structural similarity of two (H, W) pictures in 3×3 windows with a Gaussian's weights, σ 1.5."""
    weight = np.exp(-(np.arange(-1, 2) ** 2) / (2 * 1.5**2))
    window = np.outer(weight, weight) / weight.sum() ** 2
    result = np.empty_like(first)
    a, b = (np.pad(values, 1, mode="reflect") for values in (first, second))
    for row, column in np.ndindex(*first.shape):
        x, y = (values[row : row + 3, column : column + 3] for values in (a, b))
        mx, my = (window * x).sum(), (window * y).sum()
        vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
        covariance = (window * (x - mx) * (y - my)).sum()
        c1, c2 = 0.01**2, 0.03**2
        result[row, column] = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return result


def at_the_same_place(first: Tensor, second: Tensor, share: float) -> float:
    depth = torch.ones(first.shape[0], *first.shape[-2:])
    eye = torch.eye(3).expand(len(first), 3, 3)
    return float(photometric_loss(first, second, depth, Cameras(eye, eye, torch.eye(4)[None]), share))


@pytest.mark.parametrize("share", [0.0, SHARE, 1.0])
@pytest.mark.parametrize("opposed", [False, True], ids=["other", "negative"])
def test_equation_6(share: float, opposed: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(2, 3, 6, 7, generator=generator)
    second = 1 - first if opposed else torch.rand(2, 3, 6, 7, generator=generator)
    a, b = first.double().numpy().reshape(-1, 6, 7), second.double().numpy().reshape(-1, 6, 7)
    alike = np.stack([numpy_ssim(x, y) for x, y in zip(a, b, strict=True)])
    if opposed:
        assert alike.max() < 0
    expected = share * (1 - alike).mean() / 2 + (1 - share) * np.abs(a - b).mean()
    assert at_the_same_place(first, second, share) == pytest.approx(expected, rel=1e-4)


def test_a_picture_is_like_itself(moments: list[TwoViews]) -> None:
    first = picture(moments[0].first.frame)
    assert at_the_same_place(first, first, SHARE) == pytest.approx(0, abs=1e-4)
    assert at_the_same_place(first, first, 0.0) == pytest.approx(0, abs=1e-5)


def test_only_windows_that_are_seen_whole_count(moments: list[TwoViews]) -> None:
    """A view that shows all but the picture's last two columns, which its last ones would contradict."""
    first = picture(moments[0].first.frame)
    view = first.roll(2, dims=3)
    view[..., :2] = 0
    shifted = np.array([[1.0, 0, 2], [0, 1, 0], [0, 0, 1]])
    depth = torch.ones(1, *SIZE)
    _, seen = warp(view, depth, cameras(np.eye(3), shifted, np.eye(4)))
    assert seen[..., :-2].all()
    assert not seen[..., -2:].any()
    same = cameras(np.eye(3), shifted, np.eye(4))
    assert float(photometric_loss(first, view, depth, same, SHARE)) == pytest.approx(0, abs=1e-4)
    # The view's last column is the picture's third from the end, whose window reaches what is not seen.
    contradicting = view.clone()
    contradicting[..., -1:] = 1 - contradicting[..., -1:]
    assert float(photometric_loss(first, contradicting, depth, same, 0.0)) == pytest.approx(0, abs=1e-4)
    contradicting[..., -2:-1] = 1 - contradicting[..., -2:-1]
    assert float(photometric_loss(first, contradicting, depth, same, 0.0)) > 1e-3


def test_what_is_not_before_the_second_camera_is_not_seen() -> None:
    """It stands 3 m farther on: what is at 5 m is before it, what is at 3 m in it, what is at 2 m behind it."""
    depth = torch.full((1, 20, 30), 5.0)
    depth[:, 14:17] = 3
    depth[:, 17:] = 2
    depth.requires_grad_()
    camera, pose = np.array([[10.0, 0, 14.5], [0, 10, 7], [0, 0, 1]]), np.eye(4)
    pose[2, 3] = -3
    first, second = torch.rand(2, 1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    _, seen = warp(second, depth, cameras(camera, camera, pose))
    assert not seen[:, 14:].any()
    before = places(np.full((14, 30), 5.0), camera, camera, pose)
    np.testing.assert_array_equal(seen[0, :14].numpy(), inside(before, 20, 30))
    photometric_loss(first, second, depth, cameras(camera, camera, pose), SHARE).backward()
    assert depth.grad is not None
    assert torch.isfinite(depth.grad).all()
    assert depth.grad[:, :14].any()
    assert not depth.grad[:, 14:].any()


@pytest.mark.parametrize("away", [(0, 0, -20), (50, 0, 0), (0, -50, 0)])
def test_a_view_that_shows_nothing_of_the_picture_costs_nothing(moments: list[TwoViews], away: Floats) -> None:
    views, pose = moments[0], np.eye(4)
    pose[:3, 3] = away
    depth = depth_of(views).requires_grad_()
    first, apart = picture(views.first.frame), cameras(views.camera, views.camera, pose)
    loss = photometric_loss(first, first, depth, apart, SHARE)
    loss.backward()
    assert float(loss.detach()) == 0
    assert depth.grad is not None
    assert not depth.grad.any()


def steepness(views: TwoViews, view: NDArray[np.uint8], where: Cameras) -> float:
    """Sum of the absolute slopes of the loss in each pixel's depth."""
    depth = depth_of(views).requires_grad_()
    photometric_loss(picture(views.first.frame), picture(view), depth, where, SHARE).backward()
    assert depth.grad is not None
    return float(depth.grad.abs().sum())


def test_a_warped_view_says_nothing_about_depth(moments: list[TwoViews]) -> None:
    """A camera that only turns, as the paper's second view (section 4.4) does, sees all depths at the same place."""
    for seed, views in enumerate(moments[:4]):
        view, matrix = warped(views.first.frame, ViewConfig("warped"), random.Random(seed))
        turned, first = cameras(views.camera, matrix @ views.camera, np.eye(4)), picture(views.first.frame)
        assert steepness(views, view, turned) < 1e-4 * steepness(views, views.second.frame, of(views))
        once, nearer, farther = (
            float(photometric_loss(first, picture(view), depth_of(views) * scale, turned, SHARE))
            for scale in (1.0, 0.4, 2.5)
        )
        assert once == pytest.approx(nearer, rel=1e-4)
        assert once == pytest.approx(farther, rel=1e-4)


@pytest.mark.parametrize("metres", [1e-3, 0.3, 10.0, 1e4])
@pytest.mark.parametrize("clamped", [True, False])
def test_slopes_are_finite_at_the_ends_of_depth(moments: list[TwoViews], metres: float, clamped: bool) -> None:
    """In half of the pixels, those of a chequerboard; the others are right."""
    board = torch.from_numpy(np.indices(SIZE).sum(axis=0) % 2 == 0)
    for views in moments[:6]:
        depth = torch.where(board, metres, depth_of(views)).requires_grad_()
        first, second = picture(views.first.frame), picture(views.second.frame)
        loss = photometric_loss(first, second, depth.clamp(0.3, 10.0) if clamped else depth, of(views), SHARE)
        loss.backward()
        assert torch.isfinite(loss)
        assert depth.grad is not None
        assert torch.isfinite(depth.grad).all()
        assert depth.grad.any() or not clamped
