"""What is kept of depth: packets, parts, videos and the index, against exact values and other readers."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from pyarrow import parquet

import clipdepth
from archive_jobs import HEIGHT, WIDTH, item_of, make_job, run_stages, small_chunks
from bundles import brightness_confidence, brightness_depth
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.cluster.archive.chunk import Frame
from clipdepth.cluster.archive.ffv1 import encode_ffv1, matroska
from clipdepth.cluster.archive.index import describe
from clipdepth.cluster.archive.join import join
from clipdepth.cluster.archive.results import Failed, Joined, Part
from clipdepth.cluster.archive.sources import Item
from clipdepth.sinks.depth_png import to_millimetres
from clips import NTSC, decoded, room_frames, write_clip

RNG = np.random.default_rng(0)


def noise(count: int, height: int = 33, width: int = 47) -> list[np.ndarray]:
    return [RNG.integers(0, 65536, (height, width)).astype(np.uint16) for _ in range(count)]


def test_packets_of_several_encoders_are_those_of_one() -> None:
    pictures = noise(7)
    assert encode_ffv1(pictures) == encode_ffv1(pictures[:3]) + encode_ffv1(pictures[3:4]) + encode_ffv1(pictures[4:])
    assert encode_ffv1([]) == []


def test_a_video_is_lossless_and_the_same_each_time(tmp_path: Path) -> None:
    pictures = noise(5)
    stamps = [0, 512, 1024, 9000, 9001]
    for name in ("a.mkv", "b.mkv"):
        with matroska(tmp_path / name, *pictures[0].shape) as video:
            for stamp, packet in zip(stamps, encode_ffv1(pictures), strict=True):
                video.write(packet, stamp, Fraction(1, 1000))
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()
    with av.open(str(tmp_path / "a.mkv")) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].codec_context.name == "ffv1"
    assert {frame.format.name for frame in frames} == {"gray16le"}
    assert [frame.pts for frame in frames] == stamps
    np.testing.assert_array_equal([frame.to_ndarray() for frame in frames], pictures)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_index_has_percentiles_of_what_is_known(tmp_path: Path, share: float) -> None:
    depth = RNG.integers(300, 9000, (40, 50)).astype(np.uint16)
    depth[RNG.random(depth.shape) < share] = 0
    item = Item("/films/x.mp4", "films/x.mp4", 1, 1.0)
    pinhole = Intrinsics(50, 40, 30.0, 30.0, 24.5, 19.5, "assumed")
    row = describe(Frame(item, 4, 512, 0.5), depth, pinhole, make_job(tmp_path))
    known = depth[depth > 0]
    assert row["valid"] == pytest.approx(known.size / depth.size)
    for name, percent in (("p5", 5), ("p50", 50), ("p95", 95)):
        expected = np.percentile(known, percent, method="inverted_cdf") / 1000 if known.size else None
        assert row[name] == (pytest.approx(expected) if known.size else None)
    assert (row["frame"], row["time"], row["stamp"], row["height"], row["width"]) == (4, 0.5, 512, 40, 50)
    assert row["depth"] == "depth/films/x.mp4.mkv"
    assert (row["camera"], row["focal_px"]) == ("assumed", 30)
    unknown = describe(Frame(item, 4, 512, 0.5), depth, Intrinsics.unknown(50, 40), make_job(tmp_path))
    assert (unknown["camera"], unknown["focal_px"]) == ("unknown", None)


def test_a_video_becomes_a_depth_video_with_its_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 60, 96, 128))
    job = small_chunks(make_job(tmp_path), 10, monkeypatch)
    parts = run_stages([item_of(path)], job)
    assert all(isinstance(part, Part) for part in parts)
    assert sum(part.frames for part in parts) == 60
    assert sum(part.size for part in parts) == pytest.approx(path.stat().st_size)
    joined = join(item_of(path), job)
    assert isinstance(joined, Joined)
    assert joined.lost == 0
    found = list(clipdepth.read_depth(tmp_path / "out/depth/x.mp4.mkv"))
    assert [stored.time for stored in found] == pytest.approx([n / float(NTSC) for n in range(60)], abs=1e-3)
    for stored, (_, picture) in zip(found, decoded(path), strict=True):
        small = brightness_depth(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))
        np.testing.assert_allclose(stored.depth, cv2.resize(small, (128, 96)), atol=6e-4)
    table = parquet.read_table(tmp_path / "out/index/x.mp4.parquet")
    assert table["frame"].to_pylist() == list(range(60))
    assert table["time"].to_pylist() == pytest.approx([n / float(NTSC) for n in range(60)])
    median = [float(np.percentile(stored.depth, 50, method="inverted_cdf")) for stored in found]
    assert table["p50"].to_pylist() == pytest.approx(median)
    assert not (tmp_path / "out/.work/").exists() or not list((tmp_path / "out/.work").rglob("*.parquet"))


def test_parts_of_an_earlier_version_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They say nothing of the camera."""
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 20))
    job = small_chunks(make_job(tmp_path), 10, monkeypatch)
    run_stages([item_of(path)], job)
    first, *_ = sorted((tmp_path / "out/.work").rglob("*.parquet"))
    old = parquet.read_table(first).drop_columns(["camera", "focal_px", "confidence"])
    parquet.write_table(old, first)
    assert isinstance(join(item_of(path), job), Joined)
    table = parquet.read_table(tmp_path / "out/index/x.mp4.parquet")
    assert table["frame"].to_pylist() == list(range(20))
    assert table["camera"].to_pylist() == [None] * len(old) + ["assumed"] * (20 - len(old))


def test_a_video_may_become_pngs(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 7))
    job = make_job(tmp_path, format="png", stride=3)
    run_stages([item_of(path)], job)
    join(item_of(path), job)
    files = ["depth/x.mp4/000000.png", "depth/x.mp4/000003.png", "depth/x.mp4/000006.png"]
    assert parquet.read_table(tmp_path / "out/index/x.mp4.parquet")["depth"].to_pylist() == files
    pictures = [picture for _, picture in decoded(path)][::3]
    for file, picture in zip(files, pictures, strict=True):
        written = cv2.imread(str(tmp_path / "out" / file), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(written, to_millimetres(brightness_depth(picture)))


def test_images_become_pngs_and_those_that_fail_are_told(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 40, 3), 51, np.uint8))
    (tmp_path / "b.jpg").write_bytes(b"nothing")
    items = [item_of(tmp_path / name) for name in ("a.png", "b.jpg")]
    (part,) = run_stages(items, make_job(tmp_path))
    assert part.frames == 1
    assert [failed.source for failed in part.failed] == [str(tmp_path / "b.jpg")]
    ((stored,),) = [list(clipdepth.read_depth(tmp_path / "out/depth/a.png.png"))]
    np.testing.assert_array_equal(np.rint(stored.depth * 1000), np.full((30, 40), 1500))
    (index,) = (tmp_path / "out/index").iterdir()
    (row,) = parquet.read_table(index).to_pylist()
    assert (row["source"], row["depth"], row["time"]) == (str(tmp_path / "a.png"), "depth/a.png.png", None)


@pytest.mark.parametrize("kind", ["mkv", "png"])
def test_the_index_says_how_sure_depth_is_and_what_is_less_sure_is_unknown(tmp_path: Path, kind: str) -> None:
    """A picture of the network's size and a film of another, as the model has each alone."""
    rng = np.random.default_rng(5)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    film = write_clip(tmp_path / "x.mp4", room_frames(1, 5, 96, 128))
    job = make_job(tmp_path, confident=True, max_batch=2, format=kind, min_confidence=0.5)
    with clipdepth.load(job.bundle, engine="onnxruntime") as model:
        for item in (item_of(tmp_path / "a.png"), item_of(film)):
            run_stages([item], job, model.engine.infer)
        assert isinstance(join(item_of(film), job), Joined)
        frames = [model(shown) for shown in (picture, *(shown for _, shown in decoded(film)))]
    (index,) = (tmp_path / "out/index").glob("images-*")
    rows = [
        row for file in (index, tmp_path / "out/index/x.mp4.parquet") for row in parquet.read_table(file).to_pylist()
    ]
    assert rows[0]["confidence"] == pytest.approx(brightness_confidence(picture).mean(), abs=1e-5)
    assert [row["confidence"] for row in rows] == pytest.approx([frame.confidence.mean() for frame in frames], abs=1e-5)
    films = "out/depth/x.mp4.mkv" if kind == "mkv" else "out/depth/x.mp4"
    stored = [
        next(iter(clipdepth.read_depth(tmp_path / "out/depth/a.png.png"))),
        *clipdepth.read_depth(tmp_path / films),
    ]
    for row, frame, kept in zip(rows, frames, stored, strict=True):
        expected = np.where(frame.confidence < 0.5, 0, to_millimetres(frame.depth))
        np.testing.assert_array_equal(np.rint(kept.depth * 1000), expected)
        assert row["valid"] == pytest.approx((expected > 0).mean(), abs=1e-6)
    assert 0.2 < rows[0]["valid"] < 0.8


def test_lost_frames_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipdepth.cluster.archive import decode

    path = write_clip(tmp_path / "x.mp4", room_frames(1, 20))
    job = make_job(tmp_path)
    whole = decode.open_video

    class Cut:
        def __init__(self, video) -> None:  # type: ignore[no-untyped-def]
            self.focal_35mm = video.focal_35mm
            self.frames = lambda key=None: list(video.frames(key))[:-3].__iter__()

    from contextlib import contextmanager

    @contextmanager
    def cut(uri):  # type: ignore[no-untyped-def]
        with whole(uri) as video:
            yield Cut(video)

    monkeypatch.setattr(decode, "open_video", cut)
    run_stages([item_of(path)], job)
    joined = join(item_of(path), job)
    assert isinstance(joined, Joined)
    assert joined.lost == 3
    assert len(list(clipdepth.read_depth(tmp_path / "out/depth/x.mp4.mkv"))) == 17
    monkeypatch.setattr(decode, "open_video", whole)
    from archive_jobs import planned

    assert planned([item_of(path)], job)[0].lost == 3


def test_a_video_without_one_good_frame_fails_and_leaves_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 3))
    job = make_job(tmp_path)
    from clipdepth.cluster.archive.chunk import Stream
    from clipdepth.cluster.archive.part import PartFacts, write_part

    write_part(job.parts(item_of(path)), 0, [], PartFacts(Stream(48, 64, Fraction(1, 25)), 3))
    assert isinstance(join(item_of(path), job), Failed)
    assert not (tmp_path / "out/depth").exists()
    assert not (tmp_path / "out/index").exists()
