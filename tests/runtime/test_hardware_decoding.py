"""Video decoded by hardware, where there is some: what is refused without it, and that pictures stay the same."""

import logging
from pathlib import Path

import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available

from bundles import write_bundle
from clipdepth.cli import main
from clipdepth.errors import SourceError, UsageError
from clipdepth.files.hwaccel import HardwareDecoder, find_decoder
from clipdepth.sources import SourceOptions, open_source
from clips import room_frames, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "x.mp4", room_frames(0, 6))


def test_a_kind_that_ffmpeg_was_built_without_is_misuse() -> None:
    with pytest.raises(
        UsageError, match=rf"--hwaccel nothing: FFmpeg was built here for {', '.join(hwdevices_available())}"
    ):
        find_decoder("nothing")


def test_a_device_that_is_not_here_is_told_in_a_line() -> None:
    for kind in hwdevices_available():
        with pytest.raises(SourceError, match=rf"^{kind}:99 does not decode here \(.+\); check its driver") as error:
            find_decoder(f"{kind}:99")
        assert "\n" not in str(error.value)


def test_auto_takes_what_is_here_and_pictures_stay_the_same(clip: Path) -> None:
    """Hardware rounds colours otherwise than FFmpeg's own decoder does, by a level or two."""
    decoder = find_decoder("auto")
    with open_source(str(clip)) as plain, open_source(str(clip), SourceOptions(decoder=decoder)) as source:
        pairs = list(zip(plain, source, strict=True))
    assert len(pairs) == 6
    for one, other in pairs:
        assert (one.time, one.index) == (other.time, other.index)
        np.testing.assert_allclose(one.frame.astype(int), other.frame, atol=3 if decoder else 0)


def test_a_codec_that_the_device_does_not_know_is_decoded_in_software(
    clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No FFmpeg decodes x264's files by DRM, which is for a few boards' own kernels."""
    decoder = HardwareDecoder("drm")
    with (
        open_source(str(clip)) as plain,
        open_source(str(clip), SourceOptions(decoder=decoder)) as source,
        caplog.at_level(logging.WARNING),
    ):
        for one, other in zip(plain, source, strict=True):
            np.testing.assert_array_equal(one.frame, other.frame)
    assert caplog.messages == [f"{clip} is decoded in software: drm does not know its codec"]


def test_run_refuses_before_it_writes(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, output = write_bundle(tmp_path / "b.bundle"), tmp_path / "out.npz"
    assert main(["run", str(bundle), "--source", str(clip), "--hwaccel", "nothing", "--output", str(output)]) == 2
    assert "--hwaccel nothing: FFmpeg was built here for" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
    argv = [
        "run",
        str(bundle),
        "--source",
        str(clip),
        "--hwaccel",
        "auto",
        "--engine",
        "onnxruntime",
        "--output",
        str(output),
    ]
    assert main(argv) == 0
    assert len(list(tmp_path.glob("out*"))) == 6
