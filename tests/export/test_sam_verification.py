"""Graphs of Segment Anything that are not what PyTorch computes are refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from clipdepth.bundle.sam_agreement import SAM_TOLERANCES, SamAnswer, SamTolerance, compare_answers
from clipdepth.bundle.sam_folder import SamFolder, open_sam
from clipdepth.errors import EngineError, VerificationError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_export.sam import exporter
from clipdepth_export.sam.exporter import export_sam
from clipdepth_export.sam.verification import sam_answer, verify_sam
from clipdepth_train.segmentation import load_sam
from tiny_sam import lively_config

FRAMES = [Room(2).render(0, default_intrinsics(60, 80)).frame]
NAMES = {"encoder": "sam-encoder.fp32.onnx", "decoder": "sam-decoder.fp32.onnx"}
Change = Callable[[NDArray[np.generic]], NDArray[np.generic]]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> SamFolder:
    folder = tmp_path_factory.mktemp("private")
    export_sam(lively_config(folder), folder / "sam", ["fp32"], FRAMES)
    return open_sam(folder / "sam")


@pytest.fixture(scope="module")
def answers(sound: SamFolder) -> list[SamAnswer]:
    sam = load_sam(lively_config(sound.path.parent))
    return [sam_answer(sam, frame) for frame in FRAMES]


def change(model: onnx.ModelProto, part: str, how: Change) -> None:
    """Change the constant of whose name `part` is a part."""
    (tensor,) = (tensor for tensor in model.graph.initializer if part in tensor.name)
    tensor.CopyFrom(numpy_helper.from_array(how(numpy_helper.to_array(tensor).copy()), tensor.name))


def not_a_number(values: NDArray[np.generic]) -> NDArray[np.generic]:
    values.flat[0] = np.nan
    return values


def twice(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values * 2


def swapped(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return values[..., ::-1].copy()


WRONG = [
    ("encoder", "blocks.0.mlp.lin1.bias", twice),
    ("encoder", "pos_embed", twice),
    ("encoder", "neck.0.weight", not_a_number),
    ("encoder", "mean", swapped),
    ("decoder", "output_hypernetworks_mlps.2.layers.0.bias", swapped),
    ("decoder", "iou_prediction_head.layers.2.bias", twice),
    ("decoder", "output_upscaling.0.bias", not_a_number),
    ("decoder", "foreground", swapped),
]


def write_changed(sound: SamFolder, folder: Path, part: str, name: str, how: Change) -> Path:
    """The sound graphs with a constant of one of them changed."""
    for graph in NAMES:
        model = onnx.load(sound.path / NAMES[graph])
        if graph == part:
            change(model, name, how)
        onnx.save(model, folder / NAMES[graph])
    return folder


def test_sound_graphs_pass(sound: SamFolder, answers: list[SamAnswer]) -> None:
    agreement = verify_sam(sound.path, NAMES, FRAMES, answers, SAM_TOLERANCES["fp32"])
    assert agreement == sound.manifest.sam.of("fp32").verification
    assert (agreement.frames, agreement.points) == (1, 64)
    # Masks that are all full or all empty would agree whatever the points.
    shares = (answers[0].masks > 0).mean(axis=(2, 3))
    assert np.count_nonzero((shares > 0.02) & (shares < 0.98)) > 20
    assert answers[0].iou.std() > 0.05


@pytest.mark.parametrize(("part", "name", "how"), WRONG)
def test_a_changed_weight_is_refused(
    sound: SamFolder, answers: list[SamAnswer], tmp_path: Path, part: str, name: str, how: Change
) -> None:
    folder = write_changed(sound, tmp_path, part, name, how)
    with pytest.raises(VerificationError) as error:
        verify_sam(folder, NAMES, FRAMES, answers, SAM_TOLERANCES["fp32"])
    assert "\n" not in str(error.value)
    assert "sam-encoder.fp32.onnx and sam-decoder.fp32.onnx differ from PyTorch" in str(error.value)
    assert ("NaN" in str(error.value)) == (how is not_a_number)


def test_swapped_colours_are_refused(sound: SamFolder, answers: list[SamAnswer], tmp_path: Path) -> None:
    folder = write_changed(sound, tmp_path, "none", "", twice)
    model = onnx.load(folder / NAMES["encoder"])
    cast = next(node for node in model.graph.node if "frame" in node.input)
    flip = next(node for node in model.graph.node if cast.output[0] in node.input)
    flip.CopyFrom(onnx.helper.make_node("Identity", [cast.output[0]], [flip.output[0]]))
    onnx.save(model, folder / NAMES["encoder"])
    with pytest.raises(VerificationError, match="differ from PyTorch: mean cosine"):
        verify_sam(folder, NAMES, FRAMES, answers, SAM_TOLERANCES["fp32"])


def test_a_file_that_is_no_graph(sound: SamFolder, answers: list[SamAnswer], tmp_path: Path) -> None:
    for name in NAMES.values():
        (tmp_path / name).write_bytes((sound.path / name).read_bytes()[:999])
    with pytest.raises(EngineError, match="cannot load"):
        verify_sam(tmp_path, NAMES, FRAMES, answers, SAM_TOLERANCES["fp32"])


def test_a_refused_export_leaves_what_was_there(
    sound: SamFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = lively_config(tmp_path)
    out = shutil.copytree(sound.path, tmp_path / "sam")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    proto_of = exporter.proto_of

    def wrong_proto_of(program: object) -> onnx.ModelProto:
        model = proto_of(program)  # type: ignore[arg-type]
        if model.graph.input[0].name == "frame":
            change(model, "mean", swapped)
        return model

    monkeypatch.setattr(exporter, "proto_of", wrong_proto_of)
    with pytest.raises(VerificationError, match="nothing was written"):
        export_sam(config, out, ["fp32"], FRAMES)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"sam", "lively.pth"}


def test_overflow_in_half_precision_is_seen_on_a_cpu(tmp_path: Path) -> None:
    """Two layers that undo each other: sound in fp32, infinite in between in half."""
    config = lively_config(tmp_path)
    state = torch.load(config.weights)
    state["image_encoder.blocks.0.mlp.lin1.weight"] *= 3e5
    state["image_encoder.blocks.0.mlp.lin1.bias"] *= 3e5
    state["image_encoder.blocks.0.mlp.lin2.weight"] /= 3e5
    torch.save(state, config.weights)
    with pytest.raises(VerificationError, match=r"fp16\.onnx differ from PyTorch: they answer NaN or infinite"):
        export_sam(config, tmp_path / "sam", ["fp32", "fp16"], FRAMES)
    assert not (tmp_path / "sam").exists()


def answer(embedding: float = 1.0, mask: slice = slice(0, 4), iou: float = 0.5) -> SamAnswer:
    """An answer whose embedding is a vector (1, x) everywhere and whose masks are some rows of 8."""
    vectors = np.ones((1, 2, 2, 2), np.float32)
    vectors[:, 1] = embedding
    masks = np.full((5, 3, 8, 8), -1, np.float32)
    masks[:, :, mask] = 1
    return SamAnswer(vectors, masks, np.full((5, 3), iou, np.float32))


def test_what_is_measured() -> None:
    tolerance = SamTolerance(0.7, 0.5, 0.25)
    same = compare_answers([(answer(), answer())], tolerance)
    assert same.passed
    assert (same.cosine, same.mask_iou, same.predicted_iou) == (pytest.approx(1), 1, 0)
    other = compare_answers([(answer(0, slice(2, 6), 0.75), answer()), (answer(), answer())], tolerance)
    assert other.cosine == pytest.approx((1 + np.sqrt(0.5)) / 2)
    assert other.mask_iou == pytest.approx((1 + 2 / 6) / 2)
    assert other.predicted_iou == pytest.approx(0.125)
    assert (other.frames, other.points) == (2, 5)
    assert other.passed


@pytest.mark.parametrize("found", [answer(-1), answer(mask=slice(3, 7)), answer(iou=0.2)])
def test_each_measure_refuses(found: SamAnswer) -> None:
    assert not compare_answers([(found, answer())], SamTolerance(0.7, 0.5, 0.25)).passed


def test_empty_masks_agree() -> None:
    assert compare_answers([(answer(mask=slice(0, 0)),) * 2], SamTolerance(0.7, 0.5, 0.25)).mask_iou == 1


@pytest.mark.parametrize("field", ["embedding", "masks", "iou"])
def test_infinite_values_refuse_and_stay_out_of_the_manifest(field: str) -> None:
    found = answer()
    getattr(found, field).flat[0] = np.inf
    agreement = compare_answers([(found, answer())], SamTolerance(0, 0, 9))
    assert not agreement.passed
    assert (agreement.cosine, agreement.mask_iou, agreement.predicted_iou) == (0, 0, 0)
    assert "NaN or infinite" in str(agreement)
