"""Live depth for Foxglove, seen by a client of its WebSocket protocol and decoded by MCAP's own decoder."""

import json
import socket
import struct
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.bundle.kind import METRIC
from clipdepth.cli import main
from clipdepth.errors import MissingExtraError, NotMetricError, OutputError, UnknownCameraError
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sinks import open_foxglove
from clipdepth.sources import Captured
from depth_frames import with_depth
from live_servers import free_port, wait_until

pytest.importorskip("foxglove")
pytest.importorskip("rosbags")
client = pytest.importorskip("websockets.sync.client")
ros2 = pytest.importorskip("mcap_ros2.decoder")
records = pytest.importorskip("mcap.records")

KNOWN = {"kind": METRIC, "has_camera": True}
TOPICS = {"camera_info", "image_rect/compressed", "depth"}


class Client:
    """What Foxglove itself does: hear which channels there are, subscribe, decode by the schema that was sent."""

    def __init__(self, url: str) -> None:
        connecting = client.connect(url, subprotocols=["foxglove.sdk.v1"], max_size=None, open_timeout=10)
        self._held = ExitStack()
        self._socket = self._held.enter_context(connecting)
        self.channels: dict[str, dict[str, Any]] = {}
        self._numbers: dict[int, dict[str, Any]] = {}

    def hear(self, count: int) -> None:
        """Wait until `count` channels are advertised."""
        while len(self.channels) < count:
            message = json.loads(self._socket.recv(timeout=20))
            for channel in message.get("channels", ()) if message["op"] == "advertise" else ():
                self.channels[channel["topic"]] = channel

    def subscribe(self, *topics: str) -> None:
        asked = [{"id": number, "channelId": self.channels[topic]["id"]} for number, topic in enumerate(topics)]
        self._numbers = {number: self.channels[topic] for number, topic in enumerate(topics)}
        self._socket.send(json.dumps({"op": "subscribe", "subscriptions": asked}))

    def message(self) -> tuple[str, int, Any]:
        """Topic, nanoseconds and message of what comes next."""
        while isinstance(data := self._socket.recv(timeout=20), str):
            pass
        operation, number, time = struct.unpack_from("<BIQ", data)
        assert operation == 1
        channel = self._numbers[number]
        schema = records.Schema(1, channel["schema"].encode(), channel["schemaEncoding"], channel["schemaName"])
        decode = ros2.DecoderFactory().decoder_for(channel["encoding"], schema)
        return channel["topic"], time, decode(data[13:])

    def close(self) -> None:
        self._held.close()


def test_a_client_sees_channels_and_decodes_depth_picture_and_camera() -> None:
    seen = Room(2).render(0.0, default_intrinsics(48, 64))
    frame = with_depth(Captured(seen.frame, 0.0, 0), seen.depth)
    with open_foxglove("127.0.0.1", 0, points=True, **KNOWN) as server, server.sink("test") as sink:
        sink.write(frame)
        looking = Client(server.url)
        looking.hear(4)
        assert looking.channels.keys() == {f"/camera/{topic}" for topic in {*TOPICS, "points"}}
        looking.subscribe(*looking.channels)
        got: dict[str, tuple[int, Any]] = {}
        stop = threading.Event()

        def send() -> None:
            while not stop.wait(0.05):
                sink.write(frame)

        sending = threading.Thread(target=send)
        sending.start()
        try:
            while len(got) < 4:
                topic, time, message = looking.message()
                got[topic] = time, message
        finally:
            stop.set()
            sending.join()
            looking.close()
    (time, depth), (_, info) = got["/camera/depth"], got["/camera/camera_info"]
    assert (np.frombuffer(depth.data, "<f4").reshape(48, 64) == seen.depth).all()
    assert depth.header.stamp.sec * 10**9 + depth.header.stamp.nanosec == time
    assert list(info.k) == seen.intrinsics.matrix.ravel().tolist()
    cloud = np.frombuffer(got["/camera/points"][1].data, "<f4").reshape(48, 64, 4)
    assert (cloud[..., :3] == frame.points()).all()
    picture = cv2.imdecode(np.frombuffer(got["/camera/image_rect/compressed"][1].data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(picture.astype(int) - seen.frame).mean() < 5


def test_what_nobody_looks_at_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = with_depth(Captured(np.zeros((48, 64, 3), np.uint8), 0.0, 0), np.ones((48, 64), np.float32))
    with open_foxglove("127.0.0.1", 0, **KNOWN) as server, server.sink("test") as sink:
        sink.write(frame)
        made = []
        encode = cv2.imencode
        monkeypatch.setattr(cv2, "imencode", lambda *arguments: made.append(1) or encode(*arguments))
        sink.write(frame)
        assert not made
        looking = Client(server.url)
        looking.hear(3)
        looking.subscribe("/camera/image_rect/compressed")

        def is_made() -> bool:
            sink.write(frame)
            return bool(made)

        assert wait_until(is_made)
        looking.close()


def test_run_serves_each_source(tmp_path: Path) -> None:
    bundle, port = write_bundle(tmp_path / "bright"), free_port()
    found: dict[str, dict[str, Any]] = {}

    def look() -> None:
        assert wait_until(lambda: _listens(port))
        looking = Client(f"ws://127.0.0.1:{port}")
        looking.hear(6)
        found.update(looking.channels)
        looking.close()

    looking = threading.Thread(target=look)
    looking.start()
    arguments = ["--source", "rooms:1", "--source", "rooms:2", "--frames", "100", "--engine", "onnxruntime"]
    assert main(["run", str(bundle), *arguments, "--foxglove", f"127.0.0.1:{port}"]) == 0
    looking.join()
    assert found.keys() == {f"/camera{number}/{topic}" for number in (1, 2) for topic in TOPICS}


def _listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def test_what_cannot_be_served_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        open_foxglove("127.0.0.1", 0, **KNOWN) as server,
        pytest.raises(OutputError, match=r"cannot serve Foxglove at 127.0.0.1:\d+ \(Address already in use"),
        open_foxglove("127.0.0.1", server.port, **KNOWN),
    ):
        pass
    with pytest.raises(NotMetricError, match="--foxglove"):
        open_foxglove("127.0.0.1", 0, kind="relative", has_camera=True)
    with pytest.raises(UnknownCameraError, match="--points needs the camera's focal length"):
        open_foxglove("127.0.0.1", 0, kind=METRIC, has_camera=False, points=True)
    monkeypatch.delitem(sys.modules, "clipdepth.sinks.ros.foxglove", raising=False)
    monkeypatch.setitem(sys.modules, "foxglove", None)
    with pytest.raises(MissingExtraError, match=r"clipdepth\[robots\]"):
        open_foxglove("127.0.0.1", 0, **KNOWN)
