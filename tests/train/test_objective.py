"""The objective against its terms, computed one by one on what the network answers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import runs
from clipdepth.errors import UsageError
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.losses import bin_loss, depth_loss, gradient_loss, smoothness_loss, symmetry_loss
from clipdepth_train.models import ClipAdapterConfig, EigenConfig, MsaConfig
from clipdepth_train.models.edge import Edge
from clipdepth_train.models.network import BinNetwork
from clipdepth_train.objective import Batch, Objective
from clipdepth_train.photometric import Cameras, photometric_loss
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig, LossConfig, OptimConfig
from tiny_clip import TINY_CLIP

HEIGHT, WIDTH = 64, 96
TINY = PretrainedConfig(TINY_CLIP, "none")
NOTHING = LossConfig("none")


def model(config: Any = runs.TINY_EDGE, mirror: bool = False) -> DepthModel:
    """In eval mode, in which batch norms let it be asked twice; an edge model's depth then spans metres."""
    frames = DataConfig(HEIGHT, WIDTH)
    recipe = runs.tiny_recipe("rooms", model=config, mirror=mirror, frames=frames, optim=OptimConfig())
    built = build_model(recipe).eval()
    if isinstance(built.network, Edge):
        generator = torch.Generator().manual_seed(1)
        torch.nn.init.normal_(built.network.head.score.weight, 0, 2000, generator=generator)
    return built


def batch() -> Batch:
    """Noise with a second view of it, truth of 1 to 9 m of which a quarter is unknown, and painted masks."""
    rng = np.random.default_rng(0)
    frame, view, masks = rng.integers(0, 256, (3, 2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    depth = rng.uniform(1, 9, (2, HEIGHT, WIDTH)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.25] = 0
    camera = np.array([[70, 0, 48], [0, 70, 32], [0, 0, 1]], np.float32)
    pose = np.eye(4, dtype=np.float32)
    pose[:3, 3] = 0.1, -0.05, 0.2
    given = {"frame": frame, "view": view, "segmentation": masks, "depth": depth}
    given |= {"camera": np.stack([camera] * 2), "view_camera": np.stack([camera] * 2), "pose": np.stack([pose] * 2)}
    return {name: torch.from_numpy(value) for name, value in given.items()}


@dataclass
class Answer:
    """What a model's network makes of `batch()`: of the picture, and of its mirror image, mirrored back."""

    native: Tensor
    depth: Tensor
    mirrored: Tensor
    scores: Tensor | None
    centres: Tensor | None


def answer(asked: DepthModel) -> Answer:
    given, network = batch(), asked.network
    image = asked.image(given["frame"])
    masks = given["segmentation"].permute(0, 3, 1, 2).float() / 255 if network.needs_segmentation else None
    flipped = None if masks is None else masks.flip(3)
    scores = network.scores(image) if isinstance(network, BinNetwork) else None
    centres = network.centres() if isinstance(network, BinNetwork) else None
    native, depth = network.native(image, masks), network(image, masks)
    return Answer(native, depth, network(image.flip(3), flipped).flip(2), scores, centres)


def picture(name: str = "frame") -> Tensor:
    return batch()[name].permute(0, 3, 1, 2).float() / 255


def photometric(depth: Tensor, share: float = 0.85) -> Tensor:
    given = batch()
    cameras = Cameras(given["camera"], given["view_camera"], given["pose"])
    return photometric_loss(picture(), picture("view"), depth, cameras, share)


def bins(found: Answer) -> Tensor:
    assert found.scores is not None
    assert found.centres is not None
    return bin_loss(found.scores, found.centres, batch()["depth"])


TERMS: dict[str, Callable[[Answer], Tensor]] = {
    "smoothness": lambda found: smoothness_loss(found.depth, picture()),
    "gradient": lambda found: gradient_loss(found.depth, batch()["depth"]),
    "bins": bins,
    "symmetry": lambda found: symmetry_loss(found.depth, found.mirrored),
    "photometric": lambda found: photometric(found.depth),
}
WEIGHTS = {"smoothness": 0.3, "gradient": 0.7, "bins": 0.05, "symmetry": 1.5, "photometric": 2.0}


def loss_of(asked: DepthModel, config: LossConfig) -> float:
    with torch.no_grad():
        return float(Objective(asked, config)(batch()))


def known_error(depth: Tensor, truth: Tensor, power: int) -> float:
    """The mean of |error| to a power where the truth is known, by NumPy."""
    error = depth.double().numpy() - truth.double().numpy()
    return float(np.mean(np.abs(error[truth.numpy() > 0]) ** power))


@pytest.mark.parametrize(("kind", "power"), [("l1", 1), ("l2", 2)])
def test_supervision_is_of_the_full_size_depth(kind: Any, power: int) -> None:
    with torch.no_grad():
        expected = known_error(answer(model()).depth, batch()["depth"], power)
    assert loss_of(model(), LossConfig(kind)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("kind", "power"), [("l1", 1), ("l2", 2)])
def test_native_supervision_takes_the_true_depth_in_the_middle_of_each_place(kind: Any, power: int) -> None:
    with torch.no_grad():
        native = answer(model()).native
    assert native.shape == (2, HEIGHT // 4, WIDTH // 4)
    expected = known_error(native, batch()["depth"][:, 2::4, 2::4], power)
    assert loss_of(model(), LossConfig(kind, native=True)) == pytest.approx(expected, rel=1e-5)
    assert loss_of(model(), LossConfig(kind)) != pytest.approx(expected, rel=1e-3)


def test_native_smoothness_and_gradients_are_of_the_native_depth() -> None:
    with torch.no_grad():
        native = answer(model()).native
        smoothness = smoothness_loss(native, picture())
        gradient = gradient_loss(native, batch()["depth"][:, 2::4, 2::4])
    assert loss_of(model(), replace(NOTHING, native=True, smoothness=0.5)) == pytest.approx(0.5 * float(smoothness))
    assert loss_of(model(), replace(NOTHING, native=True, gradient=0.5)) == pytest.approx(0.5 * float(gradient))


@pytest.mark.parametrize("name", TERMS)
def test_a_term_alone_counts_by_its_weight(name: str) -> None:
    with torch.no_grad():
        expected = float(TERMS[name](answer(model())))
    assert expected > 1e-3
    for weight in (1.0, WEIGHTS[name]):
        changed: dict[str, Any] = {name: weight}
        assert loss_of(model(), replace(NOTHING, **changed)) == pytest.approx(weight * expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["l1", "silog", "none"])
def test_all_terms_add_up(kind: Any) -> None:
    terms: dict[str, Any] = dict(WEIGHTS)
    config = LossConfig(kind, silog_lambda=0.5, **terms)
    with torch.no_grad():
        found = answer(model())
        expected = sum(weight * float(TERMS[name](found)) for name, weight in WEIGHTS.items())
        if kind != "none":
            expected += float(depth_loss(found.depth, batch()["depth"], config))
    assert loss_of(model(), config) == pytest.approx(expected, rel=1e-5)


def test_the_share_of_structural_similarity_is_the_losss() -> None:
    with torch.no_grad():
        found = answer(model())
        for share in (0.0, 0.4):
            expected = float(photometric(found.depth, share))
            assert loss_of(model(), replace(NOTHING, photometric=1.0, ssim=share)) == pytest.approx(expected, rel=1e-5)


def test_a_second_view_is_warped_by_depth_within_the_models_range() -> None:
    asked = model(EigenConfig())
    with torch.no_grad():
        free = answer(asked).depth
        assert (free < 1e-3).any(), "this network has nothing to clamp"
        expected = float(photometric(free.clamp(1e-3, 10)))
    assert loss_of(asked, replace(NOTHING, photometric=1.0)) == pytest.approx(expected, rel=1e-5)


def test_with_the_mirror_the_mean_of_both_is_compared() -> None:
    with torch.no_grad():
        found = answer(model())
        mean = replace(found, depth=(found.depth + found.mirrored) / 2)
        expected = {name: float(TERMS[name](mean)) for name in ("smoothness", "gradient", "photometric")}
        # These two are of the network's own answers.
        expected |= {name: float(TERMS[name](found)) for name in ("symmetry", "bins")}
        expected["l1"] = known_error(mean.depth, batch()["depth"], 1)
        alone = known_error(found.depth, batch()["depth"], 1)
    assert loss_of(model(mirror=True), LossConfig("l1")) == pytest.approx(expected["l1"], rel=1e-5)
    assert expected["l1"] != pytest.approx(alone, rel=1e-4)
    for name in TERMS:
        changed: dict[str, Any] = {name: 1.0}
        found_loss = loss_of(model(mirror=True), replace(NOTHING, **changed))
        assert found_loss == pytest.approx(expected[name], rel=1e-5), name


@pytest.mark.parametrize("mirror", [False, True])
def test_a_network_with_sam_is_given_the_segmentation(mirror: bool) -> None:
    asked = model(MsaConfig(TINY, segmentation=True), mirror)
    with torch.no_grad():
        found = answer(asked)
        depth = (found.depth + found.mirrored) / 2 if mirror else found.depth
    assert loss_of(asked, LossConfig("l1")) == pytest.approx(known_error(depth, batch()["depth"], 1), rel=1e-5)
    with pytest.raises(UsageError, match="needs SAM's segmentation of each picture"):
        Objective(asked, LossConfig("l1"))({name: batch()[name] for name in ("frame", "depth")})


def test_what_is_learned_is_not_clamped() -> None:
    asked = model(EigenConfig())
    with torch.no_grad():
        free = answer(asked).depth
    assert (free < 1e-3).any(), "this network has nothing to clamp"
    assert loss_of(asked, LossConfig("l1")) == pytest.approx(known_error(free, batch()["depth"], 1), rel=1e-5)


def test_every_term_has_a_slope() -> None:
    for name, weight in WEIGHTS.items():
        asked, changed = model(), dict[str, Any]({name: weight})
        Objective(asked, replace(NOTHING, **changed))(batch()).backward()
        slope = asked.network.get_parameter("head.score.weight").grad
        assert slope is not None
        assert slope.abs().max() > 1e-6, name


def taught_batch() -> Batch:
    """`batch()` without measured depth, and a teacher's answers of 1 to 9, a third of them missing."""
    rng = np.random.default_rng(7)
    taught = rng.uniform(1, 9, (2, HEIGHT, WIDTH)).astype(np.float32)
    taught[rng.random(taught.shape) < 1 / 3] = 0
    return batch() | {"taught": torch.from_numpy(taught), "depth": torch.zeros(2, HEIGHT, WIDTH)}


def test_a_metric_teacher_is_followed_in_log_depth_where_depth_is_unknown() -> None:
    asked, given = model(), taught_batch()
    with torch.no_grad():
        found, wanted = answer(asked).depth.double().numpy(), given["taught"].double().numpy()
        said = wanted > 0
        expected = 0.4 * np.abs(np.log(found[said]) - np.log(wanted[said])).mean()
        assert expected > 0.01
        objective = Objective(asked, replace(NOTHING, distillation=0.4))
        assert float(objective(given)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["relative", "disparity"])
def test_a_teacher_without_metres_is_followed_up_to_scale_and_shift(kind: Any) -> None:
    asked, given = model(), taught_batch()
    with torch.no_grad():
        found, wanted = answer(asked).depth.double().numpy(), given["taught"].double().numpy()
        own = found if kind == "relative" else 1 / found
        each = []
        for ours, theirs in zip(own, wanted, strict=True):
            a, b = (centred(values[theirs > 0]) for values in (ours, theirs))
            each.append(np.abs(a - b).mean())
        objective = Objective(asked, replace(NOTHING, distillation=0.4), kind)
        assert float(objective(given)) == pytest.approx(0.4 * np.mean(each), rel=1e-4)
        copy = given | {"taught": torch.from_numpy(np.where(wanted > 0, 1 + 3 * own, 0)).float()}
        assert float(objective(copy)) == pytest.approx(0, abs=1e-4)


def centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without the median (the lower one of two), of mean deviation 1."""
    rest = values - np.sort(values)[(values.size - 1) // 2]
    return np.asarray(rest / np.abs(rest).mean())


def test_pictures_without_measured_depth_change_no_other_term() -> None:
    terms: dict[str, Any] = {"gradient": 0.5, "bins": 0.1}
    for kind in ("l1", "l2", "silog"):
        config = LossConfig(kind, **terms)  # type: ignore[arg-type]
        both = batch()
        both["depth"][1] = 0
        alone = {name: value[:1] for name, value in both.items()}
        with torch.no_grad():
            assert float(Objective(model(), config)(both)) == pytest.approx(float(Objective(model(), config)(alone)))
            nothing = both | {"depth": torch.zeros_like(both["depth"])}
            assert float(Objective(model(), config)(nothing)) == 0


def test_a_model_without_bins_has_no_loss_of_bins() -> None:
    with pytest.raises(UsageError, match=r"^--loss.bins is 0.5, but this model has no bins; set it to 0$"):
        Objective(model(EigenConfig()), LossConfig(bins=0.5))
    Objective(model(EigenConfig()), LossConfig())


def test_clips_distance_classes_are_bins() -> None:
    asked = model(ClipAdapterConfig(TINY))
    with torch.no_grad():
        expected = float(bins(answer(asked)))
    assert loss_of(asked, replace(NOTHING, bins=0.5)) == pytest.approx(0.5 * expected, rel=1e-5)
