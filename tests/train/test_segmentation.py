"""Segment Anything's masks as a colour image, and their cache beside a dataset."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import segment_anything
import torch
from numpy.typing import NDArray

from clipdepth.cli import main
from clipdepth.engines.sam.painting import paint
from clipdepth.errors import DataError, UsageError, WeightsError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.data.folder import read_frame
from clipdepth_train.data.segments import SEGMENTS, SETTINGS, read_segments, segments_name, segments_path
from clipdepth_train.segmentation import SamConfig, Segmenter, load_sam
from runs import write_rgbd_folder

MINI = SamConfig("mini", "none", points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0)
"""What `OPTIONS` ask for: random masks, all of them."""
OPTIONS = ("--sam", "mini", "--points-per-side", "4", "--pred-iou-thresh", "0", "--stability-score-thresh", "0.0")


def box(top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
    """A mask of a picture of 4×8."""
    mask = np.zeros((4, 8), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("variant", "vit_g", "--sam 'vit_g'"),
        ("points_per_side", 0, "--points-per-side is 0"),
        ("pred_iou_thresh", 1.5, "--pred-iou-thresh is 1.5"),
        ("stability_score_thresh", float("nan"), "--stability-score-thresh is nan"),
    ],
)
def test_settings_out_of_range_are_misuse(field: str, value: object, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        replace(MINI, **{field: value})  # type: ignore[arg-type]


def test_sam_sees_rgb_and_masks_without_pixels_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def generate(_: object, image: NDArray[np.uint8]) -> list[dict[str, NDArray[np.bool_]]]:
        seen.append(image)
        return [{"segmentation": box(0, 1, 0, 1)}, {"segmentation": box(0, 0, 0, 0)}]

    monkeypatch.setattr(segment_anything.SamAutomaticMaskGenerator, "generate", generate)
    masks = Segmenter(MINI)(np.full((4, 8, 3), [1, 2, 3], np.uint8))
    assert seen[0][0, 0].tolist() == [3, 2, 1]
    assert masks.dtype == np.bool_
    assert np.array_equal(masks, box(0, 1, 0, 1)[None])


def test_a_picture_without_masks_has_none() -> None:
    assert Segmenter(replace(MINI, pred_iou_thresh=1.0))(np.zeros((48, 64, 3), np.uint8)).shape == (0, 48, 64)


def test_random_weights_are_the_same_each_time_and_draw_from_no_one() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    states = [load_sam(MINI).state_dict() for _ in range(2)]
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def save_mini(path: Path) -> SamConfig:
    """Save weights of a mini other than the random ones; return the settings that load them."""
    state = load_sam(MINI).state_dict()
    torch.save({name: value.flip(0) for name, value in state.items()}, path)
    return replace(MINI, weights=str(path))


def test_weights_come_from_a_file_and_change_the_masks(tmp_path: Path) -> None:
    config = save_mini(tmp_path / "mini.pth")
    saved, loaded = torch.load(config.weights), load_sam(config)
    assert not loaded.training
    assert all(torch.equal(value, saved[name]) for name, value in loaded.state_dict().items())
    frame = Room(0).render(0, default_intrinsics(48, 64)).frame
    random, masks = Segmenter(MINI)(frame), Segmenter(config)(frame)
    assert len(random) > 1
    assert not np.array_equal(paint(random), paint(masks))


def test_weights_that_do_not_fit_are_told_in_a_line(tmp_path: Path) -> None:
    save_mini(tmp_path / "mini.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for variant, name in (("vit_b", "mini.pth"), ("mini", "text.pth")):
        with pytest.raises(WeightsError) as error:
            load_sam(SamConfig(variant, str(tmp_path / name)))  # type: ignore[arg-type]
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)
        assert "--sam-weights" in str(error.value)
        assert ("/sam_vit_b_01ec64.pth" in str(error.value)) == (variant == "vit_b")


@pytest.mark.parametrize("variant", ["vit_b", "vit_l", "vit_h"])
def test_missing_weights_name_the_published_file(variant: str) -> None:
    with pytest.raises(WeightsError, match=rf"nowhere\.pth.*/sam_{variant}_\w+\.pth.*--sam-weights PATH"):
        segments_name(SamConfig(variant, "nowhere.pth"))  # type: ignore[arg-type]


def test_a_cache_is_named_by_what_decides_it(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (segments_name(replace(MINI, weights=str(tmp_path / name))) for name in "abc")
    assert a == b
    changes = {"variant": "vit_b", "points_per_side": 5, "pred_iou_thresh": 0.1, "stability_score_thresh": 0.1}
    others = [segments_name(replace(MINI, **{field: value})) for field, value in changes.items()]  # type: ignore[arg-type]
    names = [segments_name(MINI), a, c, *others]
    assert len(set(names)) == len(names)
    assert [name.rpartition("-")[0] for name in names] == ["mini", "mini", "mini", "vit_b", "mini", "mini", "mini"]
    assert all(len(name.rpartition("-")[2]) == 8 for name in names)


def test_a_painting_lies_where_its_picture_does() -> None:
    data = Path("data")
    path = segments_path(data, "mini-1", data / "train" / "attic" / "rgb_00001.jpg")
    assert path == data / "segments" / "mini-1" / "train" / "attic" / "rgb_00001.png"
    with pytest.raises(DataError, match="outside data"):
        segments_path(data, "mini-1", Path("elsewhere/rgb_00001.jpg"))


def segment(data: Path, *options: str) -> int:
    return main(["data", "segment", "--data", str(data), *(options or OPTIONS)])


def paintings(data: Path) -> dict[Path, int]:
    """All files of all caches and when they were written."""
    return {path: path.stat().st_mtime_ns for path in (data / SEGMENTS).rglob("*.*") if path.name != SETTINGS}


def test_the_command_paints_every_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rgbd_folder(tmp_path, train=2, test=1)
    name = segments_name(MINI)
    assert segment(tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 3 pictures segmented; train with --frames.segments {name}\n"
    settings = json.loads((tmp_path / SEGMENTS / name / SETTINGS).read_text())
    assert settings == {
        "variant": "mini",
        "weights": "none",
        "points_per_side": 4,
        "pred_iou_thresh": 0.0,
        "stability_score_thresh": 0.0,
        "colouring": 1,
    }
    pictures = sorted(tmp_path.glob("t*/*/rgb_*.jpg"))
    assert set(paintings(tmp_path)) == {segments_path(tmp_path, name, rgb) for rgb in pictures}
    segmenter = Segmenter(MINI)
    for rgb in pictures:
        found = read_segments(tmp_path, name, rgb)
        assert np.array_equal(found, paint(segmenter(read_frame(rgb))))
        assert found.any()


def test_what_is_painted_is_left_alone(tmp_path: Path) -> None:
    write_rgbd_folder(tmp_path, train=2, test=1)
    assert segment(tmp_path) == 0
    before = paintings(tmp_path)
    lost = next(iter(before))
    lost.unlink()
    assert segment(tmp_path) == 0
    after = paintings(tmp_path)
    assert after.keys() == before.keys()
    assert {path for path in before if after[path] != before[path]} == {lost}


def test_an_interrupted_run_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rgbd_folder(tmp_path, train=2, test=1)
    whole = Segmenter.__call__

    def interrupted(self: Segmenter, frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
        if paintings(tmp_path):
            raise KeyboardInterrupt
        return whole(self, frame)

    with monkeypatch.context() as patched:
        patched.setattr(Segmenter, "__call__", interrupted)
        assert segment(tmp_path) == 130
    ((path, written),) = paintings(tmp_path).items()
    assert segment(tmp_path) == 0
    assert len(paintings(tmp_path)) == 3
    assert paintings(tmp_path)[path] == written


def test_one_split_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rgbd_folder(tmp_path, train=1, test=0)
    assert (tmp_path / "test.txt").read_text() == ""
    assert segment(tmp_path) == 0
    (tmp_path / "test.txt").unlink()
    assert segment(tmp_path) == 0
    assert capsys.readouterr().out.count("1 pictures segmented") == 2


def test_where_sam_finds_nothing_it_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_rgbd_folder(tmp_path, train=1, test=0)
    assert segment(tmp_path, "--sam", "mini", "--points-per-side", "2") == 0
    assert "no mask in 1 pictures; lower --pred-iou-thresh" in caplog.text


def test_a_missing_or_damaged_painting_is_told_with_a_remedy(tmp_path: Path) -> None:
    rgb = write_rgbd_folder(tmp_path, train=1, test=0) / "train" / "room_0" / "rgb_00000.jpg"
    name = segments_name(MINI)
    path = segments_path(tmp_path, name, rgb)
    remedy = f"run 'clipdepth data segment --data {tmp_path} …'"
    with pytest.raises(DataError) as missing:
        read_segments(tmp_path, name, rgb)
    assert str(missing.value) == f"{path} is missing; {remedy}"
    assert segment(tmp_path) == 0
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError) as damaged:
        read_segments(tmp_path, name, rgb)
    settings = tmp_path / SEGMENTS / name / SETTINGS
    assert str(damaged.value) == f"{path} is damaged; delete it and {remedy} with the settings in {settings}"


def test_misuse_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for status, told, options in (
        (2, "--sam vit_b needs weights; download https://", ["--points-per-side", "4"]),
        (2, "--pred-iou-thresh is 2.0", ["--sam", "mini", "--pred-iou-thresh", "2"]),
        (1, f"no dataset at {tmp_path}/none", ["--sam", "mini"]),
    ):
        assert segment(tmp_path / "none", *options) == status
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
