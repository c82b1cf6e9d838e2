"""How videos are cut: against what PyAV decodes from start to end."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from archive_jobs import HEIGHT, OPEN_GOP, WIDTH, item_of, make_job, planned, run_stages, small_chunks
from clipdepth.bundle.manifest import InputSize
from clipdepth.cluster.archive.chunk import Frame, Span
from clipdepth.cluster.archive.results import Complete, Failed, Joinable
from clips import NTSC, decoded, room_frames, write_clip


def frames_of(spans: list[Span]) -> list[Frame]:
    return [frame for span in spans for chunk in span.chunks for frame in chunk]


@pytest.mark.parametrize(
    ("name", "options"),
    [("x.mp4", {}), ("x.mp4", OPEN_GOP), ("x.mkv", {}), ("x.avi", {"bf": "0"}), ("x.ts", {}), ("x.mov", {"bf": "3"})],
)
def test_every_frame_is_in_one_chunk(
    tmp_path: Path, name: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / name, room_frames(1, 60), options=options)
    job = small_chunks(make_job(tmp_path), 10, monkeypatch)
    spans = planned([item_of(path)], job)
    frames = frames_of(spans)
    stamps = [stamp for stamp, _ in decoded(path)]
    assert [frame.stamp for frame in frames] == stamps
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.time for frame in frames] == pytest.approx([number / float(NTSC) for number in range(60)], abs=6e-4)
    assert len(spans) > 2
    assert {span.pending for span in spans} == {sum(len(span.chunks) for span in spans)}
    assert all(5 <= len(chunk) <= 10 for span in spans for chunk in span.chunks)
    for span in spans:
        assert span.key is not None
        assert span.key <= (span.chunks[0][0].stamp or 0)


def test_a_video_with_one_key_frame_is_one_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 35), gop=1000)
    (span,) = planned([item_of(path)], small_chunks(make_job(tmp_path), 10, monkeypatch))
    assert [len(chunk) for chunk in span.chunks] == [9, 9, 8, 9] or sorted(map(len, span.chunks)) == [8, 9, 9, 9]


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    numbers = [0, 1, 2, 10, 11, 40, 41, 42, 43, 100]
    path = write_clip(tmp_path / "x.mkv", room_frames(1, 10), rate=Fraction(25), stamps=numbers)
    (span,) = planned([item_of(path)], make_job(tmp_path))
    assert [frame.time for frame in frames_of([span])] == pytest.approx([number / 25 for number in numbers])


def test_stride_and_range_choose_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 50), rate=Fraction(10))
    job = make_job(tmp_path, stride=3, start=1.0, end=3.0)
    spans = planned([item_of(path)], job)
    assert [frame.index for frame in frames_of(spans)] == [12, 15, 18, 21, 24, 27]


def test_a_range_that_misses_the_video_says_how_long_it_is(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 11), rate=Fraction(10))
    (failed,) = planned([item_of(path)], make_job(tmp_path, start=5.0))
    assert isinstance(failed, Failed)
    assert failed.reason == f"{path} has no frame in that range of time; it lasts 1.0 s"


def test_chunks_are_multiples_of_the_engines_batch(tmp_path: Path) -> None:
    job = make_job(tmp_path, max_batch=7)
    assert job.chunk_frames % 7 == 0
    frame = HEIGHT * WIDTH * 3
    assert 0 <= (32 << 20) - job.chunk_frames * frame < 7 * frame
    # A chunk's pictures have room for the largest of all sizes.
    sizes = (InputSize(HEIGHT, WIDTH, 7), InputSize(60, 48, 7))
    assert 0 <= (32 << 20) - replace(job, inputs=sizes).chunk_frames * 60 * 64 * 3 < 7 * 60 * 64 * 3
    assert replace(job, inputs=(InputSize(4000, 6000, 7),)).chunk_frames == 7


def test_what_an_earlier_run_did_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "x.mp4", room_frames(1, 60))
    job = small_chunks(make_job(tmp_path), 10, monkeypatch)
    item = item_of(path)
    before = planned([item], job)
    run_stages([item], job)
    parts = sorted((tmp_path / "out/.work").rglob("*.parquet"))
    assert len(parts) == before[0].pending
    assert planned([item], job) == [Joinable(item)]
    for part in (parts[1], parts[-1]):
        part.unlink()
    spans = planned([item], job)
    assert {span.pending for span in spans} == {2}
    firsts = [chunk[0].index for span in spans for chunk in span.chunks]
    assert firsts == [int(parts[1].stem), int(parts[-1].stem)]


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\x00\x00\x00\x18ftypmp42" + bytes(100)])
def test_what_is_no_video_fails_with_a_reason(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    (failed,) = planned([item_of(tmp_path / "x.mp4")], make_job(tmp_path))
    assert isinstance(failed, Failed)
    assert failed.source == str(tmp_path / "x.mp4")
    assert failed.size == len(content)
    assert "x.mp4" in failed.reason
    assert "\n" not in failed.reason


def test_a_video_that_changed_after_it_was_done_fails(tmp_path: Path) -> None:
    from clipdepth.cluster.archive.join import join

    path = write_clip(tmp_path / "x.mp4", room_frames(1, 10))
    job = make_job(tmp_path)
    run_stages([item_of(path)], job)
    join(item_of(path), job)
    assert planned([item_of(path)], job) == [Complete(item_of(path), 0)]
    write_clip(path, room_frames(2, 12))
    (failed,) = planned([item_of(path)], job)
    assert isinstance(failed, Failed)
    assert failed.reason.startswith(f"{path} has changed since its depth was made; remove {tmp_path}/out/index/x.mp4.")
