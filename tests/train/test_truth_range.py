"""Depth that a model cannot answer is told before anything is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runs
from clipdepth.cli import main
from clipdepth.errors import UsageError
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.models import DepthClipConfig
from clipdepth_train.recipe import DataConfig, LossConfig
from clipdepth_train.truth_range import require_truth
from tiny_clip import TINY_CLIP
from train.memory_set import MemorySet
from train.rgbd_files import colours, millimetres, write_png


def at(*metres: float, size: tuple[int, int] = (16, 20)) -> MemorySet:
    """A pair for each distance."""
    frame = np.zeros((*size, 3), np.uint8)
    return MemorySet([RgbdPair(frame, np.full(size, depth, np.float32)) for depth in metres])


def check(training: MemorySet, tests: MemorySet | None = None, **changes: Any) -> None:
    recipe = runs.tiny_recipe("rooms", **{"frames": DataConfig(64, 64, max_depth=80.0), **changes})
    require_truth(recipe, training, tests or at(2.0))


def test_the_share_of_depth_outside_the_bins_is_told(caplog: pytest.LogCaptureFixture) -> None:
    check(at(5.0, 9.0, 11.0, 0.2))
    assert caplog.messages == [
        "50% of the training depth is outside 0.3 to 10 m, what the model can answer; change it with --model.min-depth "
        "and --model.max-depth"
    ]
    caplog.clear()
    check(at(5.0, 9.0))
    assert caplog.messages == []


def test_all_depth_outside_the_bins_is_refused() -> None:
    with pytest.raises(UsageError, match=r"all training depth, 20 to 40 m, is outside 0\.3 to 10 m.*--model\.max-d"):
        check(at(20.0, 40.0))


def test_the_papers_classes_cannot_be_changed_so_their_share_is_told_alone(caplog: pytest.LogCaptureFixture) -> None:
    check(at(20.0), model=DepthClipConfig())
    assert caplog.messages == ["100% of the training depth is outside 1 to 3 m, what the model can answer"]
    with pytest.raises(UsageError, match="no training pair has known depth"):
        check(at(0.0), model=DepthClipConfig())


def test_one_pair_inside_is_enough_wherever_it_is() -> None:
    check(at(*[20.0] * 99, 2.0, *[20.0] * 100))


def test_no_known_depth_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no training pair has known depth up to 80 m; .*--frames\.depth-scale"):
        check(at(0.0, 0.0))
    with pytest.raises(UsageError, match=r"no test pair has known depth below 80 m"):
        check(at(2.0), at(0.0, 90.0))
    check(at(2.0), at(0.0, 79.0))


def test_what_no_term_compares_with_does_not_matter(caplog: pytest.LogCaptureFixture) -> None:
    check(at(0.0), loss=LossConfig("none", smoothness=1.0))
    assert caplog.messages == []


def test_the_command_ends_in_a_line_before_the_first_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "test"):
        for number in range(2):
            write_png(tmp_path / "far" / split / f"rgb_{number}.png", colours(height=64, width=64))
            write_png(tmp_path / "far" / split / f"sync_depth_{number}.png", millimetres(30000, 64, 64))
    command = ["train", "edge", "--data", str(tmp_path / "far"), "--out", str(tmp_path / "run"), "--batch-size", "2"]
    command += ["--frames.height", "64", "--frames.width", "64", "--frames.workers", "0", "--epochs", "1"]
    command += ["--model.trunk.name", TINY_CLIP, "--model.trunk.weights", "none", "--model.width", "8"]
    for options, said in (
        ([], "no training pair has known depth up to 10 m"),
        (["--frames.max-depth", "80"], "all training depth, 30 to 30 m, is outside 0.3 to 10 m"),
    ):
        assert main([*command, *options]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
        assert not (tmp_path / "run" / "checkpoint.safetensors").exists()
    assert main([*command, "--frames.max-depth", "80", "--model.max-depth", "80"]) == 0
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert "below 80 m" in " ".join(capsys.readouterr().out.split())
