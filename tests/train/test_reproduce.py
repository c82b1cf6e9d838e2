"""`clipdepth reproduce` on small real folders: what it trains, what it writes, and what it does a second time."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open_clip
import pytest
import torch
from accelerate.state import AcceleratorState
from rich.console import Console
from safetensors.torch import load_file

import runs
from clipdepth.bundle.metrics import METRIC_NAMES, mean_metrics
from clipdepth.cli import main
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.evaluation import evaluate, random_depth
from clipdepth_train.recipe import DataConfig
from clipdepth_train.recipes import RECIPES
from clipdepth_train.reproduce.plan import Reduction, needs_sam, plan
from clipdepth_train.reproduce.published import REFINES, TABLES
from clipdepth_train.reproduce.report import Measured, markdown, table_report
from clipdepth_train.trainer import Trainer
from tiny_clip import TINY_CLIP
from train.memory_set import MemorySet

SMALL = f"--clip {TINY_CLIP} --epochs 1 --batch-size 2 --workers 1".split()
SAM = ["--sam", "mini", "--points-per-side", "2", "--pred-iou-thresh", "0", "--stability-score-thresh", "0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RGB-D pairs, and beside them a file of weights of the tiny CLIP."""
    path = runs.write_rgbd_folder(tmp_path_factory.mktemp("data") / "pairs", train=4, test=2, height=96, width=96)
    torch.manual_seed(7)
    torch.save(open_clip.create_model(TINY_CLIP).state_dict(), weights_of(path))
    return path


def weights_of(data: Path) -> Path:
    return data.with_name("tiny-clip.pt")


def reproduce(table: str, data: Path, out: Path, *options: str) -> None:
    # accelerate lets a process train at one precision only.
    AcceleratorState._reset_state(reset_partial_state=True)
    small = [*SMALL, "--clip-weights", str(weights_of(data))]
    assert main(["reproduce", table, "--data", str(data), "--out", str(out), *small, *options]) == 0


def rows_of(out: Path, table: str) -> dict[str, dict[str, Any]]:
    report = json.loads((out / f"{table}.json").read_text())
    return {row["recipe"] or row["model"]: row for row in report["rows"]}


def test_each_row_is_quoted_or_has_a_recipe() -> None:
    for rows in TABLES.values():
        for row in rows:
            assert row.quoted or row.computed or row.recipe in RECIPES
            assert set(row.published) <= set(METRIC_NAMES)
    assert set(REFINES) | set(REFINES.values()) <= set(RECIPES)
    quoted = [row.label for row in TABLES["table1"] if row.quoted]
    assert quoted == ["vid2depth (KITTI)", "Make3D", "DORN"]


def test_tables_that_print_the_same_row_agree() -> None:
    """The paper repeats its rows from table to table: a slip of the pen would show."""
    printed = {
        (name, row.recipe): row.published for name, rows in TABLES.items() for row in rows if row.recipe in RECIPES
    }
    assert printed["table1", "refined-adapter"] == printed["table2", "refined-adapter"]
    assert printed["table1", "clip-adapter-ssl"] == printed["table4", "clip-adapter-ssl"]
    assert printed["table1", "msa-ssl-sam"] == printed["table3", "msa-ssl-sam"]
    assert printed["table1", "msa-l1"] == printed["table3", "msa-l1"]
    assert printed["table1", "clip-adapter-image"] == TABLES["table4"][-1].published


def test_a_plan_trains_what_is_refined_first_and_gives_sams_masks_to_those_who_take_them(tmp_path: Path) -> None:
    names = [run.name for run in plan("table2", "data", tmp_path, Reduction(), "")]
    assert sorted(names) == sorted(row.recipe for row in TABLES["table2"])
    for refined, coarse in REFINES.items():
        assert names.index(coarse) < names.index(refined)
    segments = {
        run.name: run.recipe.frames.segments for run in plan("table3", "data", tmp_path, Reduction(), "vit_b-1")
    }
    assert {name for name, given in segments.items() if given == "vit_b-1"} == set(filter(needs_sam, segments))
    assert {given for name, given in segments.items() if not needs_sam(name)} == {""}


def test_without_a_reduction_the_recipes_are_the_papers() -> None:
    for name in ("depthclip", "msa-l1", "clip-adapter", "depth-eigen-coarse"):
        assert Reduction().of(RECIPES[name]) == RECIPES[name]
    small = Reduction(epochs=2, batch_size=4, size=(96, 128), clip="RN-mini", clip_weights="none")
    assert small.of(RECIPES["depthclip"]).epochs == 0
    msa = small.of(RECIPES["msa-l1"])
    assert (msa.epochs, msa.batch_size, msa.frames.picture, msa.frames.width) == (2, 4, "whole", 128)
    assert msa.optim == RECIPES["msa-l1"].optim


def test_a_report_sets_measured_beside_published() -> None:
    metrics = dict.fromkeys(METRIC_NAMES, 0.5)
    made = Measured(metrics, (96, 128), 3, 1234.5, 10, 20)
    rows = table_report("table1", {"msa-l1": made}, {"msa-ssl-sam": "no <SAM>", "depthclip": "no <SAM>"})
    by_name = {row["recipe"] or row["model"]: row for row in rows}
    assert by_name["msa-l1"]["difference"]["rel"] == pytest.approx(0.5 - 0.255)
    assert (by_name["msa-l1"]["input"], by_name["msa-l1"]["training_seconds"]) == ([96, 128], 1234.5)
    assert by_name["DORN"]["measured"] is None
    page = markdown("table1", "Table 1", ["A fact."], rows).splitlines()
    header = next(line for line in page if line.startswith("| model"))
    assert "log10" in header
    assert "rmse_log" not in header
    (line,) = (line for line in page if line.startswith("| MSA | depth (L1)"))
    assert "**0.500** (0.255)" in line
    assert "**0.500** (0.573)" in line
    # A reduced run cannot be taken for the paper's: its input, its epochs beside the paper's 90, its seconds.
    assert line.endswith("| 96×128 | 3 (90) | 1,234 s |")
    assert any(line.startswith("| DORN (quoted) | depth | – (0.828)") for line in page)
    assert any(line.startswith("| MSA with SAM | ssl | – (0.161)") for line in page)
    assert page[-3:] == ["Not measured:", "", r"- DepthCLIP, zero-shot; MSA with SAM, ssl: no \<SAM>"]
    assert {line.count("|") for line in page if line.startswith("|")} == {12}


def test_the_random_lower_bound_is_that_of_uniform_depth() -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    pairs = MemorySet([RgbdPair(frame, np.full((200, 200), 5, np.float32))])
    metrics = mean_metrics(evaluate(random_depth(10), pairs, DataConfig(200, 200), "all", range(1)))
    # |u - 5| / 5 of u uniform in 0 to 10 has mean 1/2 and mean square 1/3; δ1 holds from 4 to 6.25 m.
    assert metrics.rel == pytest.approx(0.5, abs=0.01)
    assert metrics.rmse == pytest.approx(5 / 3**0.5, abs=0.03)
    assert metrics.delta1 == pytest.approx(0.225, abs=0.01)


def test_a_table_is_measured_and_a_second_run_only_reads(data: Path, tmp_path: Path) -> None:
    reproduce("table2", data, tmp_path, "--size", "96x96")
    rows = rows_of(tmp_path, "table2")
    for name in ("depth-eigen-coarse", "depth-eigen-refined", "coarse-adapter", "refined-adapter"):
        trained = json.loads((tmp_path / "runs" / name / "metrics.json").read_text())
        assert rows[name]["measured"] == trained["metrics"]
        assert rows[name]["missing"] is None
        for metric, published in rows[name]["published"].items():
            assert rows[name]["difference"][metric] == pytest.approx(trained["metrics"][metric] - published)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    page = (tmp_path / "table2.md").read_text()
    assert len(before) == 4
    assert "rmse_log" in page
    assert "Not measured" not in page
    given = torch.load(weights_of(data), weights_only=True)
    trunk = load_file(tmp_path / "runs" / "refined-adapter" / "checkpoint.safetensors")
    assert torch.equal(trunk["network.trunk.visual.conv1.weight"], given["visual.conv1.weight"])
    reproduce("table2", data, tmp_path, "--size", "96x96")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before
    assert (tmp_path / "table2.md").read_text() == page


def test_a_run_that_is_missing_is_trained_and_no_other(data: Path, tmp_path: Path) -> None:
    reproduce("table4", data, tmp_path, "--size", "64x64")
    first = rows_of(tmp_path, "table4")
    assert all(row["measured"] for name, row in first.items() if name in RECIPES)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors") if "text" not in str(path)}
    lost = tmp_path / "runs" / "clip-adapter-text"
    for path in sorted(lost.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    reproduce("table4", data, tmp_path, "--size", "64x64")
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    again = rows_of(tmp_path, "table4")
    assert again["clip-adapter-text"]["measured"] == first["clip-adapter-text"]["measured"]


def test_other_options_do_not_mix_with_runs_that_are_there(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reproduce("table4", data, tmp_path, "--size", "64x64")
    capsys.readouterr()
    small = [*SMALL, "--clip-weights", str(weights_of(data)), "--size", "96x96"]
    assert main(["reproduce", "table4", "--data", str(data), "--out", str(tmp_path), *small]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "clip-adapter-ssl holds a run with another frames" in error


def test_a_dry_run_lists_the_runs_and_writes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none"
    reproduce("table4", data, out, "--size", "64x64", "--dry-run")
    shown = capsys.readouterr().out
    assert not out.exists()
    for row in TABLES["table4"]:
        assert not row.recipe or f" {row.recipe} " in shown
    # Two steps of two of the four frames, for one epoch.
    line = next(line for line in shown.splitlines() if " clip-adapter-text " in line)
    assert [cell.strip() for cell in line.split("│")][2:6:3] == ["64×64", "2"]


def test_figure_7_shows_a_row_a_scene(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [*SMALL, "--clip-weights", str(weights_of(data)), "--size", "64x64"]
    assert main(["reproduce", "figure7", "--data", str(data), "--out", str(tmp_path), *small, *SAM]) == 2
    assert "no trained MSA" in capsys.readouterr().err
    (run,) = (
        run
        for run in plan("table1", str(data), tmp_path, Reduction(1, 2, (64, 64), TINY_CLIP, "none", workers=1), "")
        if run.name == "msa-l1"
    )
    AcceleratorState._reset_state(reset_partial_state=True)
    Trainer(run.recipe, run.out, Console(quiet=True)).run()
    reproduce("figure7", data, tmp_path, "--size", "64x64")
    plain = cv2.imread(str(tmp_path / "figure7.png"))
    assert plain is not None
    reproduce("figure7", data, tmp_path, "--size", "64x64", *SAM)
    masked = cv2.imread(str(tmp_path / "figure7.png"))
    assert masked is not None
    # Two test scenes; image, truth and two predictions, 240 pixels each, and one more column with SAM.
    assert masked.shape[0] == plain.shape[0] == 22 + 2 * 240
    assert masked.shape[1] - plain.shape[1] == 240


def test_with_weights_every_row_runs_and_those_with_sam_take_its_segmentation(data: Path, tmp_path: Path) -> None:
    reproduce("table1", data, tmp_path, "--size", "64x64", *SAM)
    rows = rows_of(tmp_path, "table1")
    assert all(row["measured"] for name, row in rows.items() if name in RECIPES)
    assert rows["msa-ssl-sam"]["measured"] is not None
    assert rows["random, 0 to 10 m"]["measured"]["rel"] > 0.3
    assert rows["DORN"]["measured"] is None
    recipe = json.loads((tmp_path / "runs" / "msa-ssl-sam" / "metrics.json").read_text())["recipe"]
    assert recipe["frames"]["segments"].startswith("mini-")
    assert (data / "segments" / recipe["frames"]["segments"] / "sam.json").is_file()
