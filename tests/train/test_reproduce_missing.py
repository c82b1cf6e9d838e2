"""`clipdepth reproduce` where something is missing: it measures the rows that it can and says why not the others."""

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from accelerate.state import AcceleratorState

import runs
from clipdepth.cli import main
from tiny_clip import TINY_CLIP

SMALL = ["--size", "64x64", "--epochs", "1", "--batch-size", "2", "--workers", "1"]
DOWNLOAD = "cannot download the weights 'openai' of RN50-quickgelu ("
EIGEN = ["depth-eigen-coarse", "depth-eigen-refined"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.write_rgbd_folder(tmp_path_factory.mktemp("data"), train=4, test=2)


@pytest.fixture
def weights(tmp_path: Path) -> list[str]:
    """The options that name a tiny CLIP and a file of its weights."""
    path = tmp_path / "tiny-clip.pt"
    torch.manual_seed(7)
    torch.save(open_clip.create_model(TINY_CLIP).state_dict(), path)
    return ["--clip", TINY_CLIP, "--clip-weights", str(path)]


@pytest.fixture(autouse=True)
def _without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def reproduce(table: str, data: Path, out: Path, *options: str) -> int:
    # accelerate lets a process train at one precision only.
    AcceleratorState._reset_state(reset_partial_state=True)
    return main(["reproduce", table, "--data", str(data), "--out", str(out), *SMALL, *options])


def rows_of(out: Path, table: str) -> dict[str, dict[str, Any]]:
    return {row["recipe"]: row for row in json.loads((out / f"{table}.json").read_text())["rows"]}


def measured(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, row in rows.items() if row["measured"]]


def written(out: Path) -> dict[Path, int]:
    """Every checkpoint, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.safetensors")}


def test_without_clips_weights_the_other_rows_are_measured_and_those_follow_when_there_are_weights(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: list[str]
) -> None:
    out = tmp_path / "out"
    assert reproduce("table2", data, out) == 0
    told = capsys.readouterr().err.splitlines()
    rows = rows_of(out, "table2")
    assert measured(rows) == EIGEN
    for name, row in rows.items():
        assert (row["missing"] is None) == (name in EIGEN)
        assert row["missing"] is None or f"{name}: left out, {row['missing']}" in told
    assert rows["coarse-adapter"]["missing"].startswith(DOWNLOAD)
    assert "--clip-weights PATH" in rows["coarse-adapter"]["missing"]
    assert rows["refined-adapter"]["missing"] == "needs the run of coarse-adapter"
    page = (out / "table2.md").read_text()
    assert f"- Coarse adapter, depth (L2): {DOWNLOAD}" in page
    assert page.endswith("- Refined adapter, depth (L2): needs the run of coarse-adapter\n")
    before = written(out)
    assert sorted(path.parent.name for path in before) == EIGEN
    assert reproduce("table2", data, out, *weights) == 0
    assert len(measured(rows_of(out, "table2"))) == 4
    assert {path: written(out)[path] for path in before} == before
    # What is trained needs no weights any more.
    Path(weights[-1]).unlink()
    assert reproduce("table2", data, out, *weights) == 0


def test_a_table_of_which_nothing_can_be_measured_is_an_error_of_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert reproduce("table4", data, out) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"clipdepth: error: no row of table4 could be measured; {DOWNLOAD}")
    assert not out.exists()


def test_without_sam_its_rows_are_left_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: list[str]
) -> None:
    only = ["--only", "msa-l2-sam", "msa-l1-clip"]
    assert reproduce("table3", data, tmp_path, *weights, *only) == 0
    rows = rows_of(tmp_path, "table3")
    assert measured(rows) == ["msa-l1-clip"]
    assert rows["msa-l2-sam"]["missing"] == "SAM's weights are not given; give --sam-weights PATH"
    capsys.readouterr()
    assert reproduce("table3", data, tmp_path / "sam", *weights, "--only", "msa-l2-sam") == 1
    assert "no row of table3 could be measured; SAM's weights are not given" in capsys.readouterr().err


def test_only_brings_the_run_that_is_refined_and_keeps_what_was_measured_before(
    data: Path, tmp_path: Path, weights: list[str]
) -> None:
    out = tmp_path / "out"
    assert reproduce("table2", data, out, "--only", "depth-eigen-refined") == 0
    rows = rows_of(out, "table2")
    assert measured(rows) == EIGEN
    assert rows["coarse-adapter"]["missing"] == rows["refined-adapter"]["missing"] == "left out by --only"
    assert reproduce("table2", data, out, *weights, "--only", "coarse-adapter") == 0
    assert measured(rows_of(out, "table2")) == [*EIGEN, "coarse-adapter"]
    # A run of other epochs is not the one that this command would have made.
    assert reproduce("table2", data, out, *weights, "--only", "coarse-adapter") == 0
    metrics = out / "runs" / EIGEN[0] / "metrics.json"
    report = json.loads(metrics.read_text())
    report["recipe"]["epochs"] = 7
    metrics.write_text(json.dumps(report))
    assert reproduce("table2", data, out, *weights, "--only", "coarse-adapter") == 0
    assert measured(rows_of(out, "table2")) == [EIGEN[1], "coarse-adapter"]


def test_only_of_no_row_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reproduce("table2", data, tmp_path, "--only", "msa-l1") == 2
    assert capsys.readouterr().err == (
        "clipdepth: error: --only: table2 has no row 'msa-l1'; its rows are "
        "depth-eigen-coarse, depth-eigen-refined, coarse-adapter, refined-adapter\n"
    )
    assert reproduce("figure7", data, tmp_path, "--only", "msa-l1") == 2
    assert "figure7 has none" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"no weights at all" * 10], ids=["missing", "damaged"])
@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
def test_a_file_of_weights_that_cannot_be_read_is_told_before_anything_is_trained(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, dry: list[str]
) -> None:
    file, out = tmp_path / "clip.pt", tmp_path / "out"
    if content is not None:
        file.write_bytes(content)
    assert reproduce("table2", data, out, "--clip", TINY_CLIP, "--clip-weights", str(file), *dry) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(file) in line
    assert "--clip-weights" in line
    assert "--model." not in line
    assert not out.exists()


def test_the_table_is_written_after_every_row(data: Path, tmp_path: Path) -> None:
    refined = tmp_path / "runs" / EIGEN[1]
    runs.train_tiny_run(refined, data)
    assert reproduce("table2", data, tmp_path) == 2, "another recipe's run is in the way of the second row"
    rows = rows_of(tmp_path, "table2")
    assert measured(rows) == EIGEN[:1]
    assert {rows[name]["missing"] for name in (EIGEN[1], "coarse-adapter", "refined-adapter")} == {"not yet"}


def test_a_dry_run_says_what_each_row_lacks_and_looks_for_no_download(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], weights: list[str]
) -> None:
    assert reproduce("table2", data, tmp_path / "out", "--dry-run", "--only", "refined-adapter") == 0
    lines = capsys.readouterr().out.splitlines()
    needs = "needs the weights 'openai' of RN50-quickgelu from their hub, or --clip-weights PATH"
    assert lines[-2:] == [f"coarse-adapter: {needs}", "refined-adapter: needs the run of coarse-adapter"]
    only = ["--only", "msa-l1-sam", "msa-views"]
    assert reproduce("table3", data, tmp_path / "out", "--dry-run", *weights, *only) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "msa-l1-sam: left out, SAM's weights are not given; give --sam-weights PATH"
    assert any(" msa-views " in line for line in lines)
    assert not any(" msa-l1-sam " in line for line in lines)
    assert not (tmp_path / "out").exists()
