"""`clipdepth doctor`."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bundles import write_bundle
from clipdepth.cli.doctor import Diagnosis, _line, main
from clipdepth.engines import ENGINES
from clipdepth.engines.hardware import cpu_name, describe_hardware
from clipdepth.engines.precisions import Precisions
from clipdepth.engines.trial import Trial
from clipdepth.errors import BundleError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def doctor(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Its JSON, with the models in the folder `box`, where there is always one."""
    if not (tmp_path / "box" / "edge-nyu").is_dir():
        write_bundle(tmp_path / "box" / "edge-nyu")
    assert main([*arguments, "--json", str(tmp_path / "d.json")], tmp_path / "box") == 0
    found: dict[str, Any] = json.loads((tmp_path / "d.json").read_text())
    return found


def test_every_engine_is_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = doctor(tmp_path, "--threads", "1")
    assert [engine["engine"] for engine in report["engines"]] == list(ENGINES)
    assert (report["bundle"], report["threads"]) == ("edge-nyu", 1)
    (trial,) = report["engines"][0]["trials"]
    assert (trial["engine"], trial["device"], trial["problem"]) == ("onnxruntime", "CPU", None)
    assert 0 < trial["milliseconds"] < 1000
    lines = capsys.readouterr().out.splitlines()
    told = {name: [line for line in lines if line[7:].split(" ", 1)[0] == name] for name in ENGINES}
    assert all(len(found) == 1 for found in told.values())
    assert "fp32" in told["onnxruntime"][0]


def test_a_line_says_what_each_graph_ran_in() -> None:
    floating = Trial("warp", "int8", "CPU", 30.0, executed=Precisions({"fp32": 73}))
    trials = [Trial("warp", "fp32", "CPU", 20.0, executed=Precisions({"fp32": 73})), floating]
    line = _line(Diagnosis("warp", "warp 1.0", trials)).plain
    assert line.endswith("CPU: fp32 20 ms (73 in fp32), int8 (0% in int8) 30 ms (73 in fp32) a frame")


def test_a_bundle_is_tried_with_each_of_its_graphs(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b", precisions=("fp32", "int8"))
    report = doctor(tmp_path, str(path))
    assert report["bundle"] == str(path)
    assert all([trial["precision"] for trial in e["trials"]] == ["fp32", "int8"] for e in report["engines"])


def test_one_of_several_sizes_is_tried_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_bundle(tmp_path / "b", other_sizes=[(36, 64), (64, 48)])
    report = doctor(tmp_path, str(path))
    assert report["input"] == {"height": 48, "width": 64}
    assert f"model: {path}, tried at 48×64; it has 36×64, 64×48 too (--size)\n" in capsys.readouterr().out
    report = doctor(tmp_path, str(path), "--size", "64x48")
    assert report["input"] == {"height": 64, "width": 48}
    assert report["engines"][0]["trials"][0]["problem"] is None
    assert "tried at 64×48; it has 48×64, 36×64 too" in capsys.readouterr().out
    with pytest.raises(UsageError, match="has no graph of 9×9; it has 48×64, 36×64, 64×48"):
        doctor(tmp_path, str(path), "--size", "9x9")


def test_the_model_that_ships_is_tried_where_no_bundle_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(tmp_path / "box" / "another")
    write_bundle(tmp_path / "box" / "edge-nyu", precisions=("fp32", "int8"))
    report = doctor(tmp_path)
    assert report["bundle"] == "edge-nyu"
    assert "model: edge-nyu" in capsys.readouterr().out
    assert [trial["precision"] for trial in report["engines"][0]["trials"]] == ["fp32", "int8"]
    assert doctor(tmp_path, "another")["bundle"] == "another"


def test_what_is_missing_is_told_with_its_remedy_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("onnxruntime", "openvino", "tensorrt"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("onnxruntime_cpu", "onnxruntime_gpu", "onnxruntime_session", "openvino"):
        monkeypatch.delitem(sys.modules, f"clipdepth.engines.{name}", raising=False)
    monkeypatch.setattr("clipdepth.cli.doctor.library_versions", dict)
    report = doctor(tmp_path)
    out = capsys.readouterr().out
    for engine in report["engines"]:
        (trial,) = engine["trials"]
        assert f"pip install 'clipdepth[{ENGINES[engine['engine']].extra}]'" in trial["problem"]
        assert trial["problem"] in out
        assert engine["installed"] is None


def test_a_wrong_graph_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor(tmp_path, str(write_bundle(tmp_path / "b", wrong_by=1.2)))
    assert "differs from PyTorch" in capsys.readouterr().out


def test_a_bundle_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        main([str(tmp_path / "none")])


def test_the_hardware_is_that_of_the_system() -> None:
    hardware = describe_hardware()
    assert hardware["cpu"] == cpu_name() != ""
    if Path("/proc/cpuinfo").is_file() and "model name" in Path("/proc/cpuinfo").read_text():
        assert f": {hardware['cpu']}\n" in Path("/proc/cpuinfo").read_text()
