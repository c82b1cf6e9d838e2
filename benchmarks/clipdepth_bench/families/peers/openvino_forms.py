"""Peers on OpenVINO: as Ultralytics' and optimum-intel's exporters convert and quantise them.

Both trace the network, convert the trace, and hand it to NNCF. OpenVINO then runs it as it does by default, which is
bf16 wherever the CPU computes in it.
"""

import io
import logging
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from clipdepth_bench.families.peers.form import Form, Opened
from clipdepth_bench.families.peers.material import Material
from clipdepth_train.quiet import quiet_logger

Quantise = Callable[[Any, Material], Any]
"""Makes an OpenVINO model of another."""

_STATED = "frame", "depth"
"""What our engines call a graph's input and output."""


def _converted(material: Material) -> Any:
    """The peer as an OpenVINO model in fp32, which is kept: tracing a network takes longer than reading it."""
    import openvino

    return openvino.Core().read_model(_write(material, "fp32", lambda: _trace(material)))


def _trace(material: Material) -> Any:
    import openvino
    import torch

    example = torch.from_numpy(material.frames[:1])
    with quiet_logger("torch", logging.ERROR):
        trace: Any = torch.jit.trace
        traced = trace(material.module, example, strict=False, check_trace=False)
        model = openvino.convert_model(traced, example_input=example, input=list(example.shape))
    for port, name in zip((model.inputs[0], model.outputs[0]), _STATED, strict=True):
        port.get_tensor().set_names({name})
    return model


def _as_it_is(model: Any, material: Material) -> Any:
    return model


def _nncf() -> Any:
    """The package, without its messages."""
    nncf = import_module("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf


def _round_weights(model: Any, material: Material) -> Any:
    """Weights alone, as optimum-intel does by default."""
    nncf = _nncf()
    return nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)


def _round(model: Any, material: Material, preset: str) -> Any:
    """Weights and activations, calibrated on all pictures; Ultralytics takes the preset 'MIXED'."""
    nncf = _nncf()
    frames = [frame[None] for frame in material.frames]
    kind = nncf.ModelType.TRANSFORMER if material.peer.transformer else None
    return nncf.quantize(
        model,
        nncf.Dataset(frames),
        preset=nncf.QuantizationPreset[preset],
        model_type=kind,
        subset_size=len(frames),
    )


def _open(material: Material, threads: int, name: str, quantise: Quantise, half: bool = False) -> Opened:
    return _load(_write(material, name, lambda: quantise(_converted(material), material), half), threads)


def _open_fp32(material: Material, threads: int) -> Opened:
    return _load(_write(material, "fp32", lambda: _trace(material)), threads)


def _write(material: Material, name: str, make: Callable[[], Any], half: bool = False) -> Path:
    """The model's .xml, with its weights beside it in a .bin; made where it is not there."""
    import openvino

    def write(path: Path) -> None:
        drafted = path.with_suffix(".bin")
        try:
            # NNCF prints its progress, and has PyTorch look for a compiler.
            with redirect_stdout(io.StringIO()), quiet_logger("torch.utils.cpp_extension", logging.ERROR):
                openvino.save_model(make(), path, compress_to_fp16=half)
            drafted.replace(material.folder / f"{name}.bin")
        finally:
            drafted.unlink(missing_ok=True)

    return material.file(f"{name}.xml", write)


def _load(xml: Path, threads: int) -> Opened:
    import openvino

    from clipdepth.engines.openvino import OpenVino, find_device

    core = openvino.Core()
    device, full_name = find_device(core, "CPU")
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}

    def compiled(properties: dict[str, Any]) -> openvino.CompiledModel:
        return core.compile_model(xml, device, {**config, **properties})

    size = xml.stat().st_size + xml.with_suffix(".bin").stat().st_size
    return Opened(OpenVino("openvino", f"{device} ({full_name})", compiled({}), compiled), size)


FORMS = [
    Form("OpenVINO fp32", _open_fp32),
    Form("OpenVINO fp16", partial(_open, name="fp16", quantise=_as_it_is, half=True)),
    Form("OpenVINO int8 weights (NNCF)", partial(_open, name="weights", quantise=_round_weights)),
    Form(
        "OpenVINO int8 (NNCF, performance)",
        partial(_open, name="performance", quantise=partial(_round, preset="PERFORMANCE")),
    ),
    Form("OpenVINO int8 (NNCF, mixed)", partial(_open, name="mixed", quantise=partial(_round, preset="MIXED"))),
]
