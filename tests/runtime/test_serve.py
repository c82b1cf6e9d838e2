"""The depth service against real sockets: what it answers, and what bad clients can do."""

import http.client
import io
import json
import logging
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.camera.camera import Camera
from clipdepth.engines import load_engine
from clipdepth.web import Address
from clipdepth.web.service import open_service
from clipdepth.web.service.service import Service
from large_pictures import write_huge_png
from live_servers import free_port, wait_until
from photographs import FOCAL_35, photograph
from slow_stages import SlowEngine

TOKEN = "open sesame"


@pytest.fixture(autouse=True)
def no_traceback_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever clients do."""
    yield
    assert not [record for record in caplog.records if record.exc_info]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(tmp_path / "b.bundle"))


@contextmanager
def serving(
    bundle: Bundle, engine: Any = None, token: str | None = None, camera: Camera | None = None
) -> Iterator[Service]:
    """The service with ONNX Runtime, or another engine."""
    engine = engine or load_engine(bundle, threads=1)
    with open_service(Address("127.0.0.1", 0), token, bundle.manifest, engine, "fp32", camera, metrics=True) as service:
        yield service
    engine.close()


def ask(
    service: Service, body: Any = None, path: str = "/depth", method: str = "POST", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", service.address.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def picture(seed: int = 0, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def metric(service: Service, name: str, **labels: str) -> float:
    text = ask(service, path="/metrics", method="GET")[1].decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def test_a_png_is_answered_in_each_form_by_the_closed_form_of_its_depth(bundle: Bundle) -> None:
    image = picture()
    expected = brightness_depth(image)
    with serving(bundle) as service:
        status, body, headers = ask(service, png(image))
        millimetres = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)
        assert (status, headers["Content-Type"], headers["Depth-Unit"]) == (200, "image/png", "mm")
        assert millimetres.dtype == np.uint16
        assert np.abs(millimetres - expected.astype(float) * 1000).max() <= 0.51

        status, body, headers = ask(service, png(image), Accept="application/x-npy, image/png;q=0.5")
        found = np.load(io.BytesIO(body))
        assert (status, headers["Content-Type"], headers["Depth-Unit"]) == (200, "application/x-npy", "m")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)

        status, body, headers = ask(service, png(image), "/depth?as=json&step=4", Accept="image/png")
        answer = json.loads(body)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert metric(service, "clipdepth_requests_total", form="image/png") == 1
    v, u = np.mgrid[2:48:4, 2:64:4]
    z = expected[v, u].astype(float)
    camera = answer["camera"]
    by_pinhole = np.stack(((u - camera["cx"]) / camera["fx"] * z, (v - camera["cy"]) / camera["fy"] * z, z), axis=-1)
    np.testing.assert_allclose(answer["points"], by_pinhole.reshape(-1, 3), atol=2e-4)


def test_a_raw_picture_is_answered_like_a_file(bundle: Bundle) -> None:
    image = picture(1)
    with serving(bundle) as service:
        files = ask(service, png(image), "/depth?as=npy")[1]
        assert ask(service, image.tobytes(), "/depth?as=npy&raw=48x64")[1] == files
        status, body, _ = ask(service, image.tobytes()[1:], "/depth?raw=48x64")
        assert (status, body) == (415, b"a raw picture of 48x64 has 9216 bytes, BGR row by row; 9215 came\n")


def test_the_camera_is_the_senders_else_the_files_else_the_services(bundle: Bundle) -> None:
    """Depth of a metric network is in proportion to the focal length; the training camera's is 57.6 at this size."""
    grey = np.full((48, 64, 3), 100, np.uint8)
    plain = float(brightness_depth(grey)[0, 0])

    def depth(service: Service, body: bytes, **headers: str) -> tuple[float, float, str]:
        status, found, told = ask(service, body, "/depth?as=npy", **headers)
        assert status == 200, found
        return float(np.load(io.BytesIO(found))[0, 0]) / plain, float(told["Camera-Fx"]), told["Camera-Origin"]

    with serving(bundle) as service:
        ratio, fx, origin = depth(service, png(grey))
        assert (ratio, fx, origin) == (pytest.approx(1), pytest.approx(57.6), "assumed")
        told = {"Camera_Fx": "28.8", "Camera_Fy": "115.2", "Camera_Cx": "10", "Camera_Cy": "20.5"}
        ratio, fx, origin = depth(service, png(grey), **told)
        assert (fx, origin) == (28.8, "told")
        assert ratio == pytest.approx(1)  # the geometric mean of both is the training camera's
        headers = ask(service, png(grey), **told)[2]
        assert [headers[f"Camera-{name}"] for name in ("Fy", "Cx", "Cy")] == ["115.2", "10", "20.5"]
        assert depth(service, png(grey), Camera_Fx="28.8")[0] == pytest.approx(0.5)
        # 90° across 64 pixels are 32 pixels of focal length.
        assert depth(service, png(grey), Camera_Fov="90")[:2] == pytest.approx((32 / 57.6, 32))
        by_file = depth(service, photograph({FOCAL_35: 50}))
        assert by_file[1:] == (pytest.approx(50 / np.hypot(36, 24) * np.hypot(64, 48)), "metadata")
    with serving(bundle, camera=Camera(fov=90)) as service:
        assert depth(service, png(grey))[1:] == (pytest.approx(32), "told")
        assert depth(service, png(grey), Camera_Fx="64")[1] == 64


@pytest.mark.parametrize(
    ("path", "headers", "status", "told"),
    [
        ("/depth?as=exr", {}, 400, "as='exr' is no form of depth; give one of png, npy, json"),
        ("/depth", {"Accept": "text/html"}, 406, "depth comes as image/png, application/x-npy, application/json"),
        ("/depth?as=json&step=0", {}, 400, "step='0' is not a whole number above 0"),
        ("/depth?raw=4x", {}, 400, "raw='4x' is not HxW"),
        ("/depth?raw=30000x30000", {}, 413, "30000x30000"),
        ("/depth", {"Camera-Fov": "180"}, 422, "field of view of 180"),
        ("/depth", {"Camera-Fx": "nan"}, 400, "Camera-Fx: 'nan' is not a number"),
        ("/depth", {"Camera-Fx": "-3"}, 422, "focal lengths -3"),
        ("/depth", {"Camera-Cx": "3"}, 400, "belong to Camera-Fx"),
        ("/depth", {"Camera-Fx": "3", "Camera-Fov": "3"}, 400, "give one"),
        ("/depth", {"Content-Length": "1073741824"}, 413, "the body has more than 50,331,648 bytes"),
        ("/depht", {}, 404, ""),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_line_and_counted(
    path: str, headers: dict[str, str], status: int, told: str, bundle: Bundle
) -> None:
    with serving(bundle) as service:
        found, body, _ = ask(service, png(picture()), path, **headers)
        assert (found, body.count(b"\n") <= 1) == (status, True)
        assert told in body.decode()
        assert sum(service.access.refused.values()) == 1
        assert ask(service, png(picture()))[0] == 200, "it goes on"


def test_wrong_methods_and_tokens_are_refused_and_health_needs_none(bundle: Bundle) -> None:
    with serving(bundle, token=TOKEN) as service:
        assert ask(service, png(picture()))[0] == 401
        assert ask(service, png(picture()), Authorization=f"Bearer {TOKEN}s")[0] == 401
        assert ask(service, path="/metrics", method="GET")[0] == 401
        assert ask(service, png(picture()), Authorization=f"Bearer {TOKEN}")[0] == 200
        assert ask(service, method="GET", Authorization=f"Bearer {TOKEN}")[0] == 405
        status, body, _ = ask(service, path="/health", method="GET")
        assert (status, json.loads(body)) == (200, {"works": True, "engine": "onnxruntime"})
        assert ask(service, path="/health", method="GET", Host="evil.example.org")[0] == 421
        assert (
            ask(service, png(picture()), Authorization=f"Bearer {TOKEN}", Origin="https://evil.example.org")[0] == 403
        )
        assert service.access.refused == {"token": 3, "unsuitable": 1, "host": 1, "origin": 1}


def test_a_small_file_of_a_huge_picture_is_refused_by_its_header(bundle: Bundle, tmp_path: Path) -> None:
    write_huge_png(tmp_path / "huge.png")
    with serving(bundle) as service:
        before = _peak_kilobytes()
        status, body, _ = ask(service, (tmp_path / "huge.png").read_bytes())
        assert (status, b"30000x30000" in body) == (413, True)
        assert ask(service, b"no picture")[0] == 415
        assert ask(service, b"\x89PNG\r\n\x1a\n" + bytes(5))[0] == 415
        assert ask(service, b"")[0] == 415
    assert _peak_kilobytes() - before < 100_000, "the picture takes 900 MB, or 2.7 GB in colour"


def test_a_body_without_end_is_refused_where_it_is_too_long(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.web.service.request.MAX_BODY", 200_000)

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    with serving(bundle) as service:
        before = _peak_kilobytes()
        assert ask(service, endless())[0] == 413
        assert service.access.refused == {"large": 1}
    assert _peak_kilobytes() - before < 50_000


def test_one_who_sends_slowly_or_goes_away_is_let_go(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.web.service.request.BODY_S", 0.3)
    head = b"POST /depth HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    with serving(bundle) as service:
        place = ("127.0.0.1", service.address.port)
        with socket.create_connection(place, 5) as slow:
            slow.sendall(head + b"begun")
            assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection(place, 5) as gone:
            gone.sendall(head + b"begun")
        assert wait_until(lambda: service.access.refused["unfinished"] == 2, 5)
        assert wait_until(lambda: metric(service, "clipdepth_requests_under_way") == 0, 5)


def test_one_who_does_not_read_is_let_go_and_nothing_is_held_back(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipdepth.web.server.ANSWER_S", 0.5)
    image = np.zeros((2000, 2000, 3), np.uint8)
    with serving(bundle) as service, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", service.address.port))
        body = png(image)
        head = f"POST /depth?as=npy HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        deaf.sendall(head.encode() + body)
        assert ask(service, png(picture()))[0] == 200, "others are answered meanwhile"
        assert wait_until(lambda: service.access.refused["stalled"] == 1, 10)
        assert service._server
        assert wait_until(lambda: not service._server.server_state.connections, 5)  # type: ignore[union-attr]


def test_requests_at_the_same_time_share_the_engine_where_it_takes_a_batch(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b.bundle", max_batch=4))
    engine = SlowEngine(0.1)
    images = [picture(seed) for seed in range(9)]
    with serving(bundle, engine) as service, ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda image: ask(service, png(image), "/depth?as=npy"), images))
        assert metric(service, "clipdepth_pictures_in_batches_total") == 9
    for image, (status, body, _) in zip(images, answers, strict=True):
        assert status == 200
        np.testing.assert_allclose(np.load(io.BytesIO(body)), brightness_depth(image), rtol=1e-6)
    assert sum(engine.batches) == 9
    assert 1 < max(engine.batches) <= 4


def test_a_graph_of_one_frame_gets_one_at_a_time(bundle: Bundle) -> None:
    engine = SlowEngine(0.02)
    with serving(bundle, engine) as service, ThreadPoolExecutor(6) as pool:
        assert [answer[0] for answer in pool.map(lambda seed: ask(service, png(picture(seed))), range(6))] == [200] * 6
    assert engine.batches == [1] * 6


def test_pictures_of_other_sizes_go_to_their_own_graphs(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b.bundle", other_sizes=[(64, 48)], max_batch=4))
    images = [picture(seed, *shape) for seed, shape in enumerate([(48, 64), (64, 48)] * 4)]
    with serving(bundle) as service, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda image: ask(service, png(image), "/depth?as=npy"), images))
    for image, (_, body, _) in zip(images, answers, strict=True):
        np.testing.assert_allclose(np.load(io.BytesIO(body)), brightness_depth(image), rtol=1e-6)


def test_too_many_at_once_are_told_to_come_again(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipdepth.web.service.app.MAX_AT_ONCE", 2)
    with serving(bundle, SlowEngine(0.3)) as service, ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda seed: ask(service, png(picture(seed)))[0], range(5)))
        assert service.access.refused["busy"] == answers.count(503) > 0
        assert answers.count(200) >= 2
        assert ask(service, png(picture()))[0] == 200


def test_an_engine_that_fails_is_told_without_a_trace_and_seen_in_health(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(bundle, SlowEngine(fails_at=1)) as service:
        assert ask(service, png(picture()))[0] == 200
        status, body, _ = ask(service, png(picture()))
        assert (status, body) == (500, b"the engine failed; see the service's log\n")
        assert ask(service, path="/health", method="GET")[0] == 503
        assert metric(service, "clipdepth_requests_failed_total") == 1
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "a picture has no depth: the device is gone"


def test_the_end_answers_what_is_under_way(bundle: Bundle) -> None:
    with ThreadPoolExecutor(3) as pool:
        with serving(bundle, SlowEngine(0.3)) as service:
            answers = [pool.submit(ask, service, png(picture(seed))) for seed in range(3)]
            assert wait_until(lambda: metric(service, "clipdepth_requests_under_way") == 3, 5)
        assert [answer.result()[0] for answer in answers] == [200] * 3
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("clipdepth-serve")]


def test_metrics_say_how_long_each_stage_took(bundle: Bundle) -> None:
    with serving(bundle, SlowEngine(0.05)) as service:
        timing = ask(service, png(picture()))[2]["Server-Timing"]
        stages = {part.split(";dur=")[0].strip(): float(part.split("=")[1]) for part in timing.split(",")}
        assert 50 <= stages["engine"] <= stages["whole"]
        assert metric(service, "clipdepth_latency_seconds_sum", stage="engine") >= 0.05
        assert metric(service, "clipdepth_info", engine="slow", kind="metric") == 1


def test_the_command_serves_until_sigterm(bundle: Bundle) -> None:
    port = free_port()
    command = [sys.executable, "-m", "clipdepth", "serve", str(bundle.path), "--address", f"127.0.0.1:{port}"]
    command += ["--engine", "onnxruntime", "--threads", "1", "--token", "--metrics", "--fov", "60"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert process.stderr.readline() == f"POST pictures to http://127.0.0.1:{port}/depth\n"
        header = process.stderr.readline().strip()
        token = header.rpartition(" ")[2]
        assert header == f"with the header Authorization: Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/depth", png(picture()), {"Authorization": f"Bearer {token}"})
        assert connection.getresponse().read().startswith(b"\x89PNG")
        connection.close()
        process.send_signal(signal.SIGTERM)
        out, rest = process.communicate(timeout=20)
    assert (process.returncode, out, rest) == (143, "", "")


def test_a_bundle_that_answers_no_metres_is_refused_at_the_start(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b.bundle", kind="disparity")
    command = [sys.executable, "-m", "clipdepth", "serve", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("clipdepth: error: depth in metres needs metres")
    assert result.stderr.count("\n") == 1


def _peak_kilobytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
