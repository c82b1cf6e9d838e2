"""Videos wherever they lie: their time stamps without decoding, and frames from a key frame on."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import av
import numpy as np
from numpy.typing import NDArray

from clipdepth.cluster.archive.chunk import Stream
from clipdepth.cluster.archive.uri import Uri
from clipdepth.errors import SourceError
from clipdepth.files.ffmpeg import open_handle
from clipdepth.files.quicktime import open_video_focal_35mm
from clipdepth.files.video import Video, upright

_REMEDY = "copy it again or convert it"


class ArchivedVideo:
    """A video of which parts are decoded, in any order."""

    def __init__(self, video: Video, focal_35mm: float = 0.0) -> None:
        self.focal_35mm = focal_35mm
        """What the file says of its lens, mm of 35 mm film; 0 where it says nothing."""
        self._video = video
        self.stream = self._look()

    def stamps(self) -> tuple[list[int], list[int]]:
        """See `Video.stamps`."""
        return self._video.stamps()

    def frames(self, key: int | None = None) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Frames with their time stamps, (H, W, 3) uint8 BGR and upright, from the key frame at `key` or the start on.

        A few of before it may come first. Those that are damaged are left out.
        """
        self._video.rewind()
        if key is not None and not self._video.misorders:
            self._video.seek(key)
        for stamp, frame in self._video.frames():
            if stamp is not None:
                yield stamp, upright(frame)

    def _look(self) -> Stream:
        for _, frame in self._video.frames():
            height, width = upright(frame).shape[:2]
            return Stream(height, width, self._video.time_base)
        raise SourceError(f"{self._video.name} has no frame that can be decoded; {_REMEDY}")


@contextmanager
def open_video(uri: Uri) -> Iterator[ArchivedVideo]:
    """Open a video; raises SourceError where it cannot be read or has no frame that can be decoded."""
    name = str(uri)
    try:
        with uri.open() as file:
            focal_35mm = open_video_focal_35mm(file)
            with closing(Video(name, open_handle(name, file), threads=1)) as video:
                yield ArchivedVideo(video, focal_35mm)
    except av.FFmpegError as error:
        raise SourceError(f"{name} is damaged, cut short or no video ({error.strerror}); {_REMEDY}") from None
    except SourceError:
        raise
    except Exception as error:  # file systems elsewhere raise their own
        raise SourceError(f"{name} cannot be read ({uri.reason(error)}); check the file") from None
