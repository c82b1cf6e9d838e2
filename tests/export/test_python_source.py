"""`clipdepth export python:…`: the network of docs/models.md, copied out, and what a user can get wrong."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch

import clipdepth
from clipdepth.bundle.folder import open_bundle
from clipdepth.cli import main
from clipdepth.rooms import Room, default_intrinsics

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## Your own PyTorch network")[2].partition("\n## ")[0]
TOLD = {"frames": "pictures", "size": "96x128", "max-depth": "10", "focal": "unknown", "licence": "MIT"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the page's module and 48 pictures of a room."""
    folder = tmp_path_factory.mktemp("own")
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.S)
    (folder / "my_networks.py").write_text(code, encoding="utf-8")
    (folder / "other.py").write_text(
        "NOTHING = 1\ndef number(): return 1\ndef never(): raise AssertionError\n", encoding="utf-8"
    )
    (folder / "pictures").mkdir()
    room, pinhole = Room(3), default_intrinsics(48, 64)
    for index in range(48):
        cv2.imwrite(str(folder / "pictures" / f"{index:02}.png"), room.render(0.2 * index, pinhole).frame)
    return folder


@pytest.fixture(autouse=True)
def working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.path", ["", *sys.path])
    yield
    sys.modules.pop("my_networks", None)


def command(**changes: str | None) -> list[str]:
    told = {**TOLD, **{name.replace("_", "-"): value for name, value in changes.items()}}
    options = [part for name, value in told.items() if value is not None for part in (f"--{name}", value)]
    return ["export", "python:my_networks:small", *options, "--out", "refused.bundle"]


@pytest.fixture(scope="module")
def network(folder: Path) -> torch.nn.Module:
    module = ModuleType("page")
    exec((folder / "my_networks.py").read_text(encoding="utf-8"), module.__dict__)
    return module.small()  # type: ignore[no-any-return]


def test_the_pages_network_becomes_a_verified_bundle(network: torch.nn.Module) -> None:
    """Its depth is what the network says of the picture, at the picture's size."""
    (commands,) = re.findall(r"```\n(clipdepth export.*?)```", SECTION, re.S)
    for line in commands.replace("\\\n", "").strip().splitlines():
        assert main(shlex.split(line)[1:]) == 0
    manifest = open_bundle("./small.bundle").manifest
    assert manifest.precisions == ["fp32", "fp16", "int8"]
    assert (manifest.kind, manifest.camera, manifest.model.origin) == ("metric", None, "python:my_networks:small")
    assert [licence.licence for licence in manifest.licences if licence.part == "small"] == ["MIT"]
    assert manifest.model.parameters == sum(parameter.numel() for parameter in network.parameters())
    picture = Room(9).render(1.0, default_intrinsics(96, 128)).frame
    rgb = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        answer = torch.nn.functional.interpolate(network(rgb), (96, 128), mode="bilinear")[0, 0].clamp(max=10)
    with clipdepth.load("./small.bundle", engine="onnxruntime", precision="fp32") as model:
        frame = model(picture)
    np.testing.assert_allclose(frame.depth, answer.numpy(), rtol=1e-4)
    assert np.ptp(frame.depth) > 0.1
    assert np.isnan(frame.intrinsics.fx)


def test_a_disparity_has_no_metres() -> None:
    assert main([*command(kind="disparity", max_depth=None, focal=None)[:-1], "near.bundle"]) == 0
    manifest = open_bundle("./near.bundle").manifest
    assert (manifest.kind, manifest.depth, manifest.camera) == ("disparity", None, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": None}, "give --size HEIGHTxWIDTH"),
        ({"size": "96"}, "'96' is not HxW, height and width in pixels"),
        ({"licence": None}, "under which licence small may be used; give --licence"),
        ({"focal": None}, "give --focal"),
        ({"focal": "-3"}, "'-3' is not a number above 0"),
        ({"max_depth": None}, "give --max-depth METRES"),
        ({"frames": None}, "give --frames"),
        ({"frames": "nowhere"}, "nowhere"),
        ({"frames": "rooms"}, "rooms has no end"),
        ({"data": "rooms"}, "give --frames, pictures or a video such as the model will see, or --data"),
        ({"precision": "int8", "frames": "pictures/0?.png"}, "int8 is calibrated on 16 frames at least"),
        ({"accuracy": "x.json"}, "x.json"),
    ],
)
def test_what_is_not_told(changes: dict[str, str | None], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(command(**changes), reason, capsys)


@pytest.mark.parametrize("missing", ["licence", "focal", "frames"])
def test_what_is_missing_is_told_before_the_network_is_loaded(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["export", "python:other:never", *command(**{missing: None})[2:]], f"give --{missing}", capsys)


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("python:my_networks", "names no function; write python:PACKAGE.MODULE:FUNCTION"),
        ("python:missing:small", "there is no module missing"),
        ("python:my_networks:large", "my_networks has no function large"),
        ("python:other:NOTHING", "other has no function NOTHING"),
        ("python:other:number", "number returns a int; return a torch.nn.Module"),
    ],
)
def test_what_is_no_network(named: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["export", named, *command()[2:]], reason, capsys)


def refused(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and nothing written."""
    try:
        code = main(arguments)
    except SystemExit as ended:  # argparse's own
        code = ended.code
    assert code in (1, 2)
    lines = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert reason in lines[0]
    assert not Path("refused.bundle").exists()
