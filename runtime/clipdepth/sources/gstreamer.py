"""The pictures of any GStreamer pipeline."""

import logging
import re
import weakref
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError, UsageError
from clipdepth.files.foreign import shortened
from clipdepth.sources.capture import Reading
from clipdepth.sources.gstreamer_bindings import load_gstreamer
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.network import OPEN_TIMEOUT_S, READ_TIMEOUT_S, redacted

_LOG = logging.getLogger(__name__)

_URL = re.compile(r"[a-zA-Z][\w+.-]*://[^\s\"']+")
_SECRET = re.compile(r"([\w-]*(?:user|pw|pass|secret|token)[\w-]*\s*=\s*)(\"[^\"]*\"|\S+)")
_APPSINK = re.compile(r"!\s*appsink(?=\s|$)")
LAST_WORD_S = 0.2
"""How much later than the last frame the word of what ended a pipeline may come, seconds."""
_NEWEST = "max-buffers=1 drop=true"


def open_pipeline(
    description: str,
    name: str | None = None,
    reconnect: Reconnect | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> LiveSource:
    """Open a pipeline in the words of gst-launch-1.0. Its end is `! appsink`, which may be left out.

    Its frames are converted to BGR and only the newest is kept. A pipeline that ends, fails or gives no frame for
    `read_timeout_s` is lost, and started again. `name` is for messages; without it the pipeline is named by its words.

    Raises UsageError for what GStreamer cannot build, SourceError where no picture comes, MissingLibraryError where
    GStreamer is not installed.
    """
    name = name or f"gst: {pipeline_name(description)}"
    connect = partial(PipelineCapture, description, name, read_timeout_s)
    return LiveSource(name, connect(), connect, reconnect)


def pipeline_name(description: str) -> str:
    """The pipeline's words without what may be a secret: passwords, and all that `redacted` leaves out of a URL."""
    without = _URL.sub(lambda url: redacted(url[0]), " ".join(description.split()))
    return _SECRET.sub(r"\1***", without)


class PipelineCapture:
    """A running pipeline as a live source reads it."""

    def __init__(self, description: str, name: str, read_timeout_s: float) -> None:
        self._gst = load_gstreamer()
        self._name = name
        self._timeout_ns = int(read_timeout_s * 1e9)
        self._pipeline, self._sink = _build(self._gst, description, name)
        weakref.finalize(self, self._pipeline.set_state, self._gst.State.NULL)
        self._last_word: Any = None
        self.fps = self._start()

    def read(self) -> Reading | None:
        """See `Capture.read`; why there is no frame is warned of, where GStreamer tells."""
        sample = self._sink.try_pull_sample(self._timeout_ns)
        # Read at every frame, since GStreamer keeps all that it says until someone does.
        self._last_word = self._last_word or self._message(self._gst.MessageType.EOS, 0 if sample else LAST_WORD_S)
        if sample is None:
            reason = self._reason(self._last_word)
            if reason:
                _LOG.warning("%s: %s", self._name, reason, extra={"source": self._name})
            return None
        stamp = sample.get_buffer().pts
        return Reading(_picture(self._gst, sample), None if stamp == self._gst.CLOCK_TIME_NONE else stamp / 1e9)

    def _start(self) -> float | None:
        """Frames a second, as the first picture's format says."""
        states = self._gst.State
        # A camera's frame is taken as it comes; a file plays at its own pace.
        is_camera = self._pipeline.set_state(states.PAUSED) == self._gst.StateChangeReturn.NO_PREROLL
        self._sink.set_property("sync", not is_camera)
        self._pipeline.set_state(states.PLAYING)
        message = self._message(self._gst.MessageType.ASYNC_DONE, OPEN_TIMEOUT_S)
        # The preroll is the first frame, which is left for `read` where no newer one comes.
        sample = self._sink.try_pull_preroll(0)
        if sample is None:
            reason = self._reason(message) or self._reason(self._message(self._gst.MessageType.EOS, LAST_WORD_S))
            reason = reason or f"nothing came in {OPEN_TIMEOUT_S:g} s"
            raise SourceError(f"{self._name} gives no picture ({reason}); try it with gst-launch-1.0")
        known, count, seconds = sample.get_caps().get_structure(0).get_fraction("framerate")
        return count / seconds if known and count > 0 and seconds > 0 else None

    def _message(self, kind: Any, wait_s: float) -> Any:
        """The next message of an error or of `kind`; None where none comes in time."""
        kinds = self._gst.MessageType.ERROR | kind
        return self._pipeline.get_bus().timed_pop_filtered(int(wait_s * 1e9), kinds)

    def _reason(self, message: Any) -> str:
        """What GStreamer says went wrong, with the element's name; nothing where it says nothing."""
        kinds = self._gst.MessageType
        if message is not None and message.type == kinds.EOS:
            return "the pipeline ended"
        if message is None or message.type != kinds.ERROR:
            return ""
        error, details = message.parse_error()
        # GStreamer says "Internal data stream error." of this, as of much else.
        reason = "it does not offer this size, rate or format" if "not-negotiated" in (details or "") else error.message
        return shortened(pipeline_name(f"{message.src.get_name()}: {reason}"))


def _build(gst: Any, description: str, name: str) -> tuple[Any, Any]:
    """The pipeline and its appsink; raises UsageError where there is no such pipeline."""
    try:
        pipeline = gst.parse_launch(_with_appsink(description))
    except Exception as error:  # GLib.Error, which has no importable name before the bindings are loaded
        reason = shortened(pipeline_name(getattr(error, "message", str(error))))
        raise UsageError(
            f"GStreamer cannot build '{name}': {reason}; check each element with gst-inspect-1.0"
        ) from None
    sinks = pipeline.iterate_sinks()
    found = []
    while (step := sinks.next())[0] == gst.IteratorResult.OK:
        found.append(step[1])
    appsinks = [sink for sink in found if sink.get_factory().get_name() == "appsink"]
    if len(appsinks) != 1:
        raise UsageError(f"'{name}' has {len(appsinks)} appsinks; give it one, at the end of the branch to read")
    appsinks[0].set_property("caps", gst.Caps.from_string("video/x-raw,format=BGR"))
    return pipeline, appsinks[0]


def _with_appsink(description: str) -> str:
    end = f"! videoconvert ! appsink {_NEWEST}"
    given, replaced = _APPSINK.subn(end, description)
    return given if replaced else f"{description} {end}"


def _picture(gst: Any, sample: Any) -> NDArray[np.uint8]:
    """A sample as (H, W, 3) uint8 BGR; GStreamer fills each row up to whole words."""
    layout = sample.get_caps().get_structure(0)
    height, width = (int(layout.get_int(side)[1]) for side in ("height", "width"))
    buffer = sample.get_buffer()
    data = buffer.extract_dup(0, buffer.get_size())
    rows = np.frombuffer(data, np.uint8).reshape(height, -1)
    return np.array(rows[:, : 3 * width].reshape(height, width, 3))
