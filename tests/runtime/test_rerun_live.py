"""Live depth in Rerun: its own server receives it, and keeps what it received in a file."""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.bundle.kind import METRIC
from clipdepth.cli import main
from clipdepth.errors import OutputError, UnknownCameraError
from clipdepth.model import load
from clipdepth.sinks import open_rerun_viewer
from clipdepth.sources import Captured
from depth_frames import with_depth
from live_servers import free_port

pytest.importorskip("rerun")

from runtime.test_rerun import read


@contextmanager
def rerun_server(kept: Path) -> Iterator[str]:
    """The URL of a server that keeps what it gets, without a window."""
    port = free_port()
    arguments = ["--save", str(kept), "--bind", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rerun", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "Listening for gRPC" in line:
                break
        yield f"rerun+http://127.0.0.1:{port}/proxy"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


# Rerun's server ends without it on Ctrl-C.
@pytest.mark.filterwarnings("ignore:RRD file has no footer")
def test_run_shows_depth_in_a_viewer(tmp_path: Path) -> None:
    bundle, kept = write_bundle(tmp_path / "bright"), tmp_path / "kept.rrd"
    arguments = ["--source", "rooms:3", "--frames", "3", "--engine", "onnxruntime"]
    with rerun_server(kept) as url:
        assert main(["run", str(bundle), *arguments, "--rerun", url]) == 0
    found = read(kept)
    assert found["/camera/depth"]["frame"] == [0, 1, 2]
    millimetres = np.array(found["/camera/depth"]["DepthImage:buffer"][0][0], np.uint8).view(np.uint16)
    with load(bundle, engine="onnxruntime") as model:
        depth = next(model.stream("rooms:3")).depth
    assert np.abs(millimetres.reshape(480, 640) / 1000 - depth).max() < 0.00051


def test_no_viewer_is_an_error_and_a_closed_one_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipdepth.sinks import rerun_live

    monkeypatch.setattr(rerun_live, "CONNECT_S", 1.0)
    monkeypatch.setattr(rerun_live, "SEND_S", 1.0)
    viewer = open_rerun_viewer(f"rerun+http://127.0.0.1:{free_port()}/proxy", kind=METRIC, has_camera=True)
    with pytest.raises(OutputError, match="no Rerun viewer at rerun"), viewer.sink("test"):
        pass
    with pytest.raises(OutputError, match="no Rerun viewer at http://nowhere"):
        open_rerun_viewer("http://nowhere", kind=METRIC, has_camera=True).sink("test").__enter__()
    with pytest.raises(UnknownCameraError, match="--rerun needs the camera"):
        open_rerun_viewer("", kind=METRIC, has_camera=False)
    frame = with_depth(Captured(np.zeros((48, 64, 3), np.uint8), 0.0, 0), np.ones((48, 64), np.float32))
    with ExitStack() as server, caplog.at_level(logging.WARNING):
        url = server.enter_context(rerun_server(tmp_path / "kept.rrd"))
        with open_rerun_viewer(url, kind=METRIC, has_camera=True).sink("test") as sink:
            sink.write(frame)
            server.close()
            for _ in range(20):
                sink.write(frame)
    assert caplog.text.count("the Rerun viewer at") == 1
