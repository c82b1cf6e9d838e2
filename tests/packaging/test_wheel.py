"""The wheel, built from a copy of the sources, installed elsewhere and used once without PyTorch."""

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import cv2
import numpy as np
import pytest

import clipdepth
from bundles import brightness_depth, write_bundle

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "runtime", "train", "export", "benchmarks", "tests")
PACKAGES = {
    "clipdepth": "runtime",
    "clipdepth_train": "train",
    "clipdepth_export": "export",
    "clipdepth_bench": "benchmarks",
}
NOT_ON_A_DEVICE = ("torch", "torchvision", "open_clip", "timm", "kornia", "segment_anything", "onnx", "onnxscript")


def run(*command: str | Path, **options: object) -> str:
    """Run a program and return what it printed; what it prints when it fails is the test's message."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; the sources stay as they are."""
    sources = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, sources / name)
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, sources)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder the wheel is installed into, without its dependencies."""
    target = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def read(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name).decode()


def test_it_holds_the_four_packages_and_nothing_else(wheel: Path) -> None:
    information = f"clipdepth-{clipdepth.__version__}.dist-info"
    assert {name.partition("/")[0] for name in names(wheel)} == {*PACKAGES, information}
    assert not any(part.startswith(("test", "conftest")) for name in names(wheel) for part in Path(name).parts)


def test_every_module_and_type_marker_is_in_it(wheel: Path) -> None:
    for package, root in PACKAGES.items():
        folder = ROOT / root
        sources = {str(file.relative_to(folder)) for file in (folder / package).rglob("*.py")}
        assert f"{package}/__init__.py" in sources
        assert {*sources, f"{package}/py.typed"} <= names(wheel)


def test_its_metadata(wheel: Path) -> None:
    metadata = Parser().parsestr(read(wheel, "/METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("clipdepth", clipdepth.__version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("MIT", ">=3.10")
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not any(line.startswith(NOT_ON_A_DEVICE) for line in needed)
    assert str(metadata.get_payload()).strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    assert read(wheel, "/entry_points.txt").split() == ["[console_scripts]", "clipdepth", "=", "clipdepth.cli:main"]
    assert read(wheel, "/licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def device(installed: Path, *arguments: str | Path, cwd: Path) -> str:
    """Run the installed `clipdepth` where nothing of PyTorch can be imported."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({NOT_ON_A_DEVICE!r}))\n"
        f"import clipdepth; assert clipdepth.__file__.startswith({str(installed)!r}), clipdepth.__file__\n"
        "from clipdepth.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "120"}
    return run(sys.executable, "-W", "error", "-c", code, *arguments, cwd=cwd, env=environment)


def test_it_starts(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    version = f"clipdepth {clipdepth.__version__}\n"
    assert run(sys.executable, "-m", "clipdepth", "--version", cwd=tmp_path, env=environment) == version
    assert run(installed / "bin" / "clipdepth", "--version", cwd=tmp_path, env=environment) == version
    assert device(installed, "--version", cwd=tmp_path) == version


def test_it_turns_pictures_into_depth_without_pytorch(installed: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    frames = np.random.default_rng(3).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(pictures / f"{number}.png"), frame)
    device(installed, "run", bundle, "--source", pictures, "--output", tmp_path / "depth", cwd=tmp_path)
    written = sorted((tmp_path / "depth").iterdir())
    assert len(written) == 3
    for file, frame in zip(written, frames, strict=True):
        millimetres = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert millimetres is not None
        assert np.abs(millimetres - 1000.0 * brightness_depth(frame)).max() <= 0.51
    assert "agrees" in device(installed, "verify", bundle, cwd=tmp_path)


def test_what_is_missing_for_training_is_named(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"clipdepth train needs \w+, which is not installed; run pip install"):
        device(installed, "train", "edge", cwd=tmp_path)
