"""What `clipdepth archive` would take outside the network if it were done otherwise: a Markdown table.

    python benchmarks/experiments/archive/alternatives.py edge-nyu [--frames 48] [--rounds 5]

A film of 640×480 is drawn into a temporary folder. The ways take turns in one process of one thread. Times are those of
the processor, which others on the same cores change little.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from films import write_films
from numpy.typing import NDArray

from clipdepth.camera.resize import resize_depth
from clipdepth.cluster.archive.ffv1 import MILLISECOND
from clipdepth.model import load
from clipdepth.sinks.depth_png import to_millimetres

HEIGHT, WIDTH = 480, 640
OURS = {"level": "3", "slices": "4", "slicecrc": "1", "context": "0"}
FFV1 = {
    "as it is": OURS,
    "without checksums": OURS | {"slicecrc": "0"},
    "9 slices": OURS | {"slices": "9"},
    "the larger context": OURS | {"context": "1"},
    "the default table of states": OURS | {"coder": "-2"},
    "level 1, one slice": {"level": "1", "context": "0"},
}
Cost = tuple[float, str]
"""Milliseconds of a core a frame, and what differs."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as scratch:
        write_films(Path(scratch), 1, options.frames, HEIGHT, WIDTH)
        (film,) = Path(scratch).iterdir()
        pictures = _pictures(film, Interpolation.BILINEAR)
        with load(options.bundle, engine="openvino", precision="int8", threads=1) as model:
            raw = [model(picture).raw for picture in pictures]
        ways: dict[str, Callable[[], Cost]] = {
            "decode": partial(_decode, film, None, {}, pictures),
            "decode, without the loop filter": partial(_decode, film, None, {"skip_loop_filter": "all"}, pictures),
            "decode, to BGR": partial(_decode, film, Interpolation.BILINEAR, {}, pictures),
            "decode, to BGR by fast bilinear": partial(_decode, film, Interpolation.FAST_BILINEAR, {}, pictures),
            "depth to the frame's size and millimetres": partial(_enlarge, raw),
        }
        depth = [to_millimetres(resize_depth(each, HEIGHT, WIDTH)) for each in raw]
        ways |= {f"FFV1, {name}": partial(_encode, depth, given) for name, given in FFV1.items()}
        ways["FFV1, at the network's size"] = partial(_encode, [to_millimetres(each) for each in raw], OURS)
        found = [[way() for way in ways.values()] for _ in range(options.rounds)]
    sys.stdout.write("| | ms of a core a frame | |\n| --- | --: | --- |\n")
    for name, costs in zip(ways, zip(*found, strict=True), strict=True):
        times = [each for each, _ in costs]
        sys.stdout.write(f"| {name} | {median(times):.2f} ({min(times):.2f} to {max(times):.2f}) | {costs[0][1]} |\n")
    sys.stdout.write(f"\nn = {options.rounds} rounds of {options.frames} frames\n")


def _frames(film: Path, given: dict[str, str]) -> list[VideoFrame]:
    with av.open(str(film)) as container:
        codec = container.streams.video[0].codec_context
        codec.thread_count, codec.options = 1, given
        return list(container.decode(video=0))


def _pictures(film: Path, by: Interpolation, given: dict[str, str] | None = None) -> list[NDArray[np.uint8]]:
    return [_bgr(frame, by) for frame in _frames(film, given or {})]


def _bgr(frame: VideoFrame, by: Interpolation) -> NDArray[np.uint8]:
    return np.asarray(frame.reformat(format="bgr24", interpolation=by).to_ndarray(), np.uint8)


def _decode(film: Path, by: Interpolation | None, given: dict[str, str], truth: Sequence[NDArray[np.uint8]]) -> Cost:
    start = process_time()
    frames = _frames(film, given)
    if by is not None:
        for frame in frames:
            _bgr(frame, by)
    spent = process_time() - start
    seen = _pictures(film, by or Interpolation.BILINEAR, given)
    off = np.abs(np.subtract(seen, truth, dtype=np.int16))
    return 1e3 * spent / len(frames), f"{off.mean():.2f} grey levels off, {off.max()} at most"


def _enlarge(raw: Sequence[NDArray[np.float32]]) -> Cost:
    start = process_time()
    for each in raw:
        to_millimetres(resize_depth(each, HEIGHT, WIDTH))
    return 1e3 * (process_time() - start) / len(raw), ""


def _encode(depth: Sequence[NDArray[np.uint16]], given: dict[str, str]) -> Cost:
    start = process_time()
    codec = VideoCodecContext.create("ffv1", "w")
    codec.height, codec.width = depth[0].shape
    codec.pix_fmt, codec.time_base, codec.gop_size, codec.thread_count = "gray16le", MILLISECOND, 1, 1
    codec.options = given
    size = 0
    for number, each in enumerate(depth):
        frame = av.VideoFrame.from_numpy_buffer(each, format="gray16le")
        frame.pts = number
        size += sum(packet.size for packet in codec.encode(frame))
    size += sum(packet.size for packet in codec.encode(None))
    return 1e3 * (process_time() - start) / len(depth), f"{size / len(depth) / 1e3:.1f} kB a frame"


if __name__ == "__main__":
    main()
