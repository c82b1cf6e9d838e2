"""What engines really ran: read from ONNX Runtime and OpenVINO at work on graphs whose placement is known."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import quantised_graphs
import small_graphs
from bundles import write_bundle, write_manifest
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.onnx_file import Node
from clipdepth.cli import main
from clipdepth.engines import executed_precisions, load_engine
from clipdepth.engines.onnxruntime_profile import read_operations
from clipdepth.engines.operations import Operation, count_precisions, quantised_layers
from clipdepth.engines.precisions import Precisions, require_int8, titled
from clipdepth.engines.trial_process import try_apart
from clipdepth.errors import EngineError
from clipdepth.model import load
from quantised_graphs import LAYERS

ENGINES = ["onnxruntime", "openvino"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def bundle_of(path: Path, write: Callable[[Path], object], precision: str = "int8") -> Bundle:
    """A bundle whose graph of `precision` is what `write` makes."""
    write_bundle(path, small_graphs.HEIGHT, small_graphs.WIDTH, precisions=(precision,))
    write(path / f"depth.{precision}.onnx")
    write_manifest(path, small_graphs.HEIGHT, small_graphs.WIDTH, precisions=(precision,))
    return open_bundle(path)


def executed(bundle: Bundle, engine: str, precision: str = "int8") -> Precisions:
    return executed_precisions(load_engine(bundle, engine, precision, 1), bundle, precision)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_graph_placed_for_the_cpu_runs_in_int8_alone(engine: str, tmp_path: Path) -> None:
    found = executed(bundle_of(tmp_path / "b", quantised_graphs.for_the_cpu), engine)
    assert (found.layers, found.strayed, found.share("int8")) == ({"int8": 3}, (), 1)
    require_int8(found, engine)


def test_signed_pairs_before_each_layer_are_float_to_onnx_runtime_and_int8_to_openvino(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "b", quantised_graphs.for_tensorrt)
    found = executed(bundle, "onnxruntime")
    assert (found.layers, found.strayed, found.share("int8")) == ({"fp32": 3}, LAYERS, 0)
    assert titled("onnxruntime int8", "int8", found) == "onnxruntime int8 (0% in int8)"
    with pytest.raises(EngineError, match=r"^it computes 3 of its quantised layers .*: stem, middle, head; "):
        require_int8(found, "it")
    assert executed(bundle, "openvino") == Precisions({"int8": 3}, ())


@pytest.mark.parametrize(("tensor", "layer", "left"), [("x1", "stem", 1), ("x2", "middle", 1), ("x3", "head", 2)])
def test_a_layer_whose_output_is_not_quantised_is_named(tensor: str, layer: str, left: int, tmp_path: Path) -> None:
    """The next layer, whose input is not quantised any more, was not meant for int8 either."""

    def write(path: Path) -> None:
        quantised_graphs.without_output(quantised_graphs.for_the_cpu(path), tensor)

    found = executed(bundle_of(tmp_path / "b", write), "onnxruntime")
    assert (found.layers, found.strayed) == ({"int8": left, "fp32": 3 - left}, (layer,))
    with pytest.raises(EngineError, match=rf"^it computes 1 of its quantised layers .*: {layer}; "):
        require_int8(found, "it")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_half_is_float_on_a_cpu_without_half(engine: str, kind: type, tmp_path: Path) -> None:
    precision = "fp16" if kind is np.float16 else "fp32"
    bundle = bundle_of(tmp_path / "b", lambda path: quantised_graphs.convolutions(path, kind), precision)
    found = executed(bundle, engine, precision)
    half_here = precision == "fp16" and "fp16" in found.layers  # ARM's kernels
    assert (found.layers, found.strayed) == ({"fp16" if half_here else "fp32": 3}, ())


def test_a_compiled_graph_from_the_cache_tells_the_same(tmp_path: Path, cache: Path) -> None:
    bundle = bundle_of(tmp_path / "b", quantised_graphs.for_the_cpu)
    first = executed(bundle, "openvino")
    assert len(list(cache.rglob("*.blob"))) == 1
    assert executed(bundle, "openvino") == first
    assert len(list(cache.rglob("*.blob"))) == 1


def test_a_model_tells_what_it_runs(tmp_path: Path) -> None:
    path = bundle_of(tmp_path / "b", quantised_graphs.for_the_cpu).path
    with load(path, engine="onnxruntime", threads=1) as model:
        assert model.executed().layers == {"int8": 3}


def test_verify_states_what_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Depth differs, since the golden frames are another graph's: what ran is told all the same, by verify."""
    path = bundle_of(tmp_path / "b", quantised_graphs.for_tensorrt).path
    assert main(["verify", str(path), "--json", str(tmp_path / "v.json")]) == 1
    out = capsys.readouterr().out
    assert "int8 on onnxruntime: arithmetic 3 in fp32; quantised, and not run in int8: stem, middle, head\n" in out
    (graph,) = json.loads((tmp_path / "v.json").read_text())["graphs"]
    assert graph["executed"] == {"layers": {"fp32": 3}, "strayed": list(LAYERS)}


def test_a_trial_says_what_ran_where_it_is_asked_to(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b"))
    (read,) = try_apart(bundle, "onnxruntime", ["fp32"], 1, read=True)
    (plain,) = try_apart(bundle, "onnxruntime", ["fp32"], 1)
    assert (read.executed, plain.executed) == (Precisions({}), None)


def test_a_graph_without_arithmetic_has_no_share(tmp_path: Path) -> None:
    found = executed(open_bundle(write_bundle(tmp_path / "b")), "onnxruntime", "fp32")
    assert (found.layers, found.share("int8")) == ({}, None)
    require_int8(found, "it")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_profile_has_the_time_of_each_operation_of_the_graph_that_runs(engine: str, tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path / "b", quantised_graphs.for_the_cpu)
    loaded = load_engine(bundle, engine, "int8", 1)
    profile, run = loaded.profile(small_graphs.frames(1)), loaded.operations()
    arithmetic = [each for each in profile if each.precision]
    assert [each.kind for each in arithmetic] == [each.kind for each in run if each.precision]
    assert all(each.milliseconds is not None and 0 <= each.milliseconds < 1000 for each in arithmetic)
    assert all(each.milliseconds is None for each in run)
    assert sum(each.milliseconds or 0 for each in arithmetic) > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_closed_engine_is_read_no_more(engine: str, tmp_path: Path) -> None:
    loaded = load_engine(bundle_of(tmp_path / "b", quantised_graphs.convolutions, "fp32"), engine, "fp32", 1)
    loaded.close()
    with pytest.raises(EngineError, match="was closed"):
        loaded.operations()
    with pytest.raises(EngineError, match="was closed"):
        loaded.profile(small_graphs.frames(1))


def event(name: str, kind: str, microseconds: int, *types: str, provider: str = "CPU") -> dict[str, object]:
    shapes = [{kind: [1]} for kind in types]
    details = {"op_name": kind, "provider": f"{provider}ExecutionProvider", "input_type_shape": shapes}
    return {"cat": "Node", "name": f"{name}_kernel_time", "dur": microseconds, "args": details}


def test_onnx_runtimes_operators_are_read_by_kind_and_types() -> None:
    run = [
        event("a", "QLinearConv", 1, "uint8", "float"),
        event("b", "FusedConv", 1, "float", "float"),
        event("c", "DynamicQuantizeMatMul", 1, "float", "int8"),
        event("d", "MatMulInteger", 1, "uint8", "int8"),
        event("e", "Gemm", 1, "float16", "float16"),
        event("f", "MatMulNBits", 1, "float", "uint8"),
        event("g", "QLinearAdd", 1, "uint8"),
        event("h", "Relu", 1, "float"),
        {"cat": "Session", "name": "model_run", "dur": 9},
    ]
    found = [each.precision for each in read_operations(run)]
    assert found == ["int8", "fp32", "int8", "int8", "fp16", "fp32", None, None]


def test_the_median_of_runs_after_the_first_counts_and_a_gpus_starts_do_not() -> None:
    events = [event("a", "Conv", time, "float") for time in (9000, 1000, 2000, 6000)]
    events += [event("b", "Conv", time, "float", provider="CUDA") for time in (5, 5, 5, 5)]
    assert read_operations(events) == [
        Operation("Conv", ("a",), "fp32", 2.0),
        Operation("Conv", ("b",), "fp32", None),
    ]


def test_layers_are_quantised_where_both_factors_are_also_through_what_lays_them_out() -> None:
    nodes = [
        Node("q", "QuantizeLinear", ("x", "s"), ("x_q",)),
        Node("dq", "DequantizeLinear", ("x_q", "s"), ("x_dq",)),
        Node("w_dq", "DequantizeLinear", ("head.weight_quantized", "s"), ("w",)),
        Node("turn", "Transpose", ("w",), ("w_t",)),
        Node("product", "MatMul", ("x_dq", "w_t"), ("y",)),
        Node("weights only", "MatMul", ("x", "w_t"), ("z",)),
        Node("", "MatMul", ("x_dq", "x_dq"), ("scores",)),
        Node("other", "Add", ("x_dq", "w_t"), ("sum",)),
    ]
    assert quantised_layers(nodes) == {"product": "head", "scores": "scores"}
    rewritten = Operation("QLinearMatMul", ("product_token_12",), "int8")
    assert count_precisions([rewritten, Operation("MatMul", ("scores",), "fp32")], nodes) == Precisions(
        {"int8": 1, "fp32": 1}, ("scores",)
    )
    assert count_precisions([], nodes) == Precisions({})


@pytest.mark.parametrize(
    ("layers", "precision", "remark"),
    [
        ({"int8": 90, "fp32": 10}, "int8", ""),
        ({"int8": 899, "fp32": 101}, "int8", "(89% in int8)"),
        ({"fp32": 3}, "fp32", ""),
        ({}, "int8", ""),
    ],
)
def test_a_name_says_where_int8_is_not(layers: dict[str, int], precision: str, remark: str) -> None:
    assert Precisions(layers).remark(precision) == remark


def test_too_small_a_share_is_refused_though_no_layer_strayed() -> None:
    found = Precisions({"int8": 4, "fp16": 6})
    with pytest.raises(EngineError, match=r"^it computes 40% of .* \(6 in fp16, 4 in int8\), of at least 90%"):
        require_int8(found, "it")
    require_int8(found, "it", least=0.4)
