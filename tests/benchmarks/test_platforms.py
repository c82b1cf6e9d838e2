"""The benchmark on Windows and macOS, simulated: every module is imported, and a bundle is timed."""

import json
import sys
from pathlib import Path

import pytest

from bundles import write_bundle
from platforms import PLATFORMS, run_there
from runtime.test_arrows import modules

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="simulates other systems on Linux")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_bundle_is_timed(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundle, report = write_bundle(tmp_path / "b.bundle"), tmp_path / "report.json"
    code = """
from clipdepth.cli import main
skipped = [option for part in ("compile", "memory", "streaming") for option in ("--skip", part)]
# OpenVINO's package looks for its libraries as the system does that this one is not.
skipped += ["--without", "openvino", "openvino-gpu", "openvino-npu"]
assert main(["bench", sys.argv[1], "--seconds", "0.2", "--json", sys.argv[2], *skipped]) == 0
"""
    run_there(platform, modules("clipdepth_bench"), code, bundle, report)
    rows = json.loads(report.read_text(encoding="utf-8"))["rows"]
    assert any(row["name"] == "onnxruntime" and row["status"] == "passed" and row["latency_ms"] for row in rows)
