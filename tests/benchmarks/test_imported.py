"""Bundles that clipdepth did not train: what needs the recipe says so in words."""

from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.errors import NotMetricError, UsageError
from clipdepth_bench.contender import Setup
from clipdepth_bench.pareto.contest import prepare
from clipdepth_bench.registry import find_entry, list_entries
from clipdepth_bench.scaling.command import main as scaling


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(tmp_path / "bright.bundle", kind="disparity"))


def test_pytorch_is_a_row_that_says_why_there_is_none(bundle: Bundle) -> None:
    setup = Setup(bundle, None, 1)
    rows = [entry.name for entry in list_entries(setup) if entry.name in ("PyTorch eager", "torch.compile")]
    assert rows == ["PyTorch eager", "torch.compile"]
    for name in rows:
        contender = find_entry(setup, f"{name} fp32").load()
        assert contender.infer is None
        assert contender.note == "not in the bundle; give --run python:brightness:network"


def test_its_engines_are_measured(bundle: Bundle) -> None:
    contender = find_entry(Setup(bundle, None, 1), "onnxruntime fp32").load()
    try:
        assert contender.agreement
        assert contender.agreement.passed
    finally:
        contender.close()


def test_other_sizes_are_refused_before_anything_is_written(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"was not trained by clipdepth.+--axis threads --axis cameras"):
        scaling([str(bundle.path), "--out", str(tmp_path / "out"), "--engine", "onnxruntime"])
    assert not (tmp_path / "out").exists()


def test_accuracy_is_not_compared_with_metric_models(bundle: Bundle) -> None:
    with pytest.raises(NotMetricError, match=r"a comparison of accuracy needs metres, and bright\.bundle"):
        prepare([bundle], "rooms", "all", 1)
