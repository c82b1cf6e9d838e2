"""The client of docs/serving.md against a server of Triton's gRPC protocol that answers from the repository."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

pytest.importorskip("tritonclient", reason="needs tritonclient, which has Triton's protocol")

import grpc
from google.protobuf import text_format
from tritonclient.grpc import InferenceServerClient, model_config_pb2, service_pb2, service_pb2_grpc

from bundles import brightness_depth, write_bundle
from clipdepth.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
TYPES = {"UINT8": np.uint8}


class Server(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Reads each model anew from the repository, and refuses what its configuration does not take."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository

    def ModelConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """See Triton."""
        return service_pb2.ModelConfigResponse(config=self._config(request.name))

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:
        """See Triton."""
        (given,), (stated,) = request.inputs, self._config(request.model_name).input
        dims = [-1] * (len(given.shape) - len(stated.dims)) + list(stated.dims)
        assert (given.name, model_config_pb2.DataType.Name(stated.data_type)) == (stated.name, f"TYPE_{given.datatype}")
        assert all(wanted in (-1, found) for wanted, found in zip(dims, given.shape, strict=True))
        frames = np.frombuffer(request.raw_input_contents[0], TYPES[given.datatype]).reshape(given.shape)
        session = onnxruntime.InferenceSession(self._repository / request.model_name / "1" / "model.onnx")
        depth = session.run(["depth"], {given.name: frames})[0]
        output = service_pb2.ModelInferResponse.InferOutputTensor(name="depth", datatype="FP32", shape=depth.shape)
        return service_pb2.ModelInferResponse(outputs=[output], raw_output_contents=[depth.tobytes()])

    def _config(self, name: str) -> Any:
        text = (self._repository / name / "config.pbtxt").read_text(encoding="utf-8")
        return text_format.Parse(text, model_config_pb2.ModelConfig())


@contextmanager
def triton(repository: Path) -> Iterator[InferenceServerClient]:
    """A client of a server on loopback."""
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Server(repository), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        client = InferenceServerClient(f"127.0.0.1:{port}")
        try:
            yield client
        finally:
            client.close()
            server.stop(None).wait()


def example() -> dict[str, Any]:
    """What the page's code defines."""
    code = PAGE.read_text(encoding="utf-8").split("```python\n")[1].partition("```")[0]
    defined: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, str(PAGE), "exec"), defined)
    return defined


@pytest.mark.parametrize("max_batch", [1, 8])
def test_the_client_gets_the_depth_of_a_picture_for_its_camera(max_batch: int, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "rooms.bundle", max_batch=max_batch)
    assert main(["triton", str(bundle), "--out", str(tmp_path / "repository")]) == 0
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    larger = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
    with triton(tmp_path / "repository") as client:
        depth_of = example()["depth_of"]
        # The training camera's focal length is 57.6 pixels of 64.
        np.testing.assert_allclose(depth_of(picture, 57.6, client, "rooms"), brightness_depth(picture), rtol=1e-5)
        # Of twice the pixels the training camera's is 115.2; a lens of twice that sees everything twice as far away.
        np.testing.assert_allclose(depth_of(larger, 230.4, client, "rooms"), 2 * brightness_depth(picture), rtol=1e-5)
