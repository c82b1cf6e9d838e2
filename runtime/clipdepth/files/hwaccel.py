"""Decoding of video by hardware: what FFmpeg can use here."""

from dataclasses import dataclass

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from clipdepth.errors import SourceError, UsageError

AUTO = "auto"
_PROBED = "h264"
"""The codec that a device must decode to count as there; what decodes video decodes this one."""


@dataclass(frozen=True)
class HardwareDecoder:
    """A device that decodes video: its kind by FFmpeg's name, and which one, the first one without a name."""

    kind: str
    device: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.device}" if self.device else self.kind

    @property
    def hwaccel(self) -> HWAccel:
        """What `av.open` wants. A codec that the device does not decode is decoded in software."""
        return HWAccel(self.kind, self.device)


def find_decoder(spec: str) -> HardwareDecoder | None:
    """The device that `spec` names, 'KIND' or 'KIND:DEVICE'; of 'auto' the first one that is here, None without one.

    Raises UsageError for a kind that FFmpeg was built without, SourceError for a device that is not here.
    """
    kinds = hwdevices_available()
    if spec == AUTO:
        return next((decoder for kind in kinds if not _fault(decoder := HardwareDecoder(kind))), None)
    kind, _, device = spec.partition(":")
    if kind not in kinds:
        raise UsageError(f"--hwaccel {spec}: FFmpeg was built here for {', '.join(kinds)}; give one of them, or auto")
    decoder = HardwareDecoder(kind, device or None)
    if fault := _fault(decoder):
        raise SourceError(f"{decoder} does not decode here ({fault}); check its driver, or give --hwaccel auto")
    return decoder


def _fault(decoder: HardwareDecoder) -> str:
    """Why the device cannot be used; nothing where it can."""
    try:
        decoder.hwaccel.create(av.Codec(_PROBED, "r"))
    except NotImplementedError:
        return f"FFmpeg has no decoder of {_PROBED} for it"
    except (av.FFmpegError, ValueError) as error:  # ValueError for CUDA's devices, which are numbers
        return getattr(error, "strerror", None) or str(error)
    return ""
