"""Names and texts of strangers move no cursor."""

import os
from pathlib import Path

import msgspec
import pytest

from bundles import write_bundle
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.cli import main
from clipdepth.files.foreign import shown

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp\r\n\u2028"


def test_controls_are_shown_as_escapes() -> None:
    assert shown(HOSTILE) == r"\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp\x0d\x0a\u2028"
    assert shown("Küche 部屋 5×3 – [red] café 🙂") == "Küche 部屋 5×3 – [red] café 🙂"
    assert shown(os.fsdecode(b"caf\xe9")) == r"caf\xe9"


def assert_clean(text: str) -> None:
    assert text
    assert shown(text.replace("\n", "")) == text.replace("\n", "")


def hostile_bundle(folder: Path) -> Path:
    """A bundle whose manifest has escape codes in texts that may be any."""
    path = write_bundle(folder / "b\x1b[2J.bundle")
    manifest = msgspec.json.decode((path / MANIFEST).read_bytes())
    manifest["description"] = f"about {HOSTILE}"
    for licence in manifest["licences"]:
        licence["licence"] = f"MIT {HOSTILE}"
    (path / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return path


def test_commands_print_no_escape_code_of_a_stranger(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle = hostile_bundle(tmp_path)
    frames = tmp_path / "f\x1b[31m"
    frames.mkdir()
    (frames / "a\x1b[2J.png").write_bytes(b"no picture")
    assert main(["run", str(bundle), "--source", str(frames), "--engine", "onnxruntime"]) == 1
    assert main(["run", str(bundle), "--source", "rooms", "--frames", "1", "--engine", "onnxruntime"]) == 0
    assert main(["doctor", str(bundle)]) == 0
    assert main(["run", f"absent{HOSTILE}", "--source", "rooms"]) == 1
    (bundle / MANIFEST).write_text('{"schema": 3, "na\\u001b[2Jme": 1}')
    assert main(["verify", str(bundle)]) == 1
    out, err = capfd.readouterr()
    assert_clean(out)
    assert_clean(err)


def test_models_print_no_escape_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from clipdepth.cli import models

    hostile_bundle(tmp_path)
    models.main([], box=tmp_path)
    out, _ = capfd.readouterr()
    assert r"about \x1b" in out
    assert_clean(out)
