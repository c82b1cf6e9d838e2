"""A peer's forms: quantised on the pictures, held to its own fp32, and the fastest of what holds."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.tiny_network import SIZE, tiny
from bundles import write_bundle
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.folder import open_bundle
from clipdepth_bench.contender import ContenderEngine, Setup
from clipdepth_bench.families.peers import onnx_forms, openvino_forms
from clipdepth_bench.families.peers.best import FormTrial, fastest, try_forms
from clipdepth_bench.families.peers.form import Form, Opened, list_forms
from clipdepth_bench.families.peers.forms import BEST, load_best, load_eager
from clipdepth_bench.families.peers.material import Material, frames_at
from clipdepth_bench.families.peers.peer import Peer

pytestmark = pytest.mark.usefixtures("own_cache")

TINY = Peer("tiny", SIZE, tiny, (), "MIT")
ROUNDED = {
    form.name: form
    for form in (*openvino_forms.FORMS, *onnx_forms.FORMS)
    if "NNCF, " in form.name or "static" in form.name
}


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """That of a small bundle."""
    return Setup(open_bundle(write_bundle(tmp_path / "small.bundle", frames=3)), None, 1, False)


def material(brightest: int = 256) -> Material:
    frames = np.random.default_rng(5).integers(0, brightest, (3, SIZE.height, SIZE.width, 3), dtype=np.uint8)
    return Material(TINY, frames)


def form(
    name: str,
    factor: float = 1.0,
    seconds: float = 0.0,
    later: float | None = None,
    opened: Callable[[], None] = lambda: None,
) -> Form:
    """A real form of the tiny network, whose answers are `factor` times its own and take `seconds` longer.

    From the second time on that it is loaded they take `later` longer, where that is given.
    """
    waits = iter([seconds])

    def load(made: Material, threads: int) -> Opened:
        opened()
        wait = next(waits, seconds if later is None else later)
        real = onnx_forms.FORMS[0].open(made, threads)

        def infer(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
            time.sleep(wait)
            return Answer((real.engine.infer(frames).depth * factor).astype(np.float32))

        return Opened(ContenderEngine(name, "CPU", infer), real.model_bytes)

    return Form(name, load)


@pytest.mark.slow
def test_every_form_holds_the_accuracy_of_a_network_that_can_be_rounded() -> None:
    pytest.importorskip("nncf")
    trials = try_forms(material(), list_forms(), 1)
    assert {trial.form: trial.problem for trial in trials if trial.problem} == {}
    assert len(trials) >= 9
    assert all(trial.difference is not None and trial.difference < 0.03 for trial in trials)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROUNDED)
def test_a_quantiser_is_calibrated_on_the_pictures(name: str) -> None:
    """Ranges of dark pictures clip bright ones: on these it is wrong, and on dark ones it is right."""
    if "NNCF" in name:
        pytest.importorskip("nncf")
    dark, bright = material(40), material()
    reference = bright.reference
    errors = [
        np.abs(np.concatenate([engine.infer(frame[None]).depth for frame in bright.frames]) / reference - 1).mean()
        for engine in (ROUNDED[name].open(pictures, 1).engine for pictures in (dark, bright))
    ]
    assert errors[0] > 5 * errors[1]
    (trial,) = try_forms(dark, [ROUNDED[name]], 1)
    assert trial.problem is None


def test_the_fastest_of_those_that_hold_is_the_row(setup: Setup) -> None:
    forms = [form("slow", seconds=0.05), form("quick"), form("wrong", factor=1.05)]
    row = load_best(setup, TINY, forms)
    assert row.precision == BEST
    assert row.note == "random weights: time only"
    assert row.chosen.startswith("quick, ")
    assert "here faster than slow" in row.chosen
    assert "not wrong (5% from its fp32)" in row.chosen
    assert row.peer
    eager = load_eager(setup, TINY)
    assert row.infer
    assert eager.infer
    frame = np.zeros((1, 12, 20, 3), np.uint8)
    np.testing.assert_allclose(row.infer(frame).depth, eager.infer(frame).depth, rtol=1e-3)
    assert row.model_bytes


def test_a_form_without_finite_answers_is_never_taken() -> None:
    trials = try_forms(material(), [form("nan", factor=float("nan")), form("slow", seconds=0.01)], 1)
    assert [trial.form for trial in fastest(trials)] == ["slow"]
    assert trials[0] == FormTrial("nan", problem="its answer is not finite")


def test_a_peer_without_a_form_that_holds_says_so(setup: Setup) -> None:
    row = load_best(setup, TINY, [form("wrong", factor=2.0)])
    assert row.infer is None
    assert row.note == "no form of it works here: wrong: 1e+02% from its fp32"


def test_forms_are_tried_once_and_an_interrupted_search_goes_on() -> None:
    opened: list[str] = []

    def interrupt() -> None:
        opened.append("second")
        if opened.count("second") == 1:
            raise KeyboardInterrupt

    forms = [form("first", opened=lambda: opened.append("first")), form("second", opened=interrupt)]
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        try_forms(material(), forms, 1, told.append)
    trials = try_forms(material(), forms, 1, told.append)
    assert try_forms(material(), forms, 1, told.append) == trials
    assert opened == ["first", "second", "second", "first", "second"]
    assert told == ["first (1 of 2)", "second (2 of 2)", "second (1 of 1)", "the fastest forms in turns"]
    try_forms(material(100), forms, 1)
    assert len(opened) == 9


def test_what_is_fastest_in_turns_counts_whatever_it_took_alone() -> None:
    forms = [form("busy", seconds=0.3, later=0.0), form("idle", seconds=0.1)]
    trials = try_forms(material(), forms, 1)
    alone = {trial.form: trial.milliseconds or 0 for trial in trials}
    assert alone["busy"] > alone["idle"]
    assert [trial.form for trial in fastest(trials)] == ["busy", "idle"]


def test_without_nncf_the_other_forms_are_tried_and_the_row_says_what_to_install(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    row = load_best(setup, TINY, [ROUNDED["OpenVINO int8 (NNCF, mixed)"], form("quick")])
    assert row.infer
    assert "not OpenVINO int8 (NNCF, mixed) (no nncf); pip install --group peers" in row.chosen


LONELY = """
import os, socket
def refuse(*_): os._exit(3)  # whatever thread it is that asks
socket.socket.connect = socket.getaddrinfo = refuse
import numpy as np
from benchmarks.tiny_network import SIZE, tiny
from clipdepth_bench.families.peers.openvino_forms import FORMS
from clipdepth_bench.families.peers.material import Material
from clipdepth_bench.families.peers.peer import Peer
frames = np.zeros((2, SIZE.height, SIZE.width, 3), np.uint8)
FORMS[-1].open(Material(Peer("tiny", SIZE, tiny, (), "MIT"), frames), 1)
"""


@pytest.mark.slow
def test_nncf_stays_off_the_network_and_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = subprocess.run([sys.executable, "-c", LONELY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == ""
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_pictures_are_resized_to_the_peers_size(setup: Setup) -> None:
    golden = setup.bundle.golden().frames
    assert frames_at(SIZE, golden).shape == (len(golden), SIZE.height, SIZE.width, 3)
