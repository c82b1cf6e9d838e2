"""Precisions told from a parsed network, and from what TensorRT's inspector really said of engines."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from clipdepth.engines.precisions import Precisions
from clipdepth.engines.tensorrt.network import parse_graph
from clipdepth.engines.tensorrt.precisions import check_precisions, engine_precisions, network_precisions
from clipdepth.errors import EngineError
from tensorrt_cpu.graphs import node, save, write_graph

pytest_plugins = ["tensorrt_cpu.plugin"]


@pytest.mark.usefixtures("tensorrt")
@pytest.mark.parametrize(
    "convolutions",
    [("fp32",), ("fp16",), ("int8",), ("fp32", "fp16", "fp16"), ("int8", "fp16", "int8", "fp32")],
)
def test_convolutions_of_a_network_are_counted_by_precision(tmp_path: Path, convolutions: tuple[str, ...]) -> None:
    found = network_precisions(parse_graph(write_graph(tmp_path / "a.onnx", convolutions)))
    assert dict(found.layers) == {name: convolutions.count(name) for name in convolutions}


@pytest.mark.usefixtures("tensorrt")
def test_matrix_products_of_a_network_are_counted(tmp_path: Path) -> None:
    """One in half, one in INT8 through a transpose, and one whose second factor is not quantised: that is FP32."""
    constants: dict[str, NDArray[Any]] = {
        "axis": np.array([3], np.int64),
        "half": np.eye(3, dtype=np.float16),
        "full": np.eye(3, dtype=np.float32),
        "scale": np.array(2, np.float32),
        "zero": np.array(0, np.int8),
        "eighths": (8 * np.eye(3)).astype(np.int8),
    }
    nodes = [
        node("Cast", ["frame"], "float16", to=TensorProto.FLOAT16),
        node("MatMul", ["float16", "half"], "first"),
        node("Cast", ["first"], "float32", to=TensorProto.FLOAT),
        node("QuantizeLinear", ["float32", "scale", "zero"], "q"),
        node("DequantizeLinear", ["q", "scale", "zero"], "dq"),
        node("DequantizeLinear", ["eighths", "scale", "zero"], "weights"),
        node("Transpose", ["weights"], "turned", perm=[1, 0]),
        node("MatMul", ["dq", "turned"], "second"),
        node("MatMul", ["dq", "full"], "third"),
        node("Add", ["second", "third"], "sum"),
        node("ReduceMean", ["sum", "axis"], "depth", keepdims=0),
    ]
    found = network_precisions(parse_graph(save(tmp_path / "a.onnx", nodes, constants)))
    assert dict(found.layers) == {"fp16": 1, "int8": 1, "fp32": 1}


def layer(kind: str, tensors: str, tactic: str = "", **more: Any) -> dict[str, Any]:
    """A layer as the inspector of TensorRT 8 to 10 tells it."""
    tensor = [{"Name": "t", "Location": "Device", "Dimensions": [1, 64, 56, 56], "Format/Datatype": tensors}]
    return {"Name": kind, "LayerType": kind, "Inputs": tensor, "Outputs": tensor, "TacticName": tactic, **more}


# Types, formats and kernels as published in documentation and issue threads of TensorRT.
REAL = {
    "documentation, 8 to 10: an INT8 convolution": (
        layer(
            "CaskConvolution",
            "Thirty-two wide channel vectorized row major Int8 format.",
            "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_vect_c_32",
            ParameterType="Convolution",
            Weights={"Type": "Int8", "Count": 131072},
            Bias={"Type": "Float", "Count": 256},
        ),
        "int8",
    ),
    "issue 3876, 8.6: an FP16 convolution": (
        layer(
            "CaskConvolution",
            "Channel major FP16 format where channel % 8 == 0",
            ParameterType="Convolution",
            Weights={"Type": "Half", "Count": 1250},
            Bias={"Type": "Half", "Count": 25},
        ),
        "fp16",
    ),
    "issue 3583, 9.1: a convolution that stayed in FP32": (
        layer(
            "CaskGemmConvolution",
            "Channel major FP32 format where channel % 4 == 0",
            "sm80_xmma_gemm_f32f32_tf32f32_f32_nn_n_tilesize64x128x16_stage4_warpsize2x2x1_tensor16x8x8",
            ParameterType="Convolution",
            Weights={"Type": "Float", "Count": 65536},
        ),
        "fp32",
    ),
    "issue 4397, 10.10: a matrix product of the compiler": (
        layer(
            "gemm", "Half", "sm80_xmma_gemm_f16f16_f16f16_f16_nn_n_tilesize32x32x64_stage6_warpsize2x2x1_tensor16x8x16"
        ),
        "fp16",
    ),
    "issue 4397, 10.10: a generated kernel, which is no arithmetic": (
        layer("kgen", "Half", "__myl_AddCastMeanSubMulMeanAddSqrtDivMulCastMulAdd_0xf2543c36ff9f104bbb1655b0183afb47"),
        None,
    ),
    "issue 2418, 8.5: a pooling": (
        layer(
            "CaskPooling",
            "Channel major FP16 format where channel % 8 == 0",
            "sm50_xmma_pooling_fw_4d_FP16FP32NHWC_Average_FastDiv_GenericWindowWidth_CAlign4",
            ParameterType="Pooling",
        ),
        None,
    ),
    "a reformat before a convolution": (
        layer("Reformat", "Row major linear FP32", ParameterType="Reformat", Origin="REFORMAT"),
        None,
    ),
    "a dynamic batch without its shapes: only the weights tell": (
        layer(
            "CaskConvolution",
            "N/A due to dynamic shapes",
            ParameterType="Convolution",
            Weights={"Type": "Int8", "Count": 13824},
        ),
        "int8",
    ),
    "a dynamic batch, a matrix product: nothing tells": (layer("gemm", "N/A due to dynamic shapes"), None),
    "11: type and format apart": (
        {
            "Name": "g",
            "LayerType": "gemm",
            "Inputs": [{"Name": "t", "DataType": "BFloat16", "Format": "Row major linear"}],
        },
        "bf16",
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_layers_of_real_engines_are_read(name: str) -> None:
    sample, precision = REAL[name]
    found = engine_precisions(json.dumps({"Layers": [sample], "Bindings": ["frame", "depth"]}))
    assert dict(found.layers) == ({precision: 1} if precision else {})


def test_a_whole_engine_is_counted() -> None:
    layers = [sample for sample, _ in REAL.values()]
    found = engine_precisions(json.dumps({"Layers": layers, "I/O Tensors": []}))
    assert dict(found.layers) == {"int8": 2, "fp16": 2, "fp32": 1, "bf16": 1}


def test_an_engine_of_names_only_tells_nothing() -> None:
    assert not engine_precisions("").layers
    assert not engine_precisions("{}").layers
    assert not engine_precisions('{"Layers": ["conv + relu", "conv2"], "Bindings": []}').layers


def test_metadata_with_raw_control_characters_is_read() -> None:
    text = json.dumps({"Layers": [layer("gemm", "Half", Metadata="[ONNX Layer: a]@[ONNX Layer: b]")]}).replace(
        "@", "\x1e"
    )
    assert dict(engine_precisions(text).layers) == {"fp16": 1}


@pytest.mark.parametrize(
    ("precision", "layers"),
    [
        ("fp32", {"fp32": 9}),
        ("fp16", {"fp16": 5, "fp32": 5}),
        ("fp16", {"fp16": 1, "bf16": 9}),
        ("int8", {"int8": 4, "fp16": 4, "fp32": 8}),
        ("fp16", {}),
    ],
)
def test_a_promise_that_is_held(precision: str, layers: dict[str, int]) -> None:
    check_precisions(Precisions(layers), precision, "it")


@pytest.mark.parametrize(
    ("precision", "layers", "told"),
    [
        ("fp16", {"fp32": 9}, "9 in fp32"),
        ("fp16", {"fp16": 4, "fp32": 5}, "5 in fp32, 4 in fp16"),
        ("int8", {"int8": 4, "fp32": 5}, "5 in fp32, 4 in int8"),
        ("int8", {"fp16": 9}, "9 in fp16"),
        ("fp32", {"fp16": 9}, "9 in fp16"),
    ],
)
def test_a_promise_that_is_not_held_is_an_error(precision: str, layers: dict[str, int], told: str) -> None:
    with pytest.raises(EngineError, match=rf"^it is not {precision}: .* are {told}; export it again$"):
        check_precisions(Precisions(layers), precision, "it")
