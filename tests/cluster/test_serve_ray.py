"""The depth service under Ray Serve on loopback: the same answers, and workers that are killed."""

import http.client
import io
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cli import main
from clipdepth.engines import load_engine
from clipdepth.web import Address
from clipdepth.web.service import open_service
from live_servers import wait_until
from ray_services import TOKEN, ask, serving

pytest.importorskip("ray.serve", reason="needs Ray Serve")

LOAD_S = 4
"""How long clients ask while a worker is killed."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_bundle(tmp_path_factory.mktemp("served") / "b.bundle"))


@pytest.fixture(scope="module")
def port(bundle: Bundle) -> Iterator[int]:
    """Of the command with two workers on a Ray of its own."""
    with serving(bundle, "local", 2) as port:
        yield port


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def workers(bundle: Bundle) -> list[int]:
    """The processes of the replicas that this test started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = b"ServeReplica:clipdepth" in (process / "cmdline").read_bytes()
            if is_worker and f"CLIPDEPTH_TEST={bundle.path}".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_answers_are_those_of_the_service_on_this_machine(bundle: Bundle, port: int) -> None:
    engine = load_engine(bundle, threads=1)
    with open_service(Address("127.0.0.1", 0), TOKEN, bundle.manifest, engine, "fp32") as plain:
        for path in ("/depth", "/depth?as=npy", "/depth?as=json&step=4", "/depth?as=exr", "/depth?raw=30000x30000"):
            here, there = ask(plain.address.port, png(picture()), path), ask(port, png(picture()), path)
            assert here[:2] == there[:2]
            varying = {"date", "server-timing"}
            assert {name: there[2].get(name) for name in here[2].keys() - varying} == {
                name: value for name, value in here[2].items() if name not in varying
            }
    engine.close()
    assert ask(port, png(picture()), Authorization=f"Bearer {TOKEN}s")[0] == 401
    assert ask(port, png(picture()), Host="evil.example.org")[0] == 421
    assert ask(port, b"", **{"Content-Length": "1073741824"})[0] == 413


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_answered_picture(bundle: Bundle, port: int) -> None:
    """What it had is told as failed, and answered where it is sent again."""
    both = workers(bundle)
    assert len(both) == 2
    end = time.monotonic() + LOAD_S

    def client(number: int) -> tuple[int, list[tuple[int, int]]]:
        right, failed, seed = 0, [], number
        while time.monotonic() < end:
            seed += 10
            try:
                status, body, _ = ask(port, png(picture(seed)))
            except (http.client.HTTPException, ConnectionError):
                failed.append((seed, 0))
                continue
            if status != 200:
                failed.append((seed, status))
                continue
            millimetres = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)
            assert np.abs(millimetres - brightness_depth(picture(seed)).astype(float) * 1000).max() <= 0.51
            right += 1
        return right, failed

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(client, number) for number in range(4)]
        time.sleep(LOAD_S / 4)
        os.kill(both[0], signal.SIGKILL)
        answers = [each.result() for each in found]
    assert sum(right for right, _ in answers) > 8
    failed = [each for _, failures in answers for each in failures]
    assert all(status == 0 or 500 <= status < 600 for _, status in failed)
    for seed, _ in failed:
        status, body, _ = ask(port, png(picture(seed)), "/depth?as=npy")
        assert status == 200
        np.testing.assert_allclose(np.load(io.BytesIO(body)), brightness_depth(picture(seed)), rtol=1e-6)
    assert wait_until(lambda: len(set(workers(bundle)) - {both[0]}) == 2, 120), "Ray Serve replaces it"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--workers", "2"], "--workers is for the workers of Ray; give --ray too, or leave it out"),
        (["--ray", "local", "--threads", "2"], "--threads is for this machine alone; with --ray give --cpus"),
        (["--ray", "local", "--device", "0"], "--device is for this machine alone; with --ray give --gpus"),
        (["--ray", "local", "--metrics"], "--metrics is for one machine; with --ray take the metrics of Ray Serve"),
        (
            ["--ray", "local", "--address", "127.0.0.1:0"],
            "port 0 is for one machine; with --ray give a port",
        ),
        (["--ray", "127.0.0.1:1"], "no Ray cluster answers at '127.0.0.1:1'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], told: str, bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(bundle.path), *arguments]) in (1, 2)
    error = capfd.readouterr().err
    assert told in error
    assert error.count("\n") == 1
