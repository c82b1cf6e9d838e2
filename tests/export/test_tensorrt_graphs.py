"""Every graph the exporter writes, taken by TensorRT's real parser and built by its real builder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clipdepth.bundle.agreement import Tolerance
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import PRECISIONS
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.sources.run import run_source
from clipdepth_train.models import EdgeConfig
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import DataConfig
from measured import few_calibration_frames
from runs import train_tiny_run
from tensorrt_cpu.builds import build_all

pytest_plugins = ["tensorrt_cpu.plugin"]
pytestmark = pytest.mark.usefixtures("tensorrt")


@pytest.mark.slow
@pytest.mark.parametrize("max_batch", [1, 3])
def test_an_engine_is_built_of_every_model_in_every_precision(
    kind: str,
    max_batch: int,
    export_once: Callable[[str], Bundle],
    many: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tiny models that have barely learned lose more in INT8 than real ones may: here only TensorRT is to judge.

    Nor does it matter to TensorRT how many frames the scales were taken from.
    """
    few_calibration_frames(monkeypatch)
    run = export_once(kind).path.with_suffix("")
    anything = {name: Tolerance(1e9) for name in ("fp16", "int8")}
    config = ExportConfig(PRECISIONS, max_batch, anything)
    exported = write_bundle(run_source(run, str(many)), tmp_path / "all.bundle", config)
    assert exported.refused == {}
    bundle = open_bundle(tmp_path / "all.bundle", any_tolerance=True)
    build_all(bundle)


@pytest.mark.slow
def test_the_whole_mobile_clip_is_small_in_int8(many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MobileCLIP2-S0's 11 million weights, where other tests take a narrow copy."""
    few_calibration_frames(monkeypatch)
    model = EdgeConfig(PretrainedConfig("MobileCLIP2-S0", "none"), stages=4, width=16, bins=16)
    run = train_tiny_run(tmp_path / "mobile", many, model=model, epochs=0, frames=DataConfig(64, 96, workers=0))
    config = ExportConfig(["int8"], tolerances={"int8": Tolerance(1e9)})
    exported = write_bundle(run_source(run, str(many)), tmp_path / "mobile.bundle", config)
    assert exported.refused == {}
    bundle = open_bundle(tmp_path / "mobile.bundle", any_tolerance=True)
    assert bundle.graph("int8").stat().st_size < 15_000_000
    build_all(bundle)
