"""Model repositories for Triton, read by Triton's own schema and by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

pytest.importorskip("tritonclient", reason="needs tritonclient, which has Triton's schema")

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from bundles import brightness_depth, write_bundle
from clipdepth.cli import main

TYPES = {onnx.TensorProto.UINT8: model_config_pb2.TYPE_UINT8, onnx.TensorProto.FLOAT: model_config_pb2.TYPE_FP32}


def read_config(folder: Path) -> Any:
    """The configuration, by Triton's own message."""
    return text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), model_config_pb2.ModelConfig())


def stated_by_graph(folder: Path) -> list[tuple[str, int, list[int]]]:
    """Names, types and dimensions of what the graph itself takes and gives; -1 for one that varies."""
    graph = onnx.load(folder / "1" / "model.onnx").graph
    return [
        (
            port.name,
            TYPES[port.type.tensor_type.elem_type],
            [dim.dim_value if dim.HasField("dim_value") else -1 for dim in port.type.tensor_type.shape.dim],
        )
        for port in [*graph.input, *graph.output]
    ]


@pytest.mark.parametrize(("max_batch", "confident"), [(1, False), (1, True), (8, True)])
def test_the_configuration_states_what_the_graph_is(max_batch: int, confident: bool, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "rooms.bundle", max_batch=max_batch, confident=confident)
    assert main(["triton", str(bundle), "--out", str(tmp_path / "repository")]) == 0
    folder = tmp_path / "repository" / "rooms"
    config = read_config(folder)
    assert (config.name, config.platform) == ("rooms", "onnxruntime_onnx")
    # What Triton adds before the dimensions where it batches.
    batch = [-1] if config.max_batch_size else []
    told = [
        (port.name, port.data_type, [*batch, *(port.reshape.shape if port.HasField("reshape") else port.dims)])
        for port in [*config.input, *config.output]
    ]
    assert told == stated_by_graph(folder)
    assert config.max_batch_size == (max_batch if max_batch > 1 else 0)
    assert config.HasField("dynamic_batching") == (max_batch > 1)
    assert [(group.count, group.kind) for group in config.instance_group] == [
        (1, model_config_pb2.ModelInstanceGroup.KIND_CPU)
    ]
    assert float(config.parameters["training_fx"].string_value) == pytest.approx(57.6)


def test_the_repositorys_graph_gives_the_bundles_depth(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "rooms.bundle", max_batch=2)
    main(["triton", str(bundle), "--out", str(tmp_path / "repository")])
    frames = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "repository" / "rooms" / "1" / "model.onnx")
    np.testing.assert_allclose(session.run(None, {"frame": frames})[0], brightness_depth(frames), rtol=1e-6)


def test_each_size_is_a_model_and_accelerators_are_stated(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "rooms.bundle", other_sizes=[(64, 48)], precisions=("fp32", "fp16"))
    out = tmp_path / "repository"
    options = ["--precision", "fp16", "--accelerator", "tensorrt", "--instances", "2", "--name", "depth"]
    assert main(["triton", str(bundle), "--out", str(out), *options]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["depth-48x64", "depth-64x48"]
    for folder in out.iterdir():
        config = read_config(folder)
        assert config.name == folder.name
        (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
        assert accelerator.name == "tensorrt"
        (group,) = config.instance_group
        assert (group.count, group.kind) == (2, model_config_pb2.ModelInstanceGroup.KIND_GPU)
        assert stated_by_graph(folder)[0][2] == list(config.input[0].dims)


def test_other_models_stay_and_nobody_elses_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "rooms.bundle")
    other = tmp_path / "repository" / "rooms"
    other.mkdir(parents=True)
    (other / "config.pbtxt").write_text('name: "rooms"\n')
    assert main(["triton", str(bundle), "--out", str(tmp_path / "repository")]) == 2
    assert "exists and was not written by clipdepth" in capsys.readouterr().err
    assert [path.name for path in other.iterdir()] == ["config.pbtxt"]
    for _ in range(2):
        assert main(["triton", str(bundle), "--out", str(tmp_path / "repository"), "--name", "mine"]) == 0
    assert sorted(path.name for path in other.parent.iterdir()) == ["mine", "rooms"]


@pytest.mark.parametrize("name", ["../mine", 'a"b'])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "rooms.bundle")
    assert main(["triton", str(bundle), "--out", str(tmp_path / "repository"), "--name", name]) == 2
    assert not (tmp_path / "repository").exists()
