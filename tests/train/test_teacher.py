"""A teacher's answers: what they are, where they are kept, and what they mean for another camera."""

import io
import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

import runs
from clipdepth.bundle.hub_name import parse_hub_name
from clipdepth.bundle.manifest import TrainingCamera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cli import main
from clipdepth.errors import BundleError, CheckpointError, DataError
from clipdepth.rooms import Room
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.layout import write_rgb
from clipdepth_train.data.pictures import PictureSet
from clipdepth_train.evaluation import predictor
from clipdepth_train.teacher.labels import answer_path, kept_answer, label_pictures, read_answer
from clipdepth_train.teacher.named import open_teacher
from clipdepth_train.teacher.taught_set import TaughtSet
from clipdepth_train.teacher.teacher import Teacher
from train.teachers import FOCAL, HEIGHT, WIDTH, teachers_answer, write_teacher

CPU = torch.device("cpu")
QUIET = Console(quiet=True)
STUDENT = Intrinsics(80, 60, 50.0, 50.0, 39.5, 29.5)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teachers") / "wide.bundle")


@cache
def room() -> Room:
    return Room(5)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four views of a room, without depth, in folders of their own."""
    camera = Intrinsics(80, 60, 70.0, 70.0, 39.5, 29.5)
    for number in range(4):
        write_rgb(tmp_path / f"mine/part_{number % 2}/{number}.jpg", room().render(number, camera).frame)
    return tmp_path / "mine"


def test_answers_are_the_teachers_own_in_half_precision(bundle: Path, pictures: Path) -> None:
    teacher, pairs = open_teacher(str(bundle)), PictureSet(pictures, 0.5)
    assert label_pictures(pairs, teacher, CPU, QUIET) == 4
    settings = json.loads((pictures / "teacher" / teacher.key / "teacher.json").read_text())
    assert settings["camera"] == {"fx": FOCAL, "fy": FOCAL}
    assert (settings["kind"], settings["height"], settings["width"]) == ("metric", HEIGHT, WIDTH)
    assert settings["licences"] == [{"part": "graph", "licence": "MIT"}]
    for picture in pairs.pictures:
        kept = np.load(pictures / "teacher" / teacher.key / picture.parent.name / f"{picture.name}.npy")
        # A picture of 4:3 in an input of 7:5.
        assert (kept.dtype, kept.shape) == (np.float16, (HEIGHT, 53))
        index = pairs.pictures.index(picture)
        np.testing.assert_allclose(kept, teachers_answer(pairs.frame(index)), rtol=1e-3)
        np.testing.assert_array_equal(read_answer(answer_path(pictures, teacher.key, picture), teacher), kept)


def test_what_is_answered_is_not_asked_again(bundle: Path, pictures: Path) -> None:
    teacher = open_teacher(str(bundle))
    label_pictures(PictureSet(pictures, 0.5), teacher, CPU, QUIET)
    kept = {path: path.stat().st_mtime_ns for path in pictures.rglob("*.npy")}
    shutil.copy(pictures / "part_0/0.jpg", pictures / "part_0/9.jpg")
    again = PictureSet(pictures, 0.5)
    assert len(again) == 5, "the answers are no pictures"
    assert label_pictures(again, teacher, CPU, QUIET) == 1
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert label_pictures(again, teacher, CPU, QUIET) == 0


class Cut:
    """A teacher that is killed while it answers the third picture."""

    def __init__(self, teacher: Teacher) -> None:
        self.teacher, self.asked = teacher, 0

    def load(self, device: torch.device) -> Any:
        @contextmanager
        def loaded() -> Any:
            with self.teacher.load(device) as answer:

                def cut(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
                    self.asked += 1
                    if self.asked == 3:
                        raise KeyboardInterrupt
                    return answer(frame)

                yield cut

        return loaded()


def test_labelling_that_was_cut_off_continues(bundle: Path, pictures: Path) -> None:
    teacher = open_teacher(str(bundle))
    text = io.StringIO()
    cut = replace(teacher, load=Cut(teacher).load)
    with pytest.raises(KeyboardInterrupt):
        label_pictures(PictureSet(pictures, 0.5), cut, CPU, Console(file=text, width=200, force_terminal=True))
    assert "labelling mine" in text.getvalue()
    assert "the same command continues" in text.getvalue()
    assert len(list(pictures.rglob("*.npy"))) == 2
    assert not list(pictures.rglob("*.partial*"))
    assert label_pictures(PictureSet(pictures, 0.5), teacher, CPU, QUIET) == 2


def test_processes_share_the_labelling(bundle: Path, pictures: Path) -> None:
    teacher, pairs = open_teacher(str(bundle)), PictureSet(pictures, 0.5)
    assert [label_pictures(pairs, teacher, CPU, QUIET, process, 3) for process in range(3)] == [2, 1, 1]


def test_the_students_target_is_the_answer_at_the_students_camera(bundle: Path, pictures: Path) -> None:
    teacher, pairs = open_teacher(str(bundle)), PictureSet(pictures, 0.5)
    label_pictures(pairs, teacher, CPU, QUIET)
    # The teacher sees pictures of 80×60 in 53×40 pixels of its own, the student as they come.
    factor = teacher.factor(STUDENT, 60, 80)
    assert factor == pytest.approx(50 / 60 * 40 / FOCAL)
    taught = TaughtSet(pairs, teacher, STUDENT)[1].taught
    assert taught is not None
    assert taught.shape == (60, 80)
    middle = taught[29:31, 39:41].mean() / factor
    assert middle == pytest.approx(teachers_answer(pairs.frame(1))[19:21, 25:28].mean(), rel=0.02)
    as_depth = TaughtSet(pairs, teacher, STUDENT, as_depth=True)[1]
    np.testing.assert_array_equal(as_depth.depth, taught)


def test_what_is_too_far_for_the_student_is_unknown(bundle: Path, pictures: Path) -> None:
    teacher, pairs = open_teacher(str(bundle)), PictureSet(pictures, 0.5)
    label_pictures(pairs, teacher, CPU, QUIET)
    taught = TaughtSet(pairs, teacher, STUDENT)[1].taught
    assert taught is not None
    limit = float(np.median(taught))
    near = TaughtSet(pairs, teacher, STUDENT, limit)[1].taught
    np.testing.assert_array_equal(near, np.where(taught > limit, 0, taught))


@pytest.mark.parametrize("filmed", [0.5, 0.9, 2.0])
@pytest.mark.parametrize("size", [(60, 80), (90, 160), (160, 90), (100, 100)])
def test_a_wall_means_the_same_metres_for_every_camera(bundle: Path, size: tuple[int, int], filmed: float) -> None:
    """An ideal network for focal length f_t takes a wall d metres away for d·f_t/(t·f) metres, where it sees t·f."""
    teacher, (height, width) = open_teacher(str(bundle)), size
    focal = filmed * width
    seen_by_teacher = min(HEIGHT / height, WIDTH / width) * focal
    seen_by_student = min(STUDENT.height / height, STUDENT.width / width) * focal
    ideal_teacher, ideal_student = 3.0 * FOCAL / seen_by_teacher, 3.0 * STUDENT.fx / seen_by_student
    assert ideal_teacher * teacher.factor(STUDENT, height, width) == pytest.approx(ideal_student, rel=0.015)


def test_unknown_cameras_and_answers_without_metres_change_no_scale(tmp_path: Path) -> None:
    assert open_teacher(str(write_teacher(tmp_path / "unknown", camera=None))).factor(STUDENT, 60, 80) == 1
    assert open_teacher(str(write_teacher(tmp_path / "relative", "relative"))).factor(STUDENT, 60, 80) == 1


def test_answers_without_metres_are_kept_up_to_scale_and_shift(tmp_path: Path) -> None:
    teacher = open_teacher(str(write_teacher(tmp_path / "relative", "relative", None)))
    found = np.random.default_rng(0).normal(-300, 1e6, (HEIGHT, WIDTH)).astype(np.float32)
    found[3, 4], found[5, 6] = np.nan, np.inf
    path = tmp_path / "answer.npy"
    np.save(path, kept_answer(found, teacher))
    read = read_answer(path, teacher)
    assert read[3, 4] == read[5, 6] == 0
    known = np.isfinite(found)
    (scale, _), (residual, *_), *_ = np.linalg.lstsq(
        np.stack([found[known], np.ones(known.sum())], 1).astype(np.float64), read[known].astype(np.float64)
    )
    assert scale > 0
    assert np.sqrt(residual / known.sum()) < 3e-4
    assert read[known].min() == 1
    assert read[known].max() == 2
    np.testing.assert_array_equal(kept_answer(np.full((2, 2), 7, np.float32), teacher), np.zeros((2, 2)))


def test_metric_answers_that_are_none_are_unknown(bundle: Path) -> None:
    found = np.array([[1.5, np.nan, np.inf], [0, -1, 1e9]], np.float32)
    np.testing.assert_array_equal(kept_answer(found, open_teacher(str(bundle))), [[1.5, 0, 0], [0, 0, 65504]])


def test_a_run_teaches_what_it_predicts(tmp_path: Path) -> None:
    data = runs.write_rgbd_folder(tmp_path / "data", train=2, test=1)
    run = runs.train_tiny_run(tmp_path / "run", data)
    teacher = open_teacher(str(run))
    assert (teacher.name, teacher.kind, teacher.size.height, teacher.size.width) == ("run", "metric", 64, 64)
    assert [licence.part for licence in teacher.licences] == ["data (training data)"]
    assert teacher.camera is not None
    assert teacher.camera.fx == pytest.approx(FolderSet(data, "train", 1000, 10).focal[0])
    pairs = FolderSet(data, "train", 1000.0, 10.0)
    label_pictures(pairs, teacher, CPU, QUIET)
    model, recipe = load_run(run)
    for index, picture in enumerate(pairs.pictures):
        answer = read_answer(answer_path(data, teacher.key, picture), teacher)
        np.testing.assert_allclose(answer, predictor(model, recipe.frames)(pairs[index]), rtol=1e-3)


def test_the_key_tells_networks_and_sizes_apart(bundle: Path, tmp_path: Path) -> None:
    teacher = open_teacher(str(bundle))
    assert teacher.key.startswith("wide-")
    others = [
        replace(teacher, weights_sha256="1" * 64),
        replace(teacher, size=msgspec.structs.replace(teacher.size, height=48)),
        replace(teacher, kind="relative"),
    ]
    assert len({each.key for each in (teacher, *others)}) == 4
    assert replace(teacher, camera=TrainingCamera(1.0, 1.0)).key == teacher.key, "its answers are the same"
    assert "/" not in replace(teacher, name="OWNER/NAME").key


def test_the_models_that_ship_teach() -> None:
    teacher = open_teacher("edge-nyu")
    assert (teacher.kind, teacher.name) == ("metric", "edge-nyu")
    assert any("NYU" in licence.part for licence in teacher.licences)
    assert all(licence.part != "clipdepth code" for licence in teacher.licences)


def test_a_bundle_from_the_hub_is_called_by_its_repository(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name = parse_hub_name(f"hf:someone/edge@{'a' * 40}")
    shutil.copytree(bundle, name.folder)
    assert open_teacher(str(name)).key.startswith("edge-")


def test_what_is_no_teacher_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^no run or bundle at .*nothing; give --teacher a run's folder, "):
        open_teacher(str(tmp_path / "nothing"))
    with pytest.raises(CheckpointError, match="no run or bundle at edge-nuy"):
        open_teacher("edge-nuy")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/manifest.json").write_text("{")
    with pytest.raises(BundleError):
        open_teacher(str(tmp_path / "broken"))


def test_damaged_and_missing_answers_are_told(bundle: Path, tmp_path: Path) -> None:
    teacher, path = open_teacher(str(bundle)), tmp_path / "a.npy"
    with pytest.raises(DataError, match=r"a.npy is missing; the same command asks the teacher again"):
        read_answer(path, teacher)
    for content in (b"", b"\x93NUMPY", b"garbage"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a.npy is damaged; delete it, and the same command"):
            read_answer(path, teacher)
    np.save(path, np.zeros((2, 2), np.float16))
    with pytest.raises(DataError, match="is damaged"):
        read_answer(path, teacher)


def test_answers_to_pictures_outside_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lies outside"):
        answer_path(tmp_path / "data", "wide-1", tmp_path / "other/a.jpg")


def test_data_label_labels(bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "label", "--data", str(pictures), "--teacher", str(bundle)]) == 0
    key = open_teacher(str(bundle)).key
    assert capsys.readouterr().out == f"{pictures}: 4 pictures labelled in {pictures / 'teacher' / key}\n"
    assert len(list((pictures / "teacher" / key).rglob("*.npy"))) == 4
