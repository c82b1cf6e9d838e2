"""A depth model of transformers as a teacher: its own answers at its own size, and its licence."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from rich.console import Console

from clipdepth.bundle.manifest import Licence
from clipdepth.camera.letterbox import Letterbox
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import UsageError
from clipdepth.rooms import Room
from clipdepth_train.data.layout import write_rgb
from clipdepth_train.data.pictures import PictureSet
from clipdepth_train.imported.families import family_of
from clipdepth_train.teacher.labels import answer_path, label_pictures, read_answer
from clipdepth_train.teacher.named import open_teacher, pinned_teacher
from hub_models import depth_anything, dpt_dinov2
from hub_stand_in import asked_hub


@pytest.fixture
def pictures(tmp_path: Path) -> PictureSet:
    camera = Intrinsics(84, 56, 70.0, 70.0, 41.5, 27.5)
    for number in range(2):
        write_rgb(tmp_path / "mine" / f"{number}.jpg", Room(5).render(number, camera).frame)
    return PictureSet(tmp_path / "mine", 0.5)


def test_its_answers_are_those_of_transformers(tmp_path: Path, pictures: PictureSet) -> None:
    """Its processor is told to make pictures of the size that the teacher takes."""
    folder = depth_anything(tmp_path / "metric", depth_estimation_type="metric", max_depth=20)
    teacher = open_teacher(str(folder))
    assert (teacher.kind, teacher.camera) == ("metric", None)
    assert teacher.licences == (Licence("metric", "apache-2.0"),)
    assert label_pictures(pictures, teacher, torch.device("cpu"), Console(quiet=True)) == 2
    network = transformers.AutoModelForDepthEstimation.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    size = {"height": teacher.size.height, "width": teacher.size.width}
    for index, picture in enumerate(pictures.pictures):
        kept = read_answer(answer_path(pictures.folder, teacher.key, picture), teacher)
        frame = pictures.frame(index)
        box = Letterbox.of(*frame.shape[:2], size["height"], size["width"])
        rgb = np.ascontiguousarray(box.picture(frame)[..., ::-1])
        given = processor(rgb, size=size, keep_aspect_ratio=False, return_tensors="pt")
        with torch.no_grad():
            expected = box.inside(network(**given).predicted_depth[0].numpy())
        assert np.ptp(expected) > 0.1
        # Half precision lies between.
        assert np.median(np.abs(kept / expected - 1)) < 0.02


def test_other_weights_have_another_folder(tmp_path: Path) -> None:
    keys = [open_teacher(str(depth_anything(tmp_path / str(side) / "same", max_depth=side))).key for side in (10, 20)]
    assert keys[0].startswith("same-")
    folder = tmp_path / "10" / "same"
    again = open_teacher(str(folder)).key
    assert again == keys[0]
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert open_teacher(str(folder)).key != again


def test_another_config_or_processor_of_the_same_weights_has_another_folder(tmp_path: Path) -> None:
    keys = [open_teacher(str(depth_anything(tmp_path / "same", depth_estimation_type="metric", max_depth=20))).key]
    for name, old, new in (
        ("config.json", '"max_depth": 20', '"max_depth": 80'),
        ("preprocessor_config.json", '"do_normalize": true', '"do_normalize": false'),
    ):
        path = tmp_path / "same" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        keys.append(open_teacher(str(tmp_path / "same")).key)
    assert len(set(keys)) == 3


def test_depth_pro_makes_metres_in_full_precision_of_half_precision_answers() -> None:
    family = family_of(transformers.DepthProConfig(use_fov_model=True), "large")
    inverse, angle = torch.tensor([[[0.31, 0.077, 0.0021]]]).half(), torch.tensor([53.7]).half()
    metres = family.answer(SimpleNamespace(predicted_depth=inverse, field_of_view=angle))
    expected = 1 / (inverse.double() * 2 * np.tan(np.radians(float(angle)) / 2))
    np.testing.assert_allclose(metres.numpy(), expected.numpy(), rtol=1e-6)


def test_what_its_config_leaves_open_needs_an_export(tmp_path: Path) -> None:
    folder = dpt_dinov2(tmp_path / "open")
    with pytest.raises(UsageError, match="does not say what it answers; give --kind metric, or disparity"):
        open_teacher(str(folder))


def test_no_card_is_no_licence(tmp_path: Path) -> None:
    folder = depth_anything(tmp_path / "bare")
    (folder / "README.md").unlink()
    (licence,) = open_teacher(str(folder)).licences
    assert licence.licence == "not stated by its card; see its owner"


def test_on_the_hub_it_is_pinned_to_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = depth_anything(tmp_path / "local")
    (folder / "evil.py").write_text("raise SystemExit", encoding="utf-8")
    with asked_hub(tmp_path, monkeypatch) as hub:
        commit = hub.add("someone/depth", {file.name: file.read_bytes() for file in folder.iterdir()})
        pinned = pinned_teacher("hf:someone/depth")
        assert pinned == f"hf:someone/depth@{commit}"
        teacher = open_teacher(pinned)
        assert not [path for path in hub.asked("GET") if "evil" in path]
    assert (teacher.name, teacher.kind) == ("depth", "disparity")
    assert teacher.size == open_teacher(str(folder)).size
    assert pinned_teacher("edge-nyu") == "edge-nyu"
