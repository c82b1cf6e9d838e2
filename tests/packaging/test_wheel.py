"""The wheel, built from a copy of the sources, installed elsewhere and used once without PyTorch."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import brightness_depth, write_bundle

ROOT = Path(__file__).parents[2]
SOURCES = (".gitignore", "pyproject.toml", "README.md", "LICENSE", "runtime", "train", "export", "benchmarks", "tests")
PACKAGES = {
    "clipdepth": "runtime",
    "clipdepth_train": "train",
    "clipdepth_export": "export",
    "clipdepth_bench": "benchmarks",
}
BOX, MODEL = Path("runtime/clipdepth/bundle/box"), "tiny-model"
NOT_ON_A_DEVICE = (
    "torch",
    "torchvision",
    "open_clip",
    "timm",
    "kornia",
    "segment_anything",
    "onnx",
    "onnx_ir",
    "onnxscript",
)


def run(*command: str | Path, **options: object) -> str:
    """Run a program and return what it printed; what it prints when it fails is the test's message."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, with one more model in the box."""
    sources = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, sources / name)
    write_bundle(sources / BOX / MODEL, weights=b"weights")
    return sources


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
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


@pytest.fixture(scope="module")
def version() -> str:
    """What sources without git's tags are."""
    (found,) = re.findall(r'^fallback-version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return str(found)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def read(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name).decode()


def test_it_holds_the_four_packages_and_nothing_else(wheel: Path, version: str) -> None:
    assert wheel.name == f"clipdepth-{version}-py3-none-any.whl"
    information = f"clipdepth-{version}.dist-info"
    assert {name.partition("/")[0] for name in names(wheel)} == {*PACKAGES, information}
    assert not any(part.startswith(("test", "conftest")) for name in names(wheel) for part in Path(name).parts)


def test_every_module_and_type_marker_is_in_it(wheel: Path) -> None:
    for package, root in PACKAGES.items():
        folder = ROOT / root
        sources = {str(file.relative_to(folder)) for file in (folder / package).rglob("*.py")}
        assert f"{package}/__init__.py" in sources
        assert {*sources, f"{package}/py.typed"} <= names(wheel)


def test_its_metadata(wheel: Path, version: str) -> None:
    metadata = Parser().parsestr(read(wheel, "/METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("clipdepth", version)
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


def test_it_starts(installed: Path, version: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    told = f"clipdepth {version}\n"
    assert run(sys.executable, "-m", "clipdepth", "--version", cwd=tmp_path, env=environment) == told
    assert run(installed / "bin" / "clipdepth", "--version", cwd=tmp_path, env=environment) == told
    assert device(installed, "--version", cwd=tmp_path) == told


def build_version(sources: Path, path: str | None = None) -> str:
    """The version that a build of `sources` has, where programs are found on `path`."""
    environment = {**os.environ, **({} if path is None else {"PATH": path})}
    return run(sys.executable, "-m", "hatchling", "version", cwd=sources, env=environment).strip()


def test_its_version_is_that_of_gits_tags(version: str, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    git = ("git", "-C", tmp_path, "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    run(*git, "init", "--quiet")
    run(*git, "add", ".")
    run(*git, "commit", "--quiet", "--message", "one")
    run(*git, "commit", "--quiet", "--message", "two", "--allow-empty")
    node = run(*git, "rev-parse", "HEAD")[:7]
    base = version.removesuffix(".dev0")
    assert build_version(tmp_path).startswith(f"{base}.dev2+g{node}")
    run(*git, "tag", "v9.8.7")
    assert build_version(tmp_path) == "9.8.7"
    run(*git, "commit", "--quiet", "--message", "three", "--allow-empty")
    assert build_version(tmp_path).startswith("9.8.8.dev1+g")
    assert build_version(tmp_path, path="") == version


def test_sources_that_are_not_installed_have_no_version(tmp_path: Path) -> None:
    shutil.copy(ROOT / "runtime" / "clipdepth" / "__init__.py", tmp_path / "clipdepth.py")
    code = "import clipdepth; print(clipdepth.__version__)"
    assert run(sys.executable, "-S", "-c", code, cwd=tmp_path, env={}) == "0+unknown\n"


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


def files_of_models(root: Path) -> set[str]:
    """The files of the models in the box, from `clipdepth/` on."""
    files = (file for manifest in (root / BOX).glob("*/manifest.json") for file in manifest.parent.iterdir())
    return {str(file.relative_to(root / "runtime")) for file in files if file.is_file()}


def test_the_models_in_the_box_are_in_it(wheel: Path, sources: Path) -> None:
    assert files_of_models(ROOT) < files_of_models(sources) <= names(wheel)


def test_the_models_in_the_box_are_in_the_sources_that_are_handed_out(sources: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, sources)
    (built,) = tmp_path.iterdir()
    with tarfile.open(built) as archive:
        held = {name.partition("/runtime/")[2] for name in archive.getnames()}
    assert files_of_models(sources) <= held


def test_a_model_in_the_box_is_found_by_its_name(installed: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.full((48, 64, 3), 128, np.uint8))
    here = {"cwd": tmp_path}
    device(installed, "run", MODEL, "--source", "p.png", "--output", "depth", "--json", "run.json", **here)
    (picture,) = (tmp_path / "depth").iterdir()
    millimetres = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
    assert millimetres is not None
    assert np.abs(millimetres - 1000 * (0.5 + 5 * 128 / 255)).max() <= 0.51
    assert json.loads((tmp_path / "run.json").read_text())["bundle"] == MODEL
    assert "agrees" in device(installed, "verify", MODEL, **here)
    assert f"model: {MODEL}" in device(installed, "doctor", MODEL, **here)
    point = ("--point", "32,24=2", "--along", "axis")
    assert "scaled by" in device(installed, "calibrate", MODEL, "--source", "p.png", *point, "--out", "c.json", **here)
    assert MODEL in device(installed, "models", **here)
    loop = f"import clipdepth; [(_, depth)] = clipdepth.stream({MODEL!r}, 'p.png'); print(depth.shape)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    assert run(sys.executable, "-c", loop, env=environment, **here) == "(48, 64)\n"


@pytest.mark.slow
def test_what_times_and_what_archives_finds_it_too(installed: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.full((48, 64, 3), 128, np.uint8))
    clipdepth = [sys.executable, "-m", "clipdepth"]
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(installed)}}
    quick = ("--rounds", "1", "--per-round", "1")
    skipped = ("--skip", "compile", "--skip", "streaming", "--skip", "memory")
    assert MODEL in run(*clipdepth, "bench", MODEL, *quick, *skipped, **options)
    scaling = ("--axis", "threads", "--rounds", "1", "--seconds", "1", "--threads", "1")
    assert MODEL in run(*clipdepth, "bench", "scaling", MODEL, "--out", "scaling", *scaling, **options)
    # Another folder of that name lies here; the workers of Ray take the model too.
    write_bundle(tmp_path / MODEL, 24, 32)
    archive = ("archive", MODEL, "p.png", "--out", "out", "--engine", "onnxruntime", "--workers", "1", "--store", "0.2")
    ended = subprocess.run([*clipdepth, *archive], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count(f"{MODEL} is the model that ships with clipdepth") == 1
    (picture,) = (tmp_path / "out" / "depth").rglob("*.png")
    millimetres = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
    assert millimetres is not None
    assert np.abs(millimetres - 1000 * (0.5 + 5 * 128 / 255)).max() <= 0.51
    model = installed / "clipdepth" / "bundle" / "box" / MODEL / "manifest.json"
    settings = json.loads((tmp_path / "out" / "archive.json").read_text())
    assert settings["bundle"] == hashlib.sha256(model.read_bytes()).hexdigest()


def test_a_wheel_that_uv_links_from_its_cache_has_the_model_too(wheel: Path, tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    target, cache = tmp_path / "installed", tmp_path / "cache"
    linked = ("--link-mode", "hardlink", "--cache-dir", cache, "--offline", "--no-deps", "--python", sys.executable)
    run(uv, "pip", "install", *linked, "--target", target, wheel)
    model = target / "clipdepth" / "bundle" / "box" / "edge-nyu"
    assert {file.stat().st_nlink for file in model.iterdir()} == {2}
    assert "agrees" in device(target, "verify", "edge-nyu", "--engine", "onnxruntime", cwd=tmp_path)


def test_what_is_missing_for_training_is_named(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"clipdepth train needs \w+, which is not installed; run pip install"):
        device(installed, "train", "edge", cwd=tmp_path)
