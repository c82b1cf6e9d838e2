"""Help and completion of every command, without what its extra brings, and `--json`."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth.cli import COMMANDS, main
from clipdepth.cli.arguments import ArgumentParser, parsers_below

EXTRAS = [
    "torch",
    "torchvision",
    "open_clip",
    "timm",
    "accelerate",
    "safetensors",
    "tensorboard",
    "tyro",
    "kornia",
    "segment_anything",
    "h5py",
    "scipy",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "cuda",
    "wandb",
    "pyrealsense2",
    "rerun",
    "starlette",
    "uvicorn",
    "websockets",
    "segno",
    "prometheus_client",
    "onnx",
    "onnx_ir",
    "onnxscript",
    "transformers",
    "matplotlib",
    "pynvml",
    "huggingface_hub",
    "rosbags",
    "ray",
    "pyarrow",
    "fsspec",
]
"""The modules of all extras."""
HEAVY = [*EXTRAS, "numpy", "cv2", "av", "rich", "msgspec", "yaml", "asyncio"]


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["help"], ["--version"], ["run", "--help"], ["help", "run"], ["train", "--help"], ["help", "train"]],
)
def test_help_waits_for_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from clipdepth.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    result = python(code, *arguments)
    assert result.returncode == 0, result.stderr
    assert "clipdepth" in result.stdout
    assert result.stderr == "[]\n"


def test_the_package_waits_for_nothing_heavy() -> None:
    result = python(f"import clipdepth, sys; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert result.stdout == "[]\n"


def test_every_command_has_its_help_without_any_extra() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))\n"
        "from clipdepth.cli import COMMANDS, main\n"
        "for name in COMMANDS: assert main([*name.split(), '--help']) == 0, name\n"
    )
    result = python(code)
    assert (result.returncode, result.stderr) == (0, "")
    for name in COMMANDS:
        assert f"usage: clipdepth {name}" in result.stdout


def test_the_options_of_a_recipe_wait_for_tyro_alone() -> None:
    pytest.importorskip("tyro", reason="needs tyro, clipdepth[train]")
    heavy = [name for name in HEAVY if name not in ("tyro", "asyncio")]
    code = (
        "import atexit, sys; from clipdepth.cli import main\n"
        f"atexit.register(lambda: print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr))\n"
        "main(['help', 'train', 'edge'])"
    )
    result = python(code)
    assert (result.returncode, result.stderr) == (0, "[]\n")
    assert "usage: clipdepth train edge" in result.stdout
    assert "--model.bins" in result.stdout


def test_the_options_of_a_recipe_without_tyro_name_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tyro", None)
    monkeypatch.delitem(sys.modules, "clipdepth_train.commands.train_arguments", raising=False)
    assert main(["train", "edge", "--help"]) == 1
    assert capsys.readouterr().err == (
        "clipdepth: error: 'clipdepth train edge --help' needs tyro, which is not installed; "
        "run pip install 'clipdepth[train]'\n"
    )


def every_parser(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    yield parser
    for below in parsers_below(parser).values():
        assert isinstance(below, ArgumentParser)
        yield from every_parser(below)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_an_example_that_parses(name: str) -> None:
    command = COMMANDS[name]
    found = 0
    for parser in every_parser(command.parser()):
        if not parser.epilog:  # the recipes of train, whose help is tyro's
            assert name == "train"
            continue
        found += 1
        program, *words = shlex.split(parser.epilog.removeprefix("example: ").partition(" > ")[0])
        assert (program, words[: len(name.split())]) == ("clipdepth", name.split())
        arguments = words[len(name.split()) :]
        if name == "train":  # its options are tyro's
            assert arguments[0] in parsers_below(parser)
        else:
            command.parser().parse_args(arguments)
    assert found


@pytest.mark.parametrize("name", COMMANDS)
def test_what_takes_a_value_says_which_and_what_for(name: str) -> None:
    for parser in every_parser(COMMANDS[name].parser()):
        for action in parser._actions:
            assert action.help or name == "data", action
            assert action.nargs == 0 or action.metavar or action.choices, action


def test_options_that_many_commands_have_take_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    same = (
        "--json",
        "--threads",
        "--device",
        "--size",
        "--rounds",
        "--seconds",
        "--max-depth",
        "--fov",
        "--sam-weights",
    )
    found: dict[str, set[object]] = {option: set() for option in same}
    for command in COMMANDS.values():
        for parser in every_parser(command.parser()):
            for action in parser._actions:
                for option in found.keys() & set(action.option_strings):
                    found[option].add(action.metavar)
    assert {option: len(metavars) for option, metavars in found.items()} == dict.fromkeys(same, 1)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["trian", "edge"], "unknown command 'trian'; did you mean 'train'?"),
        (["run", "edge-nyu", "--suorce", "0"], "--suorce: did you mean --source?"),
        (["run", "edge-nyu", "--source", "0", "--ouput=x"], "--ouput: did you mean --output?"),
        (["verify", "edge-nyu", "--pricision", "fp16"], "--pricision: did you mean --precision?"),
        (["help", "modles"], "unknown command 'modles'; did you mean 'models'?"),
    ],
)
def test_what_was_meant_is_asked(arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert meant in err
    assert err.count("\n") == 1


def test_an_option_that_resembles_none_is_met_with_no_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--zzzz"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_bash_completes_commands_options_and_choices(tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    script = tmp_path / "completion"
    written = subprocess.run(
        [sys.executable, "-m", "clipdepth", "completion", "bash"], capture_output=True, text=True, check=True
    )
    script.write_text(written.stdout)

    def completed(*words: str) -> set[str]:
        code = (
            f"source {script}; COMP_WORDS=({shlex.join(['clipdepth', *words])}); COMP_CWORD={len(words)}; "
            f'_shtab_clipdepth clipdepth "${{COMP_WORDS[COMP_CWORD]}}"; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
        return set(subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.split())

    assert completed("ver") == {"verify"}
    assert completed("run", "--ser") == {"--serve"}
    assert completed("data", "rend") == {"render"}
    assert completed("evaluate", "--crop", "ei") == {"eigen"}


def test_completion_without_its_extra_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert "pip install 'clipdepth[completion]'" in capsys.readouterr().err


def test_a_report_on_standard_output_is_alone_there(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b")
    command = [sys.executable, "-m", "clipdepth", "run", str(bundle), "--source", "rooms", "--frames", "2"]
    result = subprocess.run(
        [*command, "--engine", "onnxruntime", "--json", "-"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(result.stdout)["frames"] == 2
    assert "ms a frame" in result.stderr
    # Where stderr is no terminal nothing moves the cursor.
    assert "\x1b" not in result.stderr
    assert "\r" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b"]


@pytest.mark.parametrize("command", ["verify", "models"])
def test_what_was_found_goes_to_standard_output_too(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "b")
    assert main([command, str(bundle), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert isinstance(json.loads(out), dict)
    assert err


def test_a_report_s_folder_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "nowhere" / "report.json"
    assert main(["models", "--json", str(place)]) == 2
    assert f"there is no folder {place.parent} for report.json" in capsys.readouterr().err
    assert not place.parent.exists()
