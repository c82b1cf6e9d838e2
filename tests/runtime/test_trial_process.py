"""Engines whose library aborts, ends the process, hangs or talks: a stand-in for OpenVINO's module does it for real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundles import write_bundle
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.engines.choice import choose_engine
from clipdepth.engines.trial_process import try_apart
from live_servers import wait_until

ABORTS = "import os, sys; sys.stderr.write('corrupted\\ndouble free\\n'); sys.stderr.flush(); os.abort()"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(tmp_path / "b", 24, 32, precisions=("fp32", "int8")))


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, module: str = "openvino") -> None:
    """Put a module of that code before the real one, which this process never imports."""
    folder = tmp_path / "modules"
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_a_trial_is_what_it_would_be_here(bundle: Bundle) -> None:
    trials = list(try_apart(bundle, "onnxruntime", ["fp32", "int8"], 1))
    assert [(trial.engine, trial.precision, trial.device, trial.passed) for trial in trials] == [
        ("onnxruntime", "fp32", "CPU", True),
        ("onnxruntime", "int8", "CPU", True),
    ]


@pytest.mark.skipif(os.name != "posix", reason="has no signals")
def test_a_library_that_aborts_is_a_failed_engine_and_the_next_is_tried(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, ABORTS)
    choice = choose_engine(bundle, threads=1)
    assert choice.engine == "onnxruntime"
    problems = [trial.problem for trial in choice.trials if trial.engine == "openvino"]
    assert problems == ["its process was ended by SIGABRT: double free"] * 2
    again = choose_engine(bundle, threads=1)
    assert (again.remembered, again.trials) == (True, choice.trials)


def test_a_library_that_hangs_is_a_failed_engine(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr("clipdepth.engines.trial_process.SECONDS", 2.0)
    start = time.monotonic()
    trials = list(try_apart(bundle, "openvino", ["fp32", "int8"], 1))
    assert [trial.problem for trial in trials] == ["its process gave no sign of life for 2 s"] * 2
    assert not any(trial.absent for trial in trials)
    assert time.monotonic() - start < 30


def test_a_library_that_ends_the_process_or_fails_to_start_says_so(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "import os; os._exit(0)")
    (trial,) = try_apart(bundle, "openvino", ["fp32"], 1)
    assert trial.problem == "its process ended with status 0"
    stand_in(tmp_path, monkeypatch, "raise SystemExit('no licence')")
    (trial,) = try_apart(bundle, "openvino", ["fp32"], 1)
    assert trial.problem == "its process ended with status 1: no licence"


def test_the_precisions_before_a_crash_keep_their_trials(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime itself, which aborts at the second graph it loads."""
    code = (
        "import os, sys\n"
        "sys.path.remove(os.path.dirname(__file__))\n"
        "del sys.modules['onnxruntime']\n"
        "import onnxruntime\n"
        "plain, count = onnxruntime.InferenceSession, []\n"
        "def open(graph, *rest, **named):\n"
        "    print('a library that talks')\n"
        "    return os.abort() if 'int8' in str(graph) else plain(graph, *rest, **named)\n"
        "onnxruntime.InferenceSession = open\n"
    )
    stand_in(tmp_path, monkeypatch, code, "onnxruntime")
    trials = list(try_apart(bundle, "onnxruntime", ["fp32", "int8", "fp32"], 1))
    assert [trial.passed for trial in trials] == [True, False, True]
    assert "its process was ended by SIGABRT" in f"{trials[1].problem}"


def test_an_engine_that_is_not_here_costs_no_process(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name in ("openvino", "openvino-gpu", "openvino-npu"):
        trials = list(try_apart(bundle, name, ["fp32", "int8"]))
        assert [trial.absent for trial in trials] == [True, True]
        assert all("pip install 'clipdepth[openvino]'" in f"{trial.problem}" for trial in trials)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_leaves_no_process(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    hangs = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    (tmp_path / "modules" / "onnxruntime.py").write_text(hangs)
    path = os.pathsep.join([str(tmp_path / "modules"), *sys.path])
    command = [sys.executable, "-m", "clipdepth", "run", str(bundle.path), "--source", "rooms"]
    run = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert wait_until(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text() != "", 60)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (130, "clipdepth: error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
