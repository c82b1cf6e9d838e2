"""An RTSP server whose pictures show the time at which they were made, and a sink that reads it.

The server is GStreamer's, with H.264, in a process of its own (Debian: the packages of tests/debian.txt). A picture
shows sixteen black or white bars: the milliseconds of `time.monotonic`, which all processes of a Linux machine share,
modulo 2¹⁶. So an age holds everything on the way: encoder, network, buffers, decoder and engine.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from figures import HEIGHT, TESTS, WIDTH, Frame, Stamps

from clipdepth.frame import DepthFrame

sys.path.insert(0, str(TESTS))
from live_servers import DEBIAN_PYTHON, free_port

BITS = 16
PERIOD_MS = 1 << BITS
SERVER = """
import sys, time, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
port, fps, width, height, bits = map(int, sys.argv[1:])
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(str(port))
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    "( appsrc name=clock is-live=true do-timestamp=true format=time "
    f"caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={fps}/1 ! videoconvert "
    "! video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 "
    "! rtph264pay name=pay0 )"
)

def configure(factory, media):
    appsrc = media.get_element().get_by_name("clock")
    def push():
        now = int(time.monotonic() * 1000)
        row = b"".join((b"\\xff" if now >> bit & 1 else b"\\0") * (width // bits) for bit in range(bits))
        return appsrc.emit("push-buffer", Gst.Buffer.new_wrapped(row * height)) == Gst.FlowReturn.OK
    GLib.timeout_add(round(1000 / fps), push)

factory.connect("media-configure", configure)
server.get_mount_points().add_factory("/clock", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


@contextmanager
def clock_server(fps: int) -> Iterator[str]:
    """The URL of such a server, which is killed at the end; ends the script where GStreamer lacks something."""
    port = free_port()
    command = [DEBIAN_PYTHON, "-c", SERVER, *map(str, (port, fps, WIDTH, HEIGHT, BITS))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            sys.exit("GStreamer's RTSP server does not start; install the packages of tests/debian.txt")
        yield f"rtsp://127.0.0.1:{port}/clock"
    finally:
        process.kill()
        process.communicate()


def shown_ms(picture: Frame) -> int:
    """The time that a picture of the server shows, milliseconds modulo 2¹⁶."""
    bars = picture.mean(axis=(0, 2)).reshape(BITS, -1)
    # The middle of a bar: the codec blurs its edges.
    lit = bars[:, bars.shape[1] // 4 : -bars.shape[1] // 4].mean(axis=1) > 128
    return int((1 << np.flatnonzero(lit)).sum())


class Shown(Stamps):
    """A sink that keeps the ages by what the pictures show."""

    name = "shown"

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`."""
        super().write(frame)
        now = time.monotonic() * 1000
        self.ages[-1] = (now - shown_ms(frame.image)) % PERIOD_MS / 1000
