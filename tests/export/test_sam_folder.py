"""`clipdepth export-sam`, and the folder it writes as a device reads it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clipdepth.bundle.sam_folder import SAM_MANIFEST, open_sam
from clipdepth.engines.sam.painting import COLOURING
from clipdepth.engines.sam.segmenter import load_segmenter
from clipdepth.errors import BundleError, ClipdepthError, UsageError, WeightsError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_export.sam.command import main
from clipdepth_export.sam.exporter import export_sam
from clipdepth_train.segmentation import SamConfig, load_sam
from runs import write_rgbd_folder
from tiny_sam import lively_config

FRAME = Room(0).render(0, default_intrinsics(60, 80)).frame


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private")
    export_sam(lively_config(folder, 4, 0.02, 0.05), folder / "sam", ["fp32"], [FRAME])
    return folder / "sam"


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(written, tmp_path / "copy")


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    manifest = json.loads((folder / SAM_MANIFEST).read_text())
    change(manifest)
    (folder / SAM_MANIFEST).write_text(json.dumps(manifest))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as error:
        open_sam(folder)
    assert "\n" not in str(error.value)
    assert "export-sam" in str(error.value)
    return str(error.value)


def test_what_the_manifest_says(written: Path) -> None:
    manifest = open_sam(written).manifest
    sam = manifest.sam
    assert (sam.variant, sam.image_size, sam.points_per_side) == ("mini", 128, 4)
    assert (sam.pred_iou_thresh, sam.stability_score_thresh, sam.colouring) == (0.02, 0.05, COLOURING)
    assert {file.name for file in written.iterdir()} == {SAM_MANIFEST, *sam.files} == {SAM_MANIFEST, *manifest.files}
    assert [notice.part for notice in manifest.licences] == [
        "segment-anything code",
        "SAM mini weights (lively.pth)",
    ]
    assert {"clipdepth", "torch", "onnxruntime"} <= set(manifest.written_by)
    assert str(written.parent) not in (written / SAM_MANIFEST).read_text()


def test_settings_reach_the_generator(written: Path) -> None:
    sam = open_sam(written).manifest.sam
    generator = load_segmenter(written, sam, threads=1)
    assert (generator.image_size, generator.points_per_side) == (128, 4)
    assert (generator.pred_iou_thresh, generator.stability_score_thresh) == (0.02, 0.05)
    masks = generator(FRAME)
    assert masks.shape[1:] == (60, 80)
    assert len(masks)


def test_a_precision_that_is_not_there_is_misuse(written: Path) -> None:
    with pytest.raises(UsageError, match="no fp16 graphs here; it has fp32"):
        load_segmenter(written, open_sam(written).manifest.sam, "fp16")


@pytest.mark.parametrize("name", ["sam-encoder.fp32.onnx", "sam-decoder.fp32.onnx"])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert f"{name} is not the file its manifest states" in refused(folder)


def test_a_missing_graph_is_found(folder: Path) -> None:
    (folder / "sam-decoder.fp32.onnx").unlink()
    assert "sam-decoder.fp32.onnx is missing" in refused(folder)


def test_no_folder_and_no_manifest(tmp_path: Path) -> None:
    assert "no folder of SAM at" in refused(tmp_path / "nowhere")
    assert "no sam.json" in refused(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda m: m.update(schema=9), "has schema 9, this clipdepth reads schema 1"),
        (lambda m: m.update(extra=1), "unknown field `extra`"),
        (lambda m: m["sam"].update(image_size=0), "field sam.image_size"),
        (lambda m: m["sam"].update(pred_iou_thresh=1.5), "field sam.pred_iou_thresh"),
        (lambda m: m["sam"].update(graphs={}), "field sam.graphs"),
        (lambda m: m["sam"]["graphs"]["fp32"].update(encoder="../evil.onnx"), "encoder"),
        (lambda m: m["sam"]["graphs"]["fp32"].update(weights=["more.data"]), "more.data is not in files"),
        (lambda m: m["files"].pop("sam-encoder.fp32.onnx"), "sam-encoder.fp32.onnx is not in files"),
        (lambda m: m["sam"]["graphs"]["fp32"]["verification"].update(mask_iou=0.5), "verification: it did not pass"),
        (lambda m: m["sam"]["graphs"].update(int8=m["sam"]["graphs"].pop("fp32")), "int8"),
    ],
)
def test_a_tampered_manifest_is_refused(folder: Path, change: Callable[[Any], object], told: str) -> None:
    edit(folder, change)
    assert told in refused(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": 1}'])
def test_a_damaged_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / SAM_MANIFEST).write_bytes(content)
    assert SAM_MANIFEST in refused(folder)


def test_another_colouring_is_refused(folder: Path) -> None:
    edit(folder, lambda m: m["sam"].update(colouring=COLOURING + 1))
    with pytest.raises(BundleError, match=f"colouring {COLOURING + 1} .* paints {COLOURING}"):
        load_segmenter(folder, open_sam(folder).manifest.sam)


def test_the_command_writes_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sam"
    data = write_rgbd_folder(tmp_path / "data", train=1, test=3, height=48, width=64)
    options = ["--points-per-side", "3", "--pred-iou-thresh", "0", "--data", str(data)]
    assert main(["--variant", "mini", "--out", str(out), *options]) == 0
    manifest = open_sam(out).manifest
    printed = capsys.readouterr().out
    assert list(manifest.sam.graphs) == ["fp32", "fp16"]
    assert manifest.sam.of("fp32").verification.frames == 2
    assert manifest.sam.points_per_side == 3
    assert all(name in printed for name in manifest.files)
    assert f"{manifest.sam.of('fp16').verification.cosine:.6f}" in printed
    assert np.array_equal(load_segmenter(out, manifest.sam, "fp16").embed(FRAME).shape, (1, 32, 8, 8))


def test_rendered_rooms_serve_where_no_dataset_is_given(tmp_path: Path) -> None:
    assert main(["--variant", "mini", "--out", str(tmp_path / "sam"), "--precision", "fp32"]) == 0
    assert list(open_sam(tmp_path / "sam").manifest.sam.graphs) == ["fp32"]


def save_mini(path: Path) -> Path:
    torch.save(load_sam(SamConfig("mini", "none")).state_dict(), path)
    return path


def test_misuse_is_told_in_a_line_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "game").mkdir()
    (tmp_path / "game" / "sam.json").write_text('{"hero": "Sam"}')
    mini = str(save_mini(tmp_path / "mini.pth"))
    before = sorted(tmp_path.rglob("*"))
    for told, kind, options in (
        ("vit_b needs weights; download https://", UsageError, ["--variant", "vit_b"]),
        ("nowhere.pth' is no file; download https://", WeightsError, ["--weights", "nowhere.pth"]),
        ("does not hold the weights of SAM's vit_b", WeightsError, ["--weights", mini]),
        *(
            (
                "holds no sam.json of this clipdepth; choose another",
                UsageError,
                ["--variant", "mini", "--out", str(out)],
            )
            for out in (tmp_path / "full", tmp_path / "game")
        ),
        ("--pred-iou-thresh is 2.0", UsageError, ["--variant", "mini", "--pred-iou-thresh", "2"]),
        ("invalid choice: 'int8'", UsageError, ["--variant", "mini", "--precision", "int8"]),
        ("no data at", ClipdepthError, ["--variant", "mini", "--data", str(tmp_path / "none")]),
    ):
        with pytest.raises(kind) as error:
            main(["--out", str(tmp_path / "out"), *options])
        assert told in str(error.value)
        assert "\n" not in str(error.value)
        assert sorted(tmp_path.rglob("*")) == before
