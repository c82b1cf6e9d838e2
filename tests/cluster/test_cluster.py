"""A Ray cluster on the loopback that was there before, joined by `--ray auto`."""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest

from archive_jobs import make_job
from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.cluster.connection import LOCAL
from clips import room_frames, write_clip
from ray_services import ask, serving

pytest.importorskip("ray.serve", reason="needs Ray Serve")
import pyarrow.dataset

FRAMES, HEIGHT, WIDTH = 36, 240, 320
# Ray Serve runs in the cluster's processes, and is patient where these are told to be.
PATIENT = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60", "PYTHONUNBUFFERED": "1"}
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cluster")]


@pytest.fixture(scope="module")
def cluster() -> Iterator["subprocess.Popen[str]"]:
    """The process that started it and stops it. What is started here finds it by 'auto'."""
    script = Path(sys.executable).with_name("ray")
    # In a process that stops it: 'ray stop' stops every Ray of this user.
    start = [script, "start", "--head", "--block", "--port=0", "--num-cpus=4", "--include-dashboard=false"]
    start += ["--resources", '{"theirs": 1}']
    # A short path, for those of sockets have at most 107 bytes.
    with TemporaryDirectory(prefix="ray") as folder, pytest.MonkeyPatch.context() as patch:
        own = {"RAY_TMPDIR": folder, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        for name, value in own.items():
            patch.setenv(name, value)
        environment = {**os.environ, **PATIENT}
        with subprocess.Popen(
            start, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as head:
            try:
                assert head.stdout
                assert any("Ray runtime started" in line for line in head.stdout)
                yield head
            finally:
                # All of its processes at once: asked to end, it waits 30 s for its workers.
                os.killpg(head.pid, signal.SIGKILL)
                head.communicate(timeout=60)


def ran(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=300)


def test_it_serves_and_goes_on(tmp_path: Path, cluster: "subprocess.Popen[str]") -> None:
    bundle = open_bundle(write_bundle(tmp_path / "served.bundle"))
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    with serving(bundle, "auto", 1) as port:
        status, body, _ = ask(port, cv2.imencode(".png", picture)[1].tobytes(), "/depth?as=npy")
        assert status == 200
        np.testing.assert_allclose(np.load(BytesIO(body)), brightness_depth(picture), rtol=1e-6)
    assert cluster.poll() is None, "the cluster goes on"


def test_it_archives_mixed_sources_and_lists_what_fails(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "made.bundle", HEIGHT, WIDTH, max_batch=4)
    film = write_clip(tmp_path / "film.mp4", room_frames(0, FRAMES, 120, 160))
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "good.mp4").write_bytes(film.read_bytes())
    (mixed / f"{'n' * 234}.mp4").write_bytes(film.read_bytes())
    (mixed / f"{'n' * 245}.mp4").write_bytes(film.read_bytes())
    (mixed / "\x1b[2J.mp4").write_bytes(b"no video")
    (mixed / "loop").symlink_to(".")
    Path(os.fsdecode(os.fsencode(mixed) + b"/caf\xe9.mp4")).touch()
    (mixed / "bad.mp4").write_bytes(b"no video")
    for number in range(3):
        cv2.imwrite(str(mixed / f"photo{number}.jpg"), np.full((50, 60, 3), 60 * number, np.uint8))
    (mixed / "cut.jpg").write_bytes((mixed / "photo1.jpg").read_bytes()[:200])
    out = tmp_path / "out"
    command = ["archive", str(bundle), str(mixed), "--out", str(out), "--engine", "onnxruntime", "--workers", "2"]
    ended = ran("-m", "clipdepth", *command, "--store", "0.2", "--ray", "auto")
    assert ended.returncode == 1, ended.stderr
    assert "10: 5 made, 0 done before, 5 failed" in ended.stdout
    assert f"failed   {mixed}/caf\\xe9.mp4 has a name that is not UTF-8; rename it" in ended.stdout
    assert "nnn.mp4 has a name of 249 bytes, more than 238; rename it" in ended.stdout
    assert f"failed   {mixed}/\\x1b[2J.mp4 is damaged" in ended.stdout
    assert f"failed   {mixed / 'bad.mp4'} is damaged, cut short or no video" in ended.stdout
    assert f"failed   {mixed / 'cut.jpg'} is damaged or no image" in ended.stdout
    # At most a line a minute, which says how far it is.
    assert [line for line in ended.stderr.splitlines() if not line.endswith(" left")] == []
    report = json.loads((out / "report.json").read_text())
    failed = {Path(failed["source"]).name for failed in report["failed"]}
    assert failed == {"bad.mp4", "cut.jpg", "\x1b[2J.mp4", "caf\\xe9.mp4", f"{'n' * 245}.mp4"}
    rows = pyarrow.dataset.dataset(out / "index").to_table().to_pydict()
    assert sorted(set(rows["depth"])) == [
        "depth/mixed/good.mp4.mkv",
        f"depth/mixed/{'n' * 234}.mp4.mkv",
        *(f"depth/mixed/photo{n}.jpg.png" for n in range(3)),
    ]
    assert len(rows["depth"]) == 2 * FRAMES + 3


def test_a_node_that_lacks_the_bundle_is_sent_it(tmp_path: Path) -> None:
    job = make_job(tmp_path, engine="auto", precision="")
    sends = f"""
import pickle, sys
from clipdepth.cluster.connection import Resources, connect
from clipdepth.cluster.sent_bundle import send
from clipdepth.cluster.sent_model import settle
from clipdepth.bundle.folder import open_bundle
job = pickle.load(sys.stdin.buffer)
with connect(Resources("auto", 1, 1.0, 0.0, 10**8)) as resources:
    settings = job.settled(settle(job.model(send(open_bundle({job.bundle!r}))), resources)).settings
    print(settings.bundle, settings.precision)
"""
    given = pickle.dumps(replace(job, bundle=str(tmp_path / "nowhere")))
    ended = subprocess.run([sys.executable, "-c", sends], input=given, capture_output=True, timeout=300)
    assert ended.stdout.decode() == f"{job.settings.bundle} fp32\n", ended.stderr.decode()


def test_a_ray_of_its_own_is_a_new_one_whatever_runs_here() -> None:
    code = f"""
import ray
from clipdepth.cluster.connection import Resources, connect
with connect(Resources({LOCAL!r}, 1, 1.0, 0.0, 10**8)):
    print("theirs" in ray.cluster_resources())
"""
    ended = ran("-c", code)
    assert ended.stdout == "False\n", ended.stderr
