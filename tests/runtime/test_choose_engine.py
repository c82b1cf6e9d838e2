"""`--engine auto`: the fastest that agrees, remembered until something changes."""

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from rich.console import Console

from bundles import brightness_graph, write_bundle, write_manifest
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli.choice_report import print_choice
from clipdepth.engines import ENGINES
from clipdepth.engines.choice import Choice, choose_engine, load_fastest
from clipdepth.engines.tensorrt.store import EngineStore
from clipdepth.engines.trial import Trial, try_engine
from clipdepth.errors import EngineError, UsageError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Two graphs, of which fp16 is wrong by half."""
    path = write_bundle(tmp_path / "b", 24, 32, precisions=("fp32", "fp16"))
    onnx.save(brightness_graph(24, 32, 1.5), path / "depth.fp16.onnx")
    write_manifest(path, 24, 32, ("fp32", "fp16"))
    return open_bundle(path)


@pytest.fixture
def one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ONNX Runtime is tried, for tests of what is remembered: each trial is a process."""
    monkeypatch.setattr("clipdepth.engines.choice.engines_for", lambda device: ["onnxruntime"])


def choose(bundle: Bundle, threads: int = 1) -> tuple[Choice, list[Trial]]:
    """A choice, and what was tried for it."""
    choice = choose_engine(bundle, threads=threads)
    return choice, [] if choice.remembered else list(choice.trials)


def cached_files(folder: Path) -> list[Path]:
    return list(folder.rglob("trials-*.json"))


def test_the_fastest_that_agrees_is_chosen(bundle: Bundle) -> None:
    choice, tried = choose(bundle)
    assert [(trial.engine, trial.precision) for trial in tried] == [(n, p) for n in ENGINES for p in ("fp32", "fp16")]
    times = {(trial.engine, trial.precision): trial.milliseconds for trial in tried if trial.milliseconds is not None}
    assert ("onnxruntime", "fp32") in times
    assert times[choice.engine, choice.precision] == min(times.values())
    assert all(precision == "fp32" for _, precision in times)
    wrong = next(trial for trial in tried if (trial.engine, trial.precision) == ("onnxruntime", "fp16"))
    assert wrong.device == "CPU"
    assert "differs from PyTorch: relative depth difference mean 0.5" in f"{wrong.problem}"


def test_a_device_leaves_engines_on_gpus(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int | None]] = []

    def fail(bundle: Bundle, name: str, among: list[str], threads: int | None, device: int | None) -> list[Trial]:
        asked.append((name, device))
        return [Trial(name, precision, problem="not here", absent=True) for precision in among]

    monkeypatch.setattr("clipdepth.engines.choice.try_apart", fail)
    with pytest.raises(EngineError, match=r"^no engine runs .* on device 1; 'clipdepth doctor .* --device 1' tells"):
        choose_engine(bundle, ["fp32"], device=1)
    assert asked == [
        (name, 1) for name in ("onnxruntime-cuda", "onnxruntime-rtx", "openvino-gpu", "directml", "tensorrt")
    ]


def test_a_trial_that_fails_says_why(bundle: Bundle) -> None:
    trial = try_engine(bundle, "openvino-npu", "fp32")
    assert not trial.passed
    assert "install" in str(trial)


@pytest.mark.parametrize(("factor", "agrees"), [(-1, True), (-2, False)])
def test_answers_below_0_are_held_to_the_limit_too(factor: int, agrees: bool, tmp_path: Path) -> None:
    """Of a disparity, whose zero means nothing."""
    path = write_bundle(tmp_path / "d", 24, 32, kind="disparity", wrong_by=factor)
    golden = open_bundle(path).golden()
    replace(golden, depth=-golden.depth).save(path / "golden.npz")
    write_manifest(path, 24, 32, kind="disparity")
    assert try_engine(open_bundle(path), "onnxruntime", "fp32", 1).passed == agrees


def test_the_next_start_remembers(bundle: Bundle) -> None:
    first, _ = choose(bundle)
    second, tried = choose(bundle)
    assert (first.remembered, second.remembered, tried) == (False, True, [])
    assert (second.engine, second.precision, second.trials) == (first.engine, first.precision, first.trials)
    assert str(second).endswith("as measured before")


@pytest.mark.usefixtures("one_engine")
def test_what_changed_is_measured_again(bundle: Bundle, tmp_path: Path) -> None:
    choose(bundle)
    assert choose(bundle, threads=2)[1]
    assert choose_engine(bundle, ["fp32"], 1).remembered is False
    built = EngineStore(bundle).folder / "depth.fp32-orin.json"
    built.parent.mkdir()
    for text in ("{}", "[]"):
        built.write_text(text)
        assert choose(bundle)[1]
    other = open_bundle(write_bundle(tmp_path / "other", 24, 32, precisions=("fp32", "fp16")))
    assert choose(other)[1]
    assert not choose(bundle, threads=1)[1]


@pytest.mark.usefixtures("one_engine")
def test_other_libraries_or_hardware_are_measured_again(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(bundle)
    monkeypatch.setattr("clipdepth.engines.trial_cache.version", lambda package: "99.0")
    assert choose(bundle)[1]
    monkeypatch.setattr("clipdepth.engines.hardware.cpu_name", lambda: "Cortex-A78AE")
    assert choose(bundle)[1]
    assert not choose(bundle)[1]


@pytest.mark.usefixtures("one_engine")
@pytest.mark.parametrize("content", ["", "{", '{"situation": {}, "trials": []}', "[1]", "\udcff"])
def test_a_damaged_cache_is_measured_again(bundle: Bundle, own_cache: Path, content: str) -> None:
    choose(bundle)
    (file,) = cached_files(own_cache)
    file.write_text(content, errors="surrogateescape")
    assert choose(bundle)[1]
    assert not choose(bundle)[1]


@pytest.mark.parametrize("engine", ["warp", "tensorrt"])
def test_a_remembered_engine_that_does_not_load_any_more_is_chosen_anew(
    bundle: Bundle, own_cache: Path, engine: str
) -> None:
    load_fastest(bundle, threads=1)[0].close()
    (file,) = cached_files(own_cache)
    content = json.loads(file.read_text())
    content["trials"].append({"engine": engine, "precision": "fp32", "device": "x", "milliseconds": 0.0})
    file.write_text(json.dumps(content))
    loaded, choice = load_fastest(bundle, threads=1)
    assert choice.remembered is False
    assert loaded.name == choice.engine != engine
    loaded.close()
    loaded, choice = load_fastest(bundle, threads=1)
    assert choice.remembered
    loaded.close()


def test_a_cache_that_cannot_be_written_does_not_stop_anything(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choose(bundle)[1]
    assert choose(bundle)[1]
    assert "tried again at the next start" in caplog.text


def test_where_nothing_works_the_doctor_is_named(tmp_path: Path) -> None:
    wrong = open_bundle(write_bundle(tmp_path / "wrong", wrong_by=1.5))
    with pytest.raises(EngineError, match=r"no engine runs .*clipdepth doctor"):
        choose_engine(wrong)


def test_a_precision_the_bundle_lacks_is_misuse(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="no int8 graph"):
        choose_engine(bundle, ["int8"])


def test_the_report_lists_the_fastest_first_each_failure_once_and_what_is_not_here_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trials = (
        Trial("a", "fp32", "CPU", 20.0),
        Trial("b", "fp32", problem="not [here]"),
        Trial("b", "int8", problem="not [here]"),
        Trial("a", "int8", "CPU", 10.0),
        Trial("c", "fp32", problem="no driver", absent=True),
        Trial("c", "int8", problem="no driver", absent=True),
        Trial("d", "fp32", problem="not installed", absent=True),
    )
    print_choice(Choice("a", "int8", trials), Console())
    assert capsys.readouterr().out.splitlines() == [
        "  a int8 on CPU: 10 ms a frame",
        "  a fp32 on CPU: 20 ms a frame",
        "  b fp32: not [here]",
        "  not here: c, d; 'clipdepth doctor' tells what each lacks",
        "a int8 on CPU: 10 ms a frame, the fastest of 2 that work here (4 tried)",
    ]
    print_choice(Choice("a", "int8", trials, remembered=True), Console())
    assert capsys.readouterr().out.count("\n") == 1
