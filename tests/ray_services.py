"""`clipdepth serve --ray` as a process, and one who asks it."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from clipdepth.bundle.folder import Bundle
from live_servers import free_port

TOKEN = "open sesame"
STARTS = 3
"""How often the command is started where it says that the machine is too busy for Ray's own time-outs."""


@contextmanager
def serving(bundle: Bundle, ray: str, workers: int) -> Iterator[int]:
    """The port of the command, which has to end well by SIGTERM. Its processes have the bundle in CLIPDEPTH_TEST."""
    port = free_port()
    for _ in range(STARTS):
        process = _started(bundle, port, ray, workers)
        assert process.stderr
        said = process.stderr.readline(), process.stderr.readline()
        if "start the command again" not in "".join(said).lower():
            break
        process.communicate(timeout=60)
    with process:
        try:
            assert said == (
                f"{workers} workers run onnxruntime fp32\n",
                f"POST pictures to http://127.0.0.1:{port}/depth\n",
            )
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)
    assert process.returncode == 143


def ask(port: int, body: bytes, path: str = "/depth", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of the answer to a picture."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, {"Authorization": f"Bearer {TOKEN}", **headers})
        response = connection.getresponse()
        return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


def _started(bundle: Bundle, port: int, ray: str, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clipdepth", "serve", str(bundle.path), "--engine", "onnxruntime"]
    command += ["--ray", ray, "--workers", str(workers), "--address", f"127.0.0.1:{port}", "--token", TOKEN]
    environment = {**os.environ, "CLIPDEPTH_TEST": str(bundle.path)}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
