"""Imports point one way: the runtime to nothing of ours and to no PyTorch, the others to the runtime."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "clipdepth": ROOT / "runtime" / "clipdepth",
    "clipdepth_train": ROOT / "train" / "clipdepth_train",
    "clipdepth_export": ROOT / "export" / "clipdepth_export",
    "clipdepth_bench": ROOT / "benchmarks" / "clipdepth_bench",
}
MAY_IMPORT = {
    "clipdepth": set(),
    "clipdepth_train": {"clipdepth"},
    "clipdepth_export": {"clipdepth", "clipdepth_train"},
    "clipdepth_bench": {"clipdepth", "clipdepth_train", "clipdepth_export"},
}
NOT_ON_A_DEVICE = (
    "torch",
    "torchvision",
    "onnx",
    "onnx_ir",
    "onnxscript",
    "open_clip",
    "timm",
    "h5py",
    "scipy",
    "tyro",
)
FLOORS = (
    ("errors",),
    ("files",),
    ("bundle",),
    ("camera",),
    ("engines", "frame", "rooms"),
    ("sinks", "sources"),
    ("pipeline",),
    ("model", "web"),
    ("cluster",),
    ("cli",),
    ("ros",),
)
"""The rooms of the runtime, from the ground up: each imports from floors below its own alone."""
MOST_ROOMS = 15
OTHERS = [name for name in PACKAGES if name != "clipdepth"]


def modules(package: str) -> list[str]:
    root = PACKAGES[package]
    names = []
    for file in sorted(root.rglob("*.py")):
        parts = (package, *file.relative_to(root).with_suffix("").parts)
        names.append(".".join(part for part in parts if part != "__init__"))
    return names


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def room(name: str) -> str:
    """The package's own part that a module belongs to: a folder or a file on its top floor."""
    return [*name.split("."), ""][1]


def rooms(package: str) -> dict[str, set[str]]:
    """Which of its rooms each room of a package imports, at any depth of its code."""
    found: dict[str, set[str]] = {}
    for file in sorted(PACKAGES[package].rglob("*.py")):
        parts = file.relative_to(PACKAGES[package]).with_suffix("").parts
        here = "" if parts[0].startswith("__") else parts[0]
        names = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == package:
                names |= {f"{package}.{alias.name}" for alias in node.names if alias.name != "__version__"}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                names.add(node.module or "")
        found.setdefault(here, set()).update(room(name) for name in names)
    return {here: there - {here} for here, there in found.items() if here}


def test_rooms_of_the_runtime_import_from_below() -> None:
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    found = rooms("clipdepth")
    assert found.keys() == floor.keys()
    assert len(found) <= MOST_ROOMS
    for here, there in found.items():
        above = {name for name in there if floor[name] >= floor[here]}
        assert not above, f"{here} imports {above}"


@pytest.mark.parametrize("package", OTHERS)
def test_rooms_of_a_package_import_in_no_circle(package: str) -> None:
    left = rooms(package)
    while left:
        free = {name for name, there in left.items() if not there & left.keys()}
        assert free, f"a circle among {sorted(left)}"
        left = {name: there for name, there in left.items() if name not in free}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    for file in PACKAGES[package].rglob("*.py"):
        ours = imported(file) & set(PACKAGES) - {package}
        assert ours <= MAY_IMPORT[package], f"{file.relative_to(ROOT)} imports {ours}"


def test_the_runtime_names_nothing_that_a_device_lacks() -> None:
    for file in PACKAGES["clipdepth"].rglob("*.py"):
        heavy = imported(file) & set(NOT_ON_A_DEVICE)
        assert not heavy, f"{file.relative_to(ROOT)} imports {heavy}"


def test_every_runtime_module_imports_on_a_bare_device() -> None:
    blocked = dict.fromkeys((*NOT_ON_A_DEVICE, *OTHERS))
    names = [name for name in modules("clipdepth") if name != "clipdepth.__main__"]
    assert "clipdepth.cli.run" in names
    code = (
        f"import sys; sys.modules.update({blocked!r})\n"
        f"from importlib import import_module\nfor name in {names!r}: import_module(name)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_command_line_starts_without_numpy_and_opencv() -> None:
    code = (
        "import sys; from clipdepth.cli import main; main(['--help']);"
        "print({'numpy', 'cv2', 'rich', 'onnxruntime'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "set()"
