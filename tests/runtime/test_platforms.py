"""The runtime on Windows and macOS, simulated: every module is imported, and the main paths run."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import brightness_depth, write_bundle
from platforms import PLATFORMS, run_there
from runtime.test_arrows import modules

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="simulates other systems on Linux")
NAMES = [name for name in modules("clipdepth") if name != "clipdepth.__main__"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_pictures_and_recordings_are_predicted_and_written(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture's depth is that of the graph; a second run writes over the first one's files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundle = write_bundle(tmp_path / "b.bundle")
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "frame.png"), frame)
    code = """
sys.modules["cv2_enumerate_cameras"] = SimpleNamespace(enumerate_cameras=lambda backend: [])
from clipdepth.cli import main
bundle, folder = sys.argv[1], Path(sys.argv[2])
for kept in (["--output", str(folder / "depth")], []):
    outputs = ["--output", str(folder / "x.mp4"), *kept]
    assert main(["run", bundle, "--source", str(folder / "frame.png"), "--engine", "onnxruntime", *outputs]) == 0
assert main(["triton", bundle, "--out", str(folder / "models")]) == 0
assert main(["cameras", "--json", str(folder / "c.json")]) == 0

from clipdepth.bundle.cache import cache_folder, make_private, read_own
from clipdepth.files.atomic import write_text
make_private(cache_folder() / "trials")
write_text(cache_folder() / "trials" / "x", "kept")
assert read_own(cache_folder() / "trials" / "x") == b"kept"
(cache_folder() / "link").symlink_to(cache_folder() / "trials" / "x")
assert read_own(cache_folder() / "link") is None

from clipdepth.engines import hardware
hardware._CPU = folder / "no-proc"
print("overflows:", hardware.overflows_in_int8())

from clipdepth.errors import OutputError
from clipdepth.files.claim import claimed
with claimed(folder / "y"):
    try:
        with claimed(folder / "y"):
            raise SystemExit("claimed twice")
    except OutputError:
        pass
print(sorted(file.name for file in folder.rglob("*") if file.name.startswith(".")))
"""
    said = run_there(platform, NAMES, code, bundle, tmp_path)
    assert said.splitlines()[-1] == "[]"
    flags = Path("/proc/cpuinfo").read_text().split()
    assert f"overflows: {'avx2' in flags and 'avx512_vnni' not in flags}" in said.splitlines()
    (depth,) = tmp_path.glob("depth/*.png")
    found = cv2.imread(str(depth), cv2.IMREAD_UNCHANGED) / 1000
    np.testing.assert_allclose(found, brightness_depth(frame), atol=0.001)
    assert json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))["cameras"] == []
