"""A disparity network, whose answer is 0 wherever it is dark, as a bundle that every engine verifies."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import clipdepth
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import InputSize, Licence
from clipdepth.cli import main
from clipdepth.engines import load_engine, verify_engine
from clipdepth_export.exporter import ExportConfig, write_bundle
from clipdepth_export.source import ExportSource
from clipdepth_export.sources.asked import describe
from clipdepth_train.imported.framed import Framed

SIZE = InputSize(24, 32)


class Bright(nn.Module):
    """Three convolutions of one kernel each, so that the answer is what lies above half the brightness, times 40."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = nn.Conv2d(3, 1, 1)
        with torch.no_grad():
            self.grey.weight.fill_(40 / 3)
            assert self.grey.bias is not None
            self.grey.bias.fill_(-20)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.relu(self.grey(pictures))


class Gradients:
    """Frames that are dark on the left and bright on the right."""

    name, least = "gradients", 1

    def held_out(self, count: int, size: InputSize) -> Golden:
        frames = np.stack([_gradient(shift) for shift in range(4)])
        unknown = np.zeros(frames.shape[:3], np.float32)
        return Golden(frames, unknown, unknown)

    training = held_out


def _gradient(shift: int) -> NDArray[np.uint8]:
    row = np.roll(np.linspace(0, 255, SIZE.width), shift).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (SIZE.height, SIZE.width, 3)).copy()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    module = Framed(Bright()).requires_grad_(False).eval()
    source = ExportSource(
        name="bright",
        module=module,
        model=describe(module, SIZE, "python:bright:network"),
        height=SIZE.height,
        width=SIZE.width,
        frames=Gradients(),
        depth=None,
        camera=None,
        licences=[Licence("bright", "CC0-1.0")],
        kind="disparity",
    )
    out = tmp_path_factory.mktemp("bright") / "bright.bundle"
    assert write_bundle(source, out, ExportConfig(("fp32", "fp16"))).refused == {}
    return open_bundle(out)


def test_its_golden_answers_have_zeros(bundle: Bundle) -> None:
    golden = bundle.golden()
    assert 0.4 < (golden.depth == 0).mean() < 0.6
    expected = np.maximum(golden.frames.mean(-1) / 255 * 40 - 20, 0)
    np.testing.assert_allclose(golden.depth, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_engines_verify_it(bundle: Bundle, name: str, precision: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"needs {name}")
    engine = load_engine(bundle, name, precision)
    try:
        assert verify_engine(engine, bundle, precision).passed
    finally:
        engine.close()


def test_the_fastest_engine_is_chosen_and_its_answer_is_relative(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with clipdepth.load(bundle.path) as model:
        assert model.choice is not None
        frame = model(_gradient(0))
    assert frame.kind == "disparity"
    with pytest.raises(clipdepth.ClipdepthError, match="clipdepth calibrate"):
        frame.points()


def test_the_command_verifies_it(bundle: Bundle) -> None:
    assert main(["verify", str(bundle.path)]) == 0
