"""A model of the hub that cannot be exported is refused in one line, and nothing is written."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from clipdepth.bundle.manifest import InputSize
from clipdepth.cli import main
from clipdepth.errors import UsageError
from clipdepth_export.sources.asked import Asked
from clipdepth_export.sources.named import named_source
from clipdepth_train.imported.told import Told
from hub_models import depth_anything, depth_pro, dpt, dpt_dinov2, picture, pictures, save, zoedepth

Change = Callable[[Path], None]
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Depth Anything that can be exported."""
    return depth_anything(tmp_path_factory.mktemp("whole") / "tiny", depth_estimation_type="metric", max_depth=20)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pictures(tmp_path_factory.mktemp("camera") / "seen", 3, 60, 80)


@pytest.fixture
def changed(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return shutil.copytree(whole, tmp_path / "tiny")


def refusal(folder: Path | str, seen: Path, capsys: pytest.CaptureFixture[str], *options: str, status: int = 2) -> str:
    """What `clipdepth export` says, in one line, with nothing written."""
    where = Path(seen).parent
    before = sorted(path for path in where.rglob("*"))
    out = where / "out.bundle"
    capsys.readouterr()
    arguments = ["export", str(folder), "--frames", str(seen), "--out", str(out), "--focal", "unknown", *options]
    assert main(arguments) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("clipdepth: error: ")
    assert printed.err.count("\n") == 1
    assert sorted(path for path in where.rglob("*")) == before
    return printed.err


def edited(name: str, **changes: object) -> Change:
    """A change of a JSON file's values; None removes one."""

    def change(folder: Path) -> None:
        stated = {**json.loads((folder / name).read_text()), **changes}
        (folder / name).write_text(json.dumps({key: value for key, value in stated.items() if value is not None}))

    return change


def reweighed(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """A change of the weights."""

    def apply(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS, {"format": "pt"})

    return apply


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def truncated(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1000])


HEAD = "head.conv3.weight"
BAD: dict[str, tuple[Change, int, str]] = {
    "classifier": (
        edited("config.json", model_type="vit", architectures=["ViTForImageClassification"]),
        2,
        r"is a ViTForImageClassification, which is no depth model that transformers [\d.]+ has; choose another",
    ),
    "newer": (
        edited("config.json", model_type="depth_anything_3", architectures=["DepthAnything3ForDepthEstimation"]),
        2,
        r"is a DepthAnything3ForDepthEstimation, which is no depth model that transformers 5[\d.]+ has; .* newer",
    ),
    "code": (
        edited("config.json", model_type="mine", auto_map={"AutoConfig": "code.Config"}, architectures=["Mine"]),
        2,
        r"brings code of its own \(Mine\), which clipdepth never runs",
    ),
    "segmenter": (
        edited("config.json", model_type="dpt", architectures=["DPTForSemanticSegmentation"]),
        2,
        r"is a DPTForSemanticSegmentation, which is no depth model",
    ),
    "prompted": (
        edited("config.json", model_type="prompt_depth_anything", architectures=None),
        2,
        r"is a prompt_depth_anything model, which answers metres only with a prompt",
    ),
    "not JSON": (
        lambda folder: (folder / "config.json").write_text("{"),  # type: ignore[dict-item, return-value]
        2,
        r"config.json is damaged: .*; get it again",
    ),
    "wrong type": (
        edited("config.json", head_hidden_size="many"),
        2,
        r"transformers does not take its config.json: .*head_hidden_size",
    ),
    "pickled": (pickled, 1, r"has no model.safetensors, and clipdepth reads no pickled weights"),
    "truncated": (truncated, 1, r"its weights cannot be read: .*; get them again"),
    "headless": (
        reweighed(lambda tensors: tensors.pop(HEAD)),
        1,
        rf"its weights are without {HEAD}; they do not belong to its config.json",
    ),
    "wrong head": (
        reweighed(lambda tensors: tensors.update({HEAD: torch.zeros(1, 4, 1, 1)})),
        1,
        rf"{HEAD} is 1×4×1×1 in its weights and 1×8×1×1 by its config.json",
    ),
    "no processor": (
        lambda folder: (folder / "preprocessor_config.json").unlink(),
        2,
        r"its preprocessor_config.json makes no processor",
    ),
    "no size": (
        edited("preprocessor_config.json", size={"longest_edge": 3}),
        2,
        r"its preprocessor_config.json makes no processor: .*; choose a revision with a whole one",
    ),
    "no colours": (
        edited("preprocessor_config.json", image_mean=[1, 2]),
        2,
        r"its preprocessor_config.json makes no processor",
    ),
    "a list": (edited("config.json", model_type=["dpt"], architectures=["\x1b[31mX"]), 2, r"is a \\x1b\[31mX, which"),
    "padding": (
        edited("preprocessor_config.json", do_pad=True, size_divisor=14),
        2,
        r"its processor pads pictures \(do_pad\), and a bundle's frames are only resized; set do_pad to false",
    ),
    "cropping": (
        edited("preprocessor_config.json", do_center_crop=True, crop_size={"height": 28, "width": 28}),
        2,
        r"its processor crops pictures \(do_center_crop\)",
    ),
    "no card": (lambda folder: (folder / "README.md").unlink(), 2, r"licence tiny may be used; give --licence TEXT"),
    "silent card": (
        lambda folder: (folder / "README.md").write_text("---\ntags: [depth]\n---\n"),  # type: ignore[dict-item, return-value]
        2,
        r"give --licence TEXT",
    ),
    "damaged card": (
        lambda folder: (folder / "README.md").write_text("---\nlicense: [\n---\n"),  # type: ignore[dict-item, return-value]
        2,
        r"give --licence TEXT",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_in_a_line(
    case: str, changed: Path, seen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, status, message = BAD[case]
    change(changed)
    assert re.search(message, refusal(changed, seen, capsys, status=status))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "50x70"], r"--size 50x70 does not fit .*tiny, which takes multiples of 14; give --size 56x70"),
        (["--size", "7x9"], r"give --size 14x14"),
        (["--kind", "relative"], r"answers metric depth by its config, not relative; leave out --kind"),
        (["--focal", "500", "--kind", "metric", "--size", "56x71"], r"give --size 56x70"),
    ],
)
def test_an_option_that_does_not_fit(
    options: list[str], message: str, whole: Path, seen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(message, refusal(whole, seen, capsys, *options))


def test_the_camera_is_asked_for(whole: Path, seen: Path) -> None:
    with pytest.raises(UsageError, match="which camera it was trained with; give --focal"):
        named_source(str(whole), Asked(str(seen)))
    camera = named_source(str(whole), Asked(str(seen), focal=500.0)).camera
    assert camera
    assert (camera.fx, camera.fy) == (500, 500)


def test_a_model_that_finds_the_focal_length_is_given_none(
    tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = depth_pro(tmp_path / "pro")
    assert named_source(str(folder), Asked(str(seen))).camera is None
    assert "pro estimates the focal length itself; leave out --focal" in refusal(folder, seen, capsys, "--focal", "500")
    error = refusal(folder, seen, capsys, "--size", "128x160")
    assert "which takes that size alone; give --size 128x128" in error


def test_depth_pro_without_its_field_of_view(tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = depth_pro(tmp_path / "pro", use_fov_model=False)
    assert "has no field of view (use_fov_model)" in refusal(folder, seen, capsys)


def test_disparity_has_no_metres(tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dpt(tmp_path / "midas")
    assert named_source(str(folder), Asked(str(seen))).kind == "disparity"
    assert "has no metres; leave out --focal" in refusal(folder, seen, capsys, "--focal", "500")
    assert "has no metres; leave out --max-depth" in refusal(folder, seen, capsys, "--max-depth", "10")


def test_what_a_config_does_not_say_is_asked_for(
    tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dpt_dinov2(tmp_path / "dinov2")
    assert "does not say what it answers; give --kind metric, or disparity" in refusal(folder, seen, capsys)
    assert "give --max-depth METRES" in refusal(folder, seen, capsys, "--kind", "metric")


def test_zoedepth_with_several_heads(tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refusal(zoedepth(tmp_path / "nk", heads=2), seen, capsys)
    assert "chooses one of several heads (nyu, kitti) for each picture, which no graph can" in error


def test_weights_that_no_picture_passes_may_be_missing(tmp_path: Path, seen: Path) -> None:
    """Those of MiDaS on the hub are without the first residual unit, to which nothing is added."""
    folder = dpt(tmp_path / "midas")
    reweighed(lambda tensors: [tensors.pop(name) for name in list(tensors) if "layers.0.residual_layer1" in name])(
        folder
    )
    frame = torch.from_numpy(picture(1, 32, 32)[None])
    sources = [named_source(str(named), Asked(str(seen))) for named in (dpt(tmp_path / "whole"), folder, folder)]
    answers = [source.module(frame) for source in sources]
    torch.testing.assert_close(answers[1], answers[0])
    assert sources[1].model.checkpoint_sha256 == sources[2].model.checkpoint_sha256


@pytest.mark.parametrize(
    ("changes", "means"),
    [
        ({"do_normalize": False}, (0, 1)),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1, 1, 1], "image_std": [1, 1, 1]}, (0.5, 0.5)),
        ({"do_rescale": False, "image_mean": [127.5] * 3, "image_std": [51] * 3}, (0.5, 0.2)),
    ],
)
def test_however_a_processor_normalises(
    changes: dict[str, object], means: tuple[float, float], changed: Path, seen: Path
) -> None:
    edited("preprocessor_config.json", **changes)(changed)
    module = named_source(str(changed), Asked(str(seen), focal="unknown")).module
    frame = picture(2, 56, 70)
    network = transformers.AutoModelForDepthEstimation.from_pretrained(changed).eval()
    pixels = torch.from_numpy(frame[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = network((pixels - means[0]) / means[1]).predicted_depth
        torch.testing.assert_close(module(torch.from_numpy(frame[None])), expected, rtol=1e-4, atol=1e-5)


def test_a_processor_of_an_old_release(changed: Path, seen: Path) -> None:
    """Models of 2022 call their processor a feature extractor, and its size a number."""
    old = edited("preprocessor_config.json", image_processor_type=None, feature_extractor_type="DPTFeatureExtractor")
    old(changed)
    edited("preprocessor_config.json", size=56)(changed)
    source = named_source(str(changed), Asked(str(seen), focal="unknown"))
    assert (source.height, source.width) == (56, 70)


def test_an_own_licence_is_told_by_its_name(changed: Path, seen: Path) -> None:
    head = "---\nlicense: other\nlicense_name: trees-only\nlicense_link: LICENSE\n---\n"
    (changed / "README.md").write_text(head)
    asked = Asked(str(seen), focal="unknown")
    assert named_source(str(changed), asked).licences[0].licence == "trees-only LICENSE"


def test_nothing_of_transformers_reaches_the_terminal(
    whole: Path, seen: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bars = transformers.utils.logging.is_progress_bar_enabled()
    named_source(str(whole), Asked(str(seen), focal="unknown"))
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.is_progress_bar_enabled() == bars


def test_the_smaller_size_that_was_asked_for(whole: Path, seen: Path) -> None:
    source = named_source(str(whole), Asked(str(seen), focal="unknown", told=Told(size=InputSize(42, 28))))
    assert source.module(torch.zeros((1, 42, 28, 3), dtype=torch.uint8)).shape == (1, 42, 28)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("hf:nobody/nothing", r"hf:nobody/nothing@main: HF_HUB_OFFLINE is set, and what the cache has is not enough"),
        ("hf:nobody/nothing@v1", r"hf:nobody/nothing@v1: HF_HUB_OFFLINE is set"),
        ("hf:nothing", r"'hf:nothing' names nothing on the hub; give hf:OWNER/NAME or hf:OWNER/NAME@REVISION"),
        ("hf:a/b/c", r"names nothing on the hub"),
    ],
)
def test_a_model_that_is_not_here_without_a_network(
    named: str, message: str, seen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    status = 1 if "OFFLINE" in message else 2
    assert re.search(message, refusal(named, seen, capsys, status=status))


def test_without_the_package(
    whole: Path, seen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    error = refusal(whole, seen, capsys, status=1)
    assert "needs transformers, which is not installed; run pip install 'clipdepth[transformers]'" in error


def test_a_classifier_as_transformers_saves_it(tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = transformers.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    folder = save(tmp_path / "vit", transformers.ViTForImageClassification(config), transformers.ViTImageProcessor())
    assert "is a ViTForImageClassification, which is no depth model" in refusal(folder, seen, capsys)


def test_a_network_for_one_frame_at_a_time(tmp_path: Path, seen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(zoedepth(tmp_path / "one"), seen, capsys, "--max-batch", "2", status=1)
    assert "torch cannot export this model for several frames at once (--max-batch): " in said
