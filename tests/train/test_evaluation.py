"""Evaluation against answers whose errors are known in closed form."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import runs
from clipdepth.bundle.metrics import mean_metrics
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.resize import resize_depth, resize_frame
from clipdepth.errors import DataError, UsageError
from clipdepth_train.data.crop import EIGEN, PAPER_TEST
from clipdepth_train.data.sample import RgbdPair, camera_of_pair
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.evaluation import (
    Predict,
    compare,
    constant_median,
    evaluate,
    frame_metrics,
    predictor,
    random_depth,
)
from clipdepth_train.models.network import DepthNetwork
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig
from clipdepth_train.trunk import load_trunk
from tiny_clip import TINY_CLIP
from train.memory_set import MemorySet

WHOLE = DataConfig(24, 32)


def rooms(count: int = 3, height: int = 24, width: int = 32) -> MemorySet:
    """Pairs of random depth below 9 m, a quarter unknown; the first byte of a frame is its number."""
    rng = np.random.default_rng(0)
    pairs = []
    for number in range(count):
        depth = rng.uniform(0.5, 9, (height, width)).astype(np.float32)
        depth[rng.random(depth.shape) < 0.25] = 0
        pairs.append(RgbdPair(np.full((height, width, 3), number, np.uint8), depth))
    return MemorySet(pairs)


def scaled_truth(pairs: MemorySet, factor: float) -> Predict:
    return lambda pair: pairs[int(pair.frame[0, 0, 0])].depth * np.float32(factor)


def test_truth_times_1_1() -> None:
    pairs = rooms()
    measured = evaluate(scaled_truth(pairs, 1.1), pairs, WHOLE, "all", range(3))
    assert len(measured) == 3
    for index, metrics in enumerate(measured):
        true = pairs[index].depth[pairs[index].depth > 0].astype(np.float64)
        assert metrics.rel == pytest.approx(0.1, abs=1e-5)
        assert metrics.rmse == pytest.approx(0.1 * math.sqrt(np.mean(true**2)), rel=1e-5)
        assert metrics.rmse_log == pytest.approx(math.log(1.1), rel=1e-5)
        assert metrics.log10 == pytest.approx(math.log10(1.1), rel=1e-5)
        assert metrics.delta1 == 1


def test_deltas_of_too_far_by_half() -> None:
    pairs = rooms()
    metrics = mean_metrics(evaluate(scaled_truth(pairs, 1 / 1.5), pairs, WHOLE, "all", range(3)))
    assert (metrics.delta1, metrics.delta2, metrics.delta3) == (0, 1, 1)


def test_only_the_asked_indices_and_only_pairs_with_depth_are_measured() -> None:
    known = rooms()
    pairs = MemorySet([*(known[i] for i in range(3)), RgbdPair(known[0].frame + 3, np.zeros((24, 32), np.float32))])
    predict = scaled_truth(pairs, 1.1)
    assert len(evaluate(predict, pairs, WHOLE, "all", [2, 0])) == 2
    assert len(evaluate(predict, pairs, WHOLE, "all", range(4))) == 3
    two, none = evaluate(predict, pairs, WHOLE, "all", [2]), evaluate(predict, pairs, WHOLE, "all", [3])
    assert two == evaluate(predict, pairs, WHOLE, "all", range(4))[2:]
    assert none == []


@pytest.mark.parametrize(("crop", "window"), [("eigen", np.s_[45:471, 41:601]), ("paper", np.s_[56:472, 60:604])])
def test_a_crop_counts_the_pixels_inside_and_no_other(crop: str, window: tuple[slice, slice]) -> None:
    depth = np.full((480, 640), 2, np.float32)
    pairs = MemorySet([RgbdPair(np.zeros((480, 640, 3), np.uint8), depth)])
    inside_right = np.full((480, 640), 3, np.float32)
    inside_right[window] = 2
    outside_right = np.where(inside_right == 2, np.float32(3), np.float32(2))
    for answer, rel in ((inside_right, 0.0), (outside_right, 0.5)):
        (metrics,) = evaluate(lambda _, answer=answer: answer, pairs, WHOLE, crop, [0])  # type: ignore[arg-type,misc]
        assert metrics.rel == rel


@pytest.mark.parametrize(("crop", "region"), [("all", None), ("eigen", EIGEN), ("paper", PAPER_TEST)])
def test_a_model_of_the_papers_pictures_sees_its_crop_and_is_measured_there(crop: str, region: object) -> None:
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 9, (480, 640)).astype(np.float32)
    pairs = MemorySet([RgbdPair(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8), depth)])
    shown: list[NDArray[np.uint8]] = []

    def predict(pair: RgbdPair) -> NDArray[np.float32]:
        shown.append(pair.frame)
        return np.full(pair.frame.shape[:2], 4, np.float32)

    (metrics,) = evaluate(predict, pairs, DataConfig(416, 544, "paper"), crop, [0])  # type: ignore[arg-type]
    np.testing.assert_array_equal(shown[0], pairs[0].frame[56:472, 60:604])
    rows, columns = {
        "all": (slice(56, 472), slice(60, 604)),
        "eigen": (slice(56, 471), slice(60, 601)),
        "paper": (slice(56, 472), slice(60, 604)),
    }[crop]
    true = depth[rows, columns].astype(np.float64)
    assert metrics.rel == pytest.approx(float(np.mean(np.abs(4 - true) / true)))


def test_each_picture_is_aligned_by_a_factor_of_its_own() -> None:
    pairs = rooms()

    def predict(pair: RgbdPair) -> NDArray[np.float32]:
        return scaled_truth(pairs, 0.5 + int(pair.frame[0, 0, 0]))(pair)

    plain = evaluate(predict, pairs, WHOLE, "all", range(3))
    assert all(metrics.rel > 0.3 for metrics in plain)
    for metrics in evaluate(predict, pairs, WHOLE, "all", range(3), "median"):
        assert metrics.rel == pytest.approx(0, abs=1e-6)


def test_alignment_sees_the_crop_alone() -> None:
    depth = np.full((480, 640), 2, np.float32)
    answer = np.full((480, 640), 9, np.float32)
    answer[45:471, 41:601] = 1
    pairs = MemorySet([RgbdPair(np.zeros((480, 640, 3), np.uint8), depth)])
    (inside,) = evaluate(lambda _: answer, pairs, WHOLE, "eigen", [0], "median")
    assert inside.rel == 0
    (everywhere,) = evaluate(lambda _: answer, pairs, WHOLE, "all", [0], "median")
    outside = 1 - 426 * 560 / (480 * 640)
    assert everywhere.rel == pytest.approx(outside * (10 - 2) / 2)  # 9 times 2 is clamped to 10


def test_metrics_by_frame_keep_their_index() -> None:
    known = rooms()
    pairs = MemorySet([known[0], RgbdPair(known[0].frame + 1, np.zeros((24, 32), np.float32)), known[2]])
    predict = scaled_truth(pairs, 1.1)
    found = frame_metrics(compare(predict, pairs, WHOLE, "all", [2, 1, 0]))
    assert list(found) == [2, 0]
    assert [found[0], found[2]] == evaluate(predict, pairs, WHOLE, "all", range(3))


def far_away(limit: float) -> tuple[MemorySet, DataConfig]:
    """A pair at 5 m on the left and at 40 m on the right."""
    depth = np.full((24, 32), 5, np.float32)
    depth[:, 16:] = 40
    return MemorySet([RgbdPair(np.zeros((24, 32, 3), np.uint8), depth)]), replace(WHOLE, max_depth=limit)


def test_the_range_is_that_of_the_recipe() -> None:
    pairs, frames = far_away(80)
    (far,) = evaluate(lambda _: pairs[0].depth * np.float32(1.5), pairs, frames, "all", [0])
    assert far.rmse == pytest.approx(math.sqrt((2.5**2 + 20**2) / 2))
    pairs, frames = far_away(10)
    (near,) = evaluate(lambda _: pairs[0].depth * np.float32(1.5), pairs, frames, "all", [0])
    assert near.rmse == pytest.approx(2.5)


@pytest.mark.parametrize(("crop", "inside"), [("eigen", 426 * 560), ("paper", 416 * 544), ("all", 480 * 640)])
def test_pictures_that_a_crop_is_not_for_are_measured_whole(
    crop: str, inside: int, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = [(480, 640), (720, 1280), (720, 1280)]
    pairs = MemorySet([RgbdPair(np.zeros((*size, 3), np.uint8), np.full(size, 2, np.float32)) for size in sizes])
    compared = list(compare(lambda pair: pair.depth, pairs, WHOLE, crop, range(3)))  # type: ignore[arg-type]
    counted = [each.truth.size if each.region is None else int(each.region.sum()) for each in compared]
    assert counted == [inside, 720 * 1280, 720 * 1280]
    warned = [] if crop == "all" else [f"the {crop} crop is not for pictures of 1280×720: they are measured whole"]
    assert caplog.messages == warned


def test_a_crop_of_other_pictures_is_refused() -> None:
    pairs = rooms()
    with pytest.raises(UsageError, match=r"these are 32×24; use .*--crop all"):
        evaluate(scaled_truth(pairs, 1.0), pairs, WHOLE, "eigen", [0])


class Shining(DepthNetwork):
    """Depth is 1 m plus the red of a pixel and, so that left is not right, a tenth of its column."""

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        return 1 + image[:, 0] + torch.arange(image.shape[3]) / 10


def shining(mirror: bool = False) -> DepthModel:
    trunk = load_trunk(PretrainedConfig(TINY_CLIP, "none"))
    return DepthModel(Shining(trunk), runs.tiny_recipe("rooms", mirror=mirror, normalisation="unit")).train()


def frame_of(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def seen(frame: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> RgbdPair:
    """A picture to predict, whose depth is nobody's business."""
    return RgbdPair(frame, np.full(frame.shape[:2], np.nan, np.float32), segmentation)


def test_a_predictor_resizes_to_the_models_input_and_back() -> None:
    frame = frame_of(60, 90)
    # 3:2 in 4:3: 21 rows, with one more above and two below, which are thrown away.
    small = resize_frame(frame, 21, 32)[..., 2] / 255 + 1 + np.arange(32) / 10
    depth = predictor(shining(), WHOLE)(seen(frame))
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, resize_depth(small.astype(np.float32), 60, 90), rtol=1e-5)


def test_a_picture_takes_the_size_of_the_nearest_shape_and_its_cameras_focal_length() -> None:
    frame, sizes = frame_of(64, 48), replace(WHOLE, other_sizes=((32, 24),))
    small = resize_frame(frame, 32, 24)[..., 2] / 255 + 1 + np.arange(24) / 10
    of_training = resize_depth(small.astype(np.float32), 64, 48)
    np.testing.assert_allclose(predictor(shining(), sizes)(seen(frame)), of_training, rtol=1e-5)
    # 60 pixels at this size are 30 at the input's, where the training camera has 20.
    told = replace(seen(frame), intrinsics=Intrinsics(48, 64, 60.0, 60.0, 23.5, 31.5))
    np.testing.assert_allclose(predictor(shining(), sizes, 20.0)(told), 1.5 * of_training, rtol=1e-5)
    np.testing.assert_allclose(predictor(shining(), sizes)(told), of_training, rtol=1e-5)


def test_the_camera_of_a_pair_is_its_own_or_its_sets_or_nobody_knows_it() -> None:
    pairs, own = rooms(), Intrinsics(32, 24, 1.0, 2.0, 3.0, 4.0)
    pairs.focal, pairs.centre = (40.0, 41.0), (15.5, 11.5)
    assert camera_of_pair(replace(pairs[0], intrinsics=own), pairs) == own
    assert camera_of_pair(pairs[0], pairs) == Intrinsics(32, 24, 40.0, 41.0, 15.5, 11.5)
    # Twice as large and upright: of the same angle along the longer side.
    assert camera_of_pair(seen(frame_of(64, 48)), pairs) == Intrinsics(48, 64, 80.0, 82.0, 23.5, 31.5)
    pairs.focal = (math.nan, math.nan)
    assert camera_of_pair(pairs[0], pairs) is None


def test_a_predictor_of_a_mirrored_model_averages_both_views() -> None:
    frame = frame_of(24, 32)
    once = predictor(shining(), WHOLE)
    both = (once(seen(frame)) + once(seen(frame[:, ::-1]))[:, ::-1]) / 2
    depth = predictor(shining(mirror=True), WHOLE)(seen(frame))
    np.testing.assert_allclose(depth, both, rtol=1e-5)
    assert np.abs(depth - once(seen(frame))).max() > 0.5


def test_predicting_is_no_training() -> None:
    model = build_model(runs.tiny_recipe("rooms")).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    depth = predictor(model, DataConfig(64, 64))(seen(frame_of(64, 64)))
    assert 0.3 <= depth.min() <= depth.max() <= 10
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Painted(DepthNetwork):
    """Depth is 1 m plus ten times the red, the green and the blue of a pixel's mask, weighed 1, 2 and 4."""

    needs_segmentation = True

    def native(self, image: Tensor, segmentation: Tensor | None = None) -> Tensor:
        assert segmentation is not None
        return 1 + 10 * (segmentation * torch.tensor([1, 2, 4]).reshape(3, 1, 1)).sum(dim=1) / 7


def test_a_predictor_hands_on_the_segmentation_without_mixing_colours() -> None:
    masks = np.random.default_rng(2).choice(np.array([0, 51, 255], np.uint8), (72, 96, 3))
    predict = predictor(DepthModel(Painted(None), runs.tiny_recipe("rooms")), WHOLE)
    # A third of the size takes the middle pixel of each three by three.
    small = 1 + 10 * masks[1::3, 1::3].astype(np.float64) @ np.array([1, 2, 4]) / 7 / 255
    expected = resize_depth(np.clip(small, 0.3, 10).astype(np.float32), 72, 96)
    np.testing.assert_allclose(predict(seen(frame_of(72, 96), masks)), expected, rtol=1e-5)


def test_a_model_with_sam_is_told_when_there_is_no_segmentation() -> None:
    predict = predictor(DepthModel(Painted(None), runs.tiny_recipe("rooms")), WHOLE)
    with pytest.raises(UsageError, match=r"needs SAM's segmentation of each picture; .*--frames\.segments"):
        predict(seen(frame_of(24, 32)))


def test_the_papers_test_crop_cuts_the_segmentation_as_well() -> None:
    rng = np.random.default_rng(0)
    frame, masks = rng.integers(0, 256, (2, 480, 640, 3), dtype=np.uint8)
    pairs = MemorySet([RgbdPair(frame, np.full((480, 640), 2, np.float32), masks)])
    cut: list[NDArray[np.uint8] | None] = []

    def predict(pair: RgbdPair) -> NDArray[np.float32]:
        cut.append(pair.segmentation)
        return pair.depth

    evaluate(predict, pairs, DataConfig(416, 544, "paper"), "all", [0])
    np.testing.assert_array_equal(cut[0], masks[56:472, 60:604])


def test_random_depth_is_uniform_to_ten_metres_and_decided_by_its_seed() -> None:
    picture = seen(frame_of(100, 100))
    first, other = (random_depth(10, seed)(picture) for seed in (0, 1))
    np.testing.assert_array_equal(random_depth(10, 0)(picture), first)
    assert not np.array_equal(other, first)
    assert (first.shape, first.dtype) == ((100, 100), np.float32)
    # A tenth of the pixels in each metre, give or take five deviations of √(10000 · 0.1 · 0.9).
    assert np.abs(np.histogram(first, 10, (0, 10))[0] - 1000).max() < 5 * 30
    predict = random_depth(10, 2)
    assert not np.array_equal(predict(picture), predict(picture))


def flat(*metres: float) -> MemorySet:
    frame = np.zeros((16, 16, 3), np.uint8)
    return MemorySet([RgbdPair(frame, np.full((16, 16), value, np.float32)) for value in metres])


def test_the_constant_median() -> None:
    predict = constant_median(flat(1, 2, 7, 0, 0))
    depth = predict(seen(np.zeros((5, 9, 3), np.uint8)))
    assert depth.dtype == np.float32
    np.testing.assert_array_equal(depth, np.full((5, 9), 2))
    metrics = mean_metrics(evaluate(predict, flat(2.5, 1.6), WHOLE, "all", range(2)))
    assert asdict(metrics)["rel"] == pytest.approx((0.5 / 2.5 + 0.4 / 1.6) / 2)
    assert metrics.rmse == pytest.approx((0.5 + 0.4) / 2)


def test_the_constant_median_looks_at_few_of_many_evenly_spread() -> None:
    many = flat(*range(1, 1001))
    pixel = seen(np.zeros((1, 1, 3), np.uint8))
    assert constant_median(many, places=3, neighbours=1)(pixel) == pytest.approx(501, abs=1)
    assert constant_median(many)(pixel) == pytest.approx(500.5, abs=1)


def test_a_median_of_nothing_is_told() -> None:
    with pytest.raises(DataError, match="no training frame has known depth"):
        constant_median(flat(0, 0))
