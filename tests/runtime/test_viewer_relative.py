"""The viewer of a model whose answer is not metric: colours from near to far, and no metre anywhere."""

import http.client
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.bundle.kind import DepthKind
from clipdepth.frame import DepthFrame
from clipdepth.rooms import default_intrinsics
from clipdepth.sinks.relative import FARTHEST, NEAREST
from clipdepth.web import Address
from clipdepth.web.viewer import Setup, open_viewer
from clipdepth.web.viewer.messages import Shot, encode

kinds = pytest.mark.parametrize("kind", ["relative", "disparity"])


def frame_of(answer: NDArray[np.float32], kind: DepthKind) -> DepthFrame:
    image = np.full((*answer.shape, 3), 80, np.uint8)
    return DepthFrame(image, answer, default_intrinsics(*answer.shape), captured_ns=7, kind=kind)


def levels(message: bytes) -> NDArray[np.int64]:
    """What the page is told of depth."""
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length])
    steps = np.frombuffer(zlib.decompress(message[4 + length + header["picture"]["bytes"] :]), "<u2")
    return (np.cumsum(steps.astype(np.int64)) % 65536).reshape(header["depth"]["height"], header["depth"]["width"])


@kinds
def test_a_message_tells_nothing_of_scale_and_shift(kind: DepthKind) -> None:
    """The same message comes of any scale and shift of the answer, so there is no metre in it."""
    answer = np.random.default_rng(0).integers(-500, 500, (48, 64)).astype(np.float32)
    message = encode(Shot(0, frame_of(answer, kind), 0.01))
    for other in (answer * 4, answer / 2 + 64, answer - 1000):
        assert np.abs(levels(encode(Shot(0, frame_of(other, kind), 0.01))) - levels(message)).max() <= 1
    assert f'"kind":"{kind}"'.encode() in message
    found = levels(message)
    assert (found.min(), found.max()) == (1000, 2000)
    nearest = answer.argmax() if kind == "disparity" else answer.argmin()
    assert found.ravel()[nearest] == 1000


@kinds
def test_what_is_not_finite_is_unknown(kind: DepthKind) -> None:
    answer = np.linspace(-1, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    answer[0, :2] = np.nan, np.inf
    found = levels(encode(Shot(0, frame_of(answer, kind), 0.0)))
    assert (found[0, :2] == 0).all()
    assert (found.ravel()[2:] >= 1000).all()
    assert (levels(encode(Shot(0, frame_of(np.full_like(answer, np.nan), kind), 0.0))) == 0).all()
    assert len(set(levels(encode(Shot(0, frame_of(np.zeros_like(answer), kind), 0.0))).ravel())) == 1


@kinds
def test_info_and_metrics_say_the_kind(kind: DepthKind) -> None:
    pytest.importorskip("starlette")
    setup = replace(Setup("slow", "CPU", "fp32", NEAREST, FARTHEST), kind=kind)
    with open_viewer(Address("127.0.0.1", 0), None, setup, metrics=True) as viewer:
        viewer.sink("camera")
        connection = http.client.HTTPConnection("127.0.0.1", viewer.address.port, timeout=5)
        connection.request("GET", "/info")
        info = json.loads(connection.getresponse().read())
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read().decode()
        connection.close()
    assert (info["kind"], info["near"], info["far"]) == (kind, 1, 2)
    assert f'kind="{kind}"' in metrics
