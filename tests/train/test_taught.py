"""Students of teachers, from pictures with and without depth to trained runs."""

import json
import logging
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from rich.console import Console
from safetensors.torch import load_file

import runs
from bundles import brightness_depth
from clipdepth.cli import main
from clipdepth.errors import UsageError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.checkpoint import CHECKPOINT, load_run, read_checkpoint
from clipdepth_train.data.layout import write_rgb
from clipdepth_train.data.loader import TrainingPairs
from clipdepth_train.data.pictures import PictureSet
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.evaluation import predictor
from clipdepth_train.ingredients import stated_ingredients
from clipdepth_train.models import MsaConfig
from clipdepth_train.recipe import AugmentConfig, DataConfig, LossConfig, OptimConfig, Recipe
from clipdepth_train.teacher.labels import label_pictures
from clipdepth_train.trainer import Trainer
from clipdepth_train.training_data import TrainingData, open_training
from clips import room_frames, write_clip
from tiny_clip import TINY_CLIP
from train.teachers import FOCAL, WIDTH, teachers_answer, write_teacher

STILL = AugmentConfig(0, 1, 0, 0)
ONLY_TAUGHT = LossConfig("none", distillation=1.0)
SHARE = default_intrinsics(64, 64).fx / 64
"""The focal length of the datasets here, in widths of the picture."""
FACTOR = SHARE / (FOCAL / WIDTH)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teachers") / "wide.bundle")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data") / "measured", train=4, test=2)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures without depth, of another shape."""
    room, folder = Room(7), tmp_path_factory.mktemp("drawn")
    for number in range(12):
        write_rgb(folder / f"{number}.jpg", room.render(number, default_intrinsics(48, 80)).frame)
    return folder


@pytest.fixture
def mine(drawn: Path, tmp_path: Path) -> Path:
    """The same, without answers beside them."""
    return Path(shutil.copytree(drawn, tmp_path / "mine", ignore=shutil.ignore_patterns("teacher")))


def recipe_of(*data: Path | str, teacher: Path | str, **changes: Any) -> Recipe:
    changes = {"loss": LossConfig(distillation=1.0), "augment": STILL} | changes
    return replace(runs.tiny_recipe("rooms"), data=tuple(map(str, data)), teacher=str(teacher), **changes)


def opened(recipe: Recipe) -> TrainingData:
    found = open_training(recipe)
    assert found.teacher is not None
    for pictures in found.unlabelled:
        label_pictures(pictures, found.teacher, torch.device("cpu"), Console(quiet=True))
    return found


def trained(out: Path, recipe: Recipe) -> Path:
    AcceleratorState._reset_state(reset_partial_state=True)
    Trainer(recipe, out, Console(quiet=True)).run()
    return out


def test_a_sample_holds_depth_times_the_ratio_of_both_cameras(teacher: Path, data: Path, mine: Path) -> None:
    recipe = recipe_of(data, f"{mine}:0.5", teacher=teacher)
    found = opened(recipe)
    assert [share.shown for share in found.pairs.shares] == [4, 6]
    assert (found.tested_on, found.is_measured) == (str(data), True)
    samples = TrainingPairs(found.pairs, recipe)
    own = PictureSet(mine, 0.5).frame(3)
    sample = samples[0, 4 + 3, 0]
    assert not sample["depth"].any()
    assert sample["frame"].shape == (64, 64, 3)
    # 80×48 is 56 pixels wide for the teacher, and 64 for the student.
    wanted = teachers_answer(own) * (SHARE * 64) / (FOCAL * 64 / 56)
    taught = sample["taught"].numpy()[13:51]
    assert (taught > 0).all()
    assert not sample["taught"].numpy()[:13].any()
    assert taught.mean() == pytest.approx(wanted.mean(), rel=0.015)
    # Where answers are smooth the resize changes nothing: brightness of the whole left and right.
    assert taught[:, :32].mean() == pytest.approx(wanted[:, :28].mean(), rel=0.025)
    measured = samples[0, 1, 0]
    assert measured["depth"].any()
    # A square of 64 is one of 40 for the teacher.
    answer = teachers_answer(found.pairs[1].frame) * (SHARE * 64) / (FOCAL * 64 / 40)
    assert measured["taught"].mean() == pytest.approx(answer.mean(), rel=0.01)


def test_a_zoom_divides_what_is_taught_as_it_divides_depth(teacher: Path, data: Path) -> None:
    plain = recipe_of(data, teacher=teacher)
    zoomed = replace(plain, augment=AugmentConfig(0, 3.0, 0, 0))
    found = opened(plain)
    constant = replace(found.pairs[0], depth=np.full((64, 64), 6, np.float32), taught=np.full((64, 64), 4, np.float32))

    class Same(type(found.pairs)):  # type: ignore[misc]
        def __getitem__(self, index: int) -> Any:
            return constant

    same = Same(found.pairs.members, default_intrinsics(64, 64), 10.0, taught=True)
    zooms = set()
    for epoch in range(5):
        sample = TrainingPairs(same, zoomed)[epoch, 0, 0]
        zooms.add(round(float(6 / sample["depth"][0, 0]), 3))
        np.testing.assert_allclose(sample["taught"] / sample["depth"], 4 / 6, rtol=1e-6)
    assert len(zooms) == 5


def test_a_second_dataset_is_brought_to_the_camera_of_the_first(data: Path, tmp_path: Path) -> None:
    other = runs.write_rgbd_folder(tmp_path / "other", train=2, test=1)
    (other / "K.txt").write_text("104 0 31.5\n0 104 31.5\n0 0 1\n")
    for split in ("train", "test"):
        lines = (other / f"{split}.txt").read_text().splitlines()
        (other / f"{split}.txt").write_text("".join(f"{' '.join(line.split()[:2])}\n" for line in lines))
    pairs = open_training(replace(runs.tiny_recipe(data), data=(str(data), str(other)))).pairs
    alone = open_training(runs.tiny_recipe(other)).pairs
    wanted = alone[1].depth * np.float32(default_intrinsics(64, 64).fx / 104)
    np.testing.assert_allclose(pairs[4 + 1].depth, np.where(wanted > 10, 0, wanted), rtol=1e-6)
    np.testing.assert_array_equal(pairs[4 + 1].frame, alone[1].frame)
    assert pairs.focal == pytest.approx((default_intrinsics(64, 64).fx,) * 2)


def test_pictures_of_two_cameras_in_one_list_mean_the_same_metres(tmp_path: Path) -> None:
    """One wall, 3 m away, by three focal lengths and in two sizes: each is brought to the camera of the first."""
    folder = tmp_path / "two"
    (folder / "train").mkdir(parents=True)
    lines = []
    for name, (side, focal) in {"a": (64, 60), "b": (64, 90), "c": (128, 60)}.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.full((side, side, 3), 99, np.uint8))
        cv2.imwrite(str(folder / f"{name}_depth.png"), np.full((side, side), 3000, np.uint16))
        lines.append(f"{name}.png {name}_depth.png {focal} {focal} {side / 2 - 0.5} {side / 2 - 0.5}\n")
    for split in ("train", "test"):
        (folder / f"{split}.txt").write_text("".join(lines))
    pairs = open_training(runs.tiny_recipe(folder)).pairs
    assert [pair.frame.shape for pair in map(pairs.__getitem__, range(3))] == [(64, 64, 3)] * 3
    # Seen at 60, 90 and 30 pixels of focal length, by a network for 60.
    for index, seen in enumerate((60, 90, 30)):
        np.testing.assert_allclose(pairs[index].depth, 3.0 * 60 / seen, rtol=1e-6)


def test_rooms_can_be_mixed_in_untaught(teacher: Path, mine: Path) -> None:
    found = opened(recipe_of("rooms", mine, teacher=teacher))
    assert found.pairs[0].taught is not None
    assert not found.pairs[0].taught.any()
    assert found.pairs[40].taught is not None
    assert (found.pairs[40].taught[13:51] > 0).all(), "where 80×48 lies in 64×64"


def distance(model: DepthModel, mine: Path, factor: float) -> float:
    """Mean difference in log depth from what the teacher answers, brought to the student's camera."""
    pairs, predict = PictureSet(mine, 0.5), predictor(model, DataConfig(64, 64))
    differences = [
        np.abs(np.log(predict(pairs[i])) - np.log(brightness_depth(pairs[i].frame) * factor)).mean()
        for i in range(len(pairs))
    ]
    return float(np.mean(differences))


LONG: dict[str, Any] = {"epochs": 12, "optim": OptimConfig(learning_rate=1e-2, trunk_learning_rate=1e-3)}


def test_a_student_of_pictures_alone_learns_its_teacher(teacher: Path, mine: Path, tmp_path: Path) -> None:
    recipe = recipe_of(mine, teacher=teacher, loss=ONLY_TAUGHT, **LONG)
    run = trained(tmp_path / "run", recipe)
    assert distance(load_run(run)[0], mine, 1.0) < 0.6 * distance(build_model(recipe), mine, 1.0)
    report = json.loads((run / "metrics.json").read_text())
    assert (report["truth"], report["test_frames"], report["training_frames"]) == ("the teacher's answers", 1, 11)
    _, _, state = read_checkpoint(run / CHECKPOINT)
    # Pictures of 80×48 are 56 pixels wide for the teacher and 64 for the student.
    assert state["camera"] == pytest.approx({"fx": FOCAL * 64 / 56, "fy": FOCAL * 64 / 56}, rel=0.015)
    assert [licence.part for licence in stated_ingredients(run / CHECKPOINT)] == ["mine (training data)", "graph"]


def test_a_stopped_student_goes_on_to_the_same_weights(teacher: Path, data: Path, mine: Path, tmp_path: Path) -> None:
    recipe = recipe_of(data, f"{mine}:0.5", teacher=teacher)

    class Stopping(Trainer):
        def _train_step(self, *given: Any) -> float:
            if self.step == 2:
                raise KeyboardInterrupt
            return super()._train_step(*given)

    recipe = replace(recipe, save_every=1)
    whole = trained(tmp_path / "whole", recipe)
    with pytest.raises(KeyboardInterrupt):
        Stopping(recipe, tmp_path / "cut", Console(quiet=True)).run()
    before = {path: path.stat().st_mtime_ns for path in mine.rglob("*.npy")}
    assert len(before) == 12
    cut = trained(tmp_path / "cut", recipe)
    weights = load_file(whole / CHECKPOINT)
    assert all(torch.equal(value, weights[name]) for name, value in load_file(cut / CHECKPOINT).items())
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_another_network_of_the_teachers_name_is_told(data: Path, mine: Path, tmp_path: Path) -> None:
    first = write_teacher(tmp_path / "wide.bundle")
    recipe = replace(recipe_of(data, mine, teacher=first), save_every=1)

    class Stopping(Trainer):
        def _train_step(self, *given: Any) -> float:
            if self.step == 1:
                raise KeyboardInterrupt
            return super()._train_step(*given)

    with pytest.raises(KeyboardInterrupt):
        Stopping(recipe, tmp_path / "run", Console(quiet=True)).run()
    write_teacher(first, "relative", None)
    with pytest.raises(UsageError, match=r"was begun with another network as --teacher; choose another --out$"):
        trained(tmp_path / "run", recipe)


@pytest.mark.parametrize("kind", ["relative", "disparity"])
def test_a_teacher_without_metres_trains_beside_measured_depth(
    data: Path, mine: Path, tmp_path: Path, kind: Any
) -> None:
    recipe = recipe_of(data, mine, teacher=write_teacher(tmp_path / kind, kind, None))
    run = trained(tmp_path / "run", recipe)
    assert all(np.isfinite(value.numpy()).all() for value in load_file(run / CHECKPOINT).values())
    assert json.loads((run / "metrics.json").read_text())["truth"] == "measured"


OPTIONS = f"""--epochs 1 --batch-size 2 --frames.height 64 --frames.width 64 --frames.workers 0
    --model.trunk.name {TINY_CLIP} --model.trunk.weights none --model.width 8 --model.bins 8""".split()


def test_the_command_mixes_data_and_videos(
    teacher: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "films/a.mp4", room_frames(3, 12), rate=Fraction(4))
    sets = ["--data", str(data), "--data", f"{tmp_path / 'films'}:2"]
    command = ["train", "edge", *sets, "--teacher", str(teacher), "--out", str(tmp_path / "run"), *OPTIONS]
    assert main(command) == 0
    assert len(list((tmp_path / "films").rglob("*.npy"))) == 6
    _, recipe, state = read_checkpoint(tmp_path / "run" / CHECKPOINT)
    assert recipe.data == (str(data), f"{tmp_path / 'films'}:2")
    assert recipe.loss.distillation == 1.0, "a teacher without a weight counts once"
    assert state["report"]["training_frames"] == 4 + 6
    assert [licence["part"] for licence in state["ingredients"]] == [
        "measured (training data)",
        "films (training data)",
        "graph",
    ]
    # What it is evaluated on by default is the dataset that has depth.
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(tmp_path / "films")]) == 2
    assert "has no measured depth to compare with; give --data" in capsys.readouterr().err


def test_an_unknown_camera_is_taken_for_the_students(
    data: Path, mine: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = write_teacher(tmp_path / "unknown", camera=None)
    with caplog.at_level(logging.WARNING):
        found = opened(recipe_of(data, mine, teacher=unknown))
    assert "nothing says which camera unknown was trained with; taking the student's" in caplog.text
    taught = found.pairs[5].taught
    assert taught is not None
    answer = teachers_answer(PictureSet(mine, 0.5).frame(1))
    assert taught[taught > 0].mean() == pytest.approx(answer.mean(), rel=0.01)
    open_training(recipe_of(mine, teacher=unknown))
    assert "taking a Kinect's" in caplog.text


def test_what_does_not_fit_is_told_in_a_line(teacher: Path, data: Path, mine: Path, tmp_path: Path) -> None:
    relative = write_teacher(tmp_path / "relative", "relative", None)
    with pytest.raises(UsageError, match=r"mine has no measured depth \(no train.txt, no train/\); give --teacher, "):
        open_training(runs.tiny_recipe(mine))
    with pytest.raises(UsageError, match=r"^'rooms' is drawn anew each time, .*clipdepth data render rooms"):
        open_training(recipe_of("rooms", teacher=teacher))
    with pytest.raises(UsageError, match=r"relative answers relative depth and none of the data has metres; add a"):
        open_training(recipe_of(mine, teacher=relative))
    masked = recipe_of(mine, teacher=teacher, model=MsaConfig(segmentation=True), frames=DataConfig(segments="sam"))
    with pytest.raises(UsageError, match=r"^--frames.segments sam is of a dataset with depth, and .*mine has none; "):
        open_training(masked)
    with pytest.raises(UsageError, match=r"^--augment.tilt is 5.0, and .*relative answers relative depth"):
        open_training(recipe_of(data, mine, teacher=relative, augment=AugmentConfig(tilt=5.0)))
