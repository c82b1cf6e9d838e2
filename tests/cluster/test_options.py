"""Options, resources and settings that make no sense, and those that are left open."""

from dataclasses import replace
from pathlib import Path

import pytest

from archive_jobs import item_of, make_job, run_stages
from clipdepth.cli.archive_options import parse_options
from clipdepth.cluster.archive.left import units
from clipdepth.cluster.archive.settings import FILE, read_settings, write_settings
from clipdepth.cluster.archive.uri import open_uri
from clipdepth.cluster.connection import Resources, decide
from clipdepth.errors import OutputError, UsageError
from clipdepth.rooms import Room, default_intrinsics

OPEN = Resources("local", None, 1.0, None, 10**9)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--start 3 --end 2", "--end 2 is not after --start 3"),
        ("--engine abacus", "unknown engine 'abacus'; choose one of auto, "),
        ("--stride 0", "'0' is not a whole number above 0"),
        ("--cpus nan", "'nan' is not a number above 0"),
        ("--gpus -1", "'-1' is not a number from 0 on"),
        ("--store 0.01", "--store 0.01 is too small for Ray; give 0.1 or more"),
        ("--device x", "'x' is not a GPU's number: 0, 1, …"),
        ("--device 1 --gpus 1", "--device is for this machine's own GPUs, and --gpus and --ray have Ray give them out"),
        ("--device 1 --ray auto", "--device is for this machine's own GPUs"),
        ("--device 1 --engine openvino", "--device 1: engine 'openvino' is not for GPUs; leave one of them out"),
        ("--min-confidence 1.5", "'1.5' is not a number from 0 to 1"),
        ("--format jpg", "invalid choice: 'jpg'"),
        ("--fov 60 --focal-px 500", "not allowed with"),
    ],
)
def test_mistakes_are_told(given: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assert parse_options(["x.bundle", "films", "--out", "depth", *given.split()]).camera


def test_a_gpu_that_is_named_is_not_rays_to_give() -> None:
    parsed = parse_options(["x.bundle", "films", "--out", "depth", "--device", "1"])
    assert parsed.resources == replace(OPEN, workers=1, gpus=0.0, sees_all_gpus=True)
    assert parse_options(["x.bundle", "films", "--out", "depth"]).resources == OPEN


def test_every_second_core_infers_where_there_is_no_gpu() -> None:
    assert decide(OPEN, 8.0, 0.0) == replace(OPEN, workers=4, gpus=0.0)
    assert decide(OPEN, 1.0, 0.0).workers == 1
    assert decide(replace(OPEN, cpus=3.0), 8.0, 0.0).workers == 1
    assert decide(replace(OPEN, workers=8), 8.0, 0.0).workers == 8


def test_every_gpu_infers_where_there_is_one() -> None:
    assert decide(OPEN, 8.0, 2.0) == replace(OPEN, workers=2, gpus=1.0)
    assert decide(replace(OPEN, gpus=0.25), 32.0, 2.0).workers == 8
    assert decide(replace(OPEN, gpus=0.0), 8.0, 2.0).workers == 4


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            replace(OPEN, workers=9),
            "9 workers of 1 CPUs take 9, but Ray has 8 for them; give fewer --workers, or --cpus",
        ),
        (replace(OPEN, gpus=1.0), "1 workers of 1 GPUs take 1, but Ray has 0"),
        (replace(OPEN, cpus=9.0), "1 workers of 9 CPUs take 9"),
    ],
)
def test_more_than_there_is_is_told(wanted: Resources, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        decide(wanted, 8.0, 0.0)


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    out = open_uri(str(tmp_path / "out"))
    assert read_settings(out) is None
    settings = make_job(tmp_path, start=1.5, end=2.0).settings
    write_settings(out, settings)
    assert read_settings(out) == settings


def test_what_is_left_open_is_as_it_was(tmp_path: Path) -> None:
    out = open_uri(str(tmp_path / "out"))
    before = make_job(tmp_path, engine="openvino", precision="int8").settings
    assert replace(before, engine="auto", precision="").after(before, out) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bundle", "0" * 64),
        ("engine", "tensorrt"),
        ("precision", "fp16"),
        ("format", "png"),
        ("stride", 2),
        ("start", 1.0),
        ("end", 9.0),
        ("camera", {"fov": 60.0}),
        ("min_confidence", 0.5),
    ],
)
def test_settings_that_differ_are_refused(tmp_path: Path, name: str, value: object) -> None:
    out = open_uri(str(tmp_path / "out"))
    before = make_job(tmp_path).settings
    with pytest.raises(UsageError, match=f"{out} was made with {name} .*, not .*; give that, or choose another --out"):
        replace(before, **{name: value}).after(before, out)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 99}', '{"schema": 1, "stride": 1}'])
def test_settings_of_something_else_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(OutputError, match="is not of this version"):
        read_settings(open_uri(str(tmp_path)))


def test_images_that_have_depth_are_not_done_again(tmp_path: Path) -> None:
    import cv2

    picture = Room(1).render(0.0, default_intrinsics(24, 32)).frame
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    items = [item_of(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    job = make_job(tmp_path)
    assert units(items, job) == ([items], 0)
    run_stages(items[1:2], job)
    assert units(items, job) == ([[items[0], items[2]]], 1)
