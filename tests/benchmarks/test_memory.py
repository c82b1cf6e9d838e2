"""Peak memory of a child against what it was made to take."""

import subprocess
import sys
from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.errors import EngineError
from clipdepth_bench.bench.memory import measure_memory, peak_megabytes
from clipdepth_bench.contender import Setup


def test_a_childs_peak_holds_its_engine_and_not_its_parent(tmp_path: Path) -> None:
    setup = Setup(open_bundle(write_bundle(tmp_path / "b")), None, 1)
    memory = measure_memory(setup, "onnxruntime fp32")
    assert 50 < memory.host_mb < 400
    assert memory.device_mb is None or memory.device_mb >= 0


def test_the_peak_is_the_largest_and_not_the_last() -> None:
    code = (
        "from clipdepth_bench.bench.memory import peak_megabytes as peak\n"
        "before = peak(); data = bytearray(b'1' * 200_000_000); del data; print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 150 < float(done.stdout) < 450
    assert peak_megabytes() > 20


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    setup = Setup(open_bundle(write_bundle(tmp_path / "b")), None, 1)
    with pytest.raises(EngineError, match=r"its process fails: .*no CUDAExecutionProvider"):
        measure_memory(setup, "onnxruntime-cuda fp32")


def test_modules_of_the_current_folder_are_not_the_childs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('not mine')", encoding="ascii")
    monkeypatch.chdir(tmp_path)
    setup = Setup(open_bundle(write_bundle(tmp_path / "b")), None, 1)
    assert measure_memory(setup, "onnxruntime fp32").host_mb > 0
