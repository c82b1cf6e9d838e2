"""Scaling: the points, a real child, what is kept when it is interrupted, and the plots."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.errors import EngineError, UsageError
from clipdepth.model import DepthModel, load
from clipdepth.pipeline.latency import Latency
from clipdepth_bench.contender import ContenderEngine
from clipdepth_bench.measure.environment import environment
from clipdepth_bench.scaling.child import Task, call, measure, stream
from clipdepth_bench.scaling.graphs import Graphs
from clipdepth_bench.scaling.points import Plan, scaled, thread_counts
from clipdepth_bench.scaling.record import (
    FILE,
    SCHEMA,
    Measured,
    Point,
    Sample,
    Scaling,
    ScalingError,
    read_scaling,
    write_scaling,
)
from clipdepth_bench.scaling.run import Run, run_scaling

QUIET = Console(quiet=True)
SIZE = InputSize(240, 320)


def sample(milliseconds: float, device_mb: float | None = None) -> Sample:
    return Sample(Latency(3, *[milliseconds] * 5), 1000 / milliseconds, 100.0, device_mb)


def scaling_of(measured: list[Measured]) -> Scaling:
    return Scaling(SCHEMA, "b.bundle", "0" * 64, "onnxruntime", 1.0, 30.0, environment(1), False, measured)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A bundle of the brightness of a pixel."""
    return write_bundle(tmp_path / "small.bundle", max_batch=2)


@pytest.fixture
def run_of(small: Path, tmp_path: Path) -> Run:
    """A run of four points, two rounds."""
    bundle = open_bundle(small)
    points = Plan(bundle.manifest.input, ["fp32"], 1, ["cameras"]).points()
    return Run(scaling_of([]), points, 2, Graphs(bundle, ["fp32"], tmp_path / "out" / "bundles"), tmp_path / "out")


def test_sizes_keep_what_divides_the_bundles() -> None:
    assert scaled(SIZE, 1.0) == SIZE
    assert scaled(SIZE, 0.5) == InputSize(128, 160)
    assert scaled(InputSize(416, 544), 2.0) == InputSize(832, 1088)
    assert scaled(InputSize(1, 3), 0.5).height == 1


def test_threads_are_all_or_powers_of_two() -> None:
    assert thread_counts(3) == [1, 2, 3]
    assert thread_counts(24) == [1, 2, 4, 8, 16, 24]
    assert thread_counts(16) == [1, 2, 4, 8, 16]


def test_each_axis_varies_alone() -> None:
    points = Plan(SIZE, ["fp32", "int8"], 2).points()
    assert len(points) == 2 * (4 + 4 + 2 + 4)
    values = {axis: sorted({p.value for p in points if p.axis == axis}) for axis in ("batch", "threads", "cameras")}
    assert values == {"batch": [1, 2, 4, 8], "threads": [1, 2], "cameras": [1, 2, 4, 8]}
    assert {p.label for p in points if p.axis == "size"} == {"128×160", "240×320", "368×480", "480×640"}
    for point in points:
        assert point.threads == 2 or point.axis == "threads"
        assert (point.height, point.width) == (240, 320) or point.axis == "size"


def test_a_child_measures_time_and_memory_of_its_own(small: Path) -> None:
    found = measure(Task(str(small), "onnxruntime", "fp32", 1, 2, 0, 30.0, 0.2))
    assert found.latency_ms.n >= 3
    assert 0 < found.latency_ms.p50 < 200
    assert found.fps == pytest.approx(2 * 1000 / found.latency_ms.mean)
    assert 10 < found.host_mb < 2000


def test_a_child_that_fails_says_why(small: Path) -> None:
    with pytest.raises(EngineError, match=r"its process fails: .*no int8 graph"):
        measure(Task(str(small), "onnxruntime", "int8", 1, 1, 0, 30.0, 0.1))


def test_cameras_go_through_the_pipeline_at_their_rate(small: Path) -> None:
    task = Task(str(small), "onnxruntime", "fp32", 1, 1, 3, 10.0, 0.5)
    with load(small, engine="onnxruntime", threads=1) as model:
        latency, fps = stream(model, task)
    # 5 frames of each camera in half a second, more than of two; the newest counts, so that some may be missing.
    assert 10 < latency.n <= 15
    assert 0 < fps <= 31


def test_a_batch_is_one_call(small: Path) -> None:
    shapes = []
    with load(small, engine="onnxruntime", threads=1) as model:

        def infer(frames, segmentation=None):  # type: ignore[no-untyped-def]
            shapes.append(frames.shape)
            return model.engine.infer(frames)

        spied = DepthModel(model.bundle, ContenderEngine("spy", "CPU", infer), "fp32")
        latency, _ = call(spied, Task(str(small), "onnxruntime", "fp32", 1, 2, 0, 30.0, 0.01))
    assert set(shapes) == {(2, 48, 64, 3)}
    assert len(shapes) == latency.n + 1


def test_rounds_go_over_all_points_and_a_second_run_measures_nothing(run_of: Run) -> None:
    asked: list[int] = []

    def fake(task: Task) -> Sample:
        asked.append(task.cameras)
        return sample(len(asked))

    scaling = run_scaling(run_of, QUIET, fake)
    assert asked == [1, 2, 4, 8, 1, 2, 4, 8]
    assert [s.latency_ms.p50 for s in scaling.measured[0].samples] == [1, 5]
    assert read_scaling(run_of.out) == scaling
    again = run_scaling(run_of, QUIET, fake)
    assert len(asked) == 8
    assert again.measured == scaling.measured
    run_scaling(replace(run_of, rounds=3), QUIET, fake)
    assert len(asked) == 12


def test_what_was_measured_before_ctrl_c_is_kept_and_not_measured_again(run_of: Run) -> None:
    asked: list[int] = []

    def fake(task: Task) -> Sample:
        asked.append(task.cameras)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return sample(10)

    scaling = run_scaling(run_of, QUIET, fake)
    assert scaling.interrupted
    assert read_scaling(run_of.out) == scaling
    assert [m.point.cameras for m in scaling.measured] == [1, 2]
    done = run_scaling(run_of, QUIET, fake)
    assert not done.interrupted
    assert asked == [1, 2, 4, 4, 8, 1, 2, 4, 8]


def test_a_run_that_is_killed_leaves_what_it_had(run_of: Run) -> None:
    asked: list[int] = []

    def fake(task: Task) -> Sample:
        asked.append(task.cameras)
        if len(asked) == 3:
            raise SystemExit
        return sample(10)

    with pytest.raises(SystemExit):
        run_scaling(run_of, QUIET, fake)
    found = read_scaling(run_of.out)
    assert found
    assert [m.point.cameras for m in found.measured] == [1, 2]


def test_a_point_with_a_problem_is_tried_again(run_of: Run) -> None:
    fails = [True]

    def fake(task: Task) -> Sample:
        if task.cameras == 4 and fails[0]:
            raise EngineError("out of memory")
        return sample(10)

    scaling = run_scaling(run_of, QUIET, fake)
    assert [m.problem for m in scaling.measured] == [None, None, "out of memory", None]
    assert [len(m.samples) for m in scaling.measured] == [2, 2, 0, 2]
    fails[0] = False
    again = run_scaling(run_of, QUIET, fake)
    assert [m.problem for m in again.measured] == [None] * 4
    assert [len(m.samples) for m in again.measured] == [2] * 4


def test_results_of_another_bundle_or_machine_are_not_mixed(run_of: Run) -> None:
    run_scaling(run_of, QUIET, lambda task: sample(1))
    for change in ({"bundle_sha256": "1" * 64}, {"engine": "openvino"}):
        other = replace(run_of, start=Scaling(**{**_fields(run_of.start), **change}))
        with pytest.raises(ScalingError, match=f"another {next(iter(change))} .*choose another --out"):
            run_scaling(other, QUIET, lambda task: sample(1))


def _fields(scaling: Scaling) -> dict[str, object]:
    return {name: getattr(scaling, name) for name in scaling.__struct_fields__}


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    assert read_scaling(tmp_path) is None
    write_scaling(tmp_path, scaling_of([]))
    found = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps({**found, "schema": 99}))
    with pytest.raises(ScalingError, match=r"scaling\.json has schema 99, .*choose another --out"):
        read_scaling(tmp_path)


def test_the_model_is_exported_at_other_sizes_and_for_batches(run: Path, tmp_path: Path) -> None:
    bundle = open_bundle(run.with_name("tiny.bundle"))
    size = bundle.manifest.input
    graphs = Graphs(bundle, ["fp32"], tmp_path)
    plan = Plan(size, ["fp32"], 1)
    larger = next(p for p in plan.points() if p.axis == "size" and p.height > size.height)
    made = open_bundle(graphs.path(larger), any_tolerance=True)
    assert made.manifest.input == InputSize(larger.height, larger.width)
    assert made.manifest.model.flops > bundle.manifest.model.flops
    batch = next(p for p in plan.points() if p.axis == "batch" and p.batch == 4)
    assert open_bundle(graphs.path(batch), any_tolerance=True).manifest.input == InputSize(size.height, size.width, 8)
    assert graphs.path(Point("threads", "fp32", size.height, size.width)) == bundle.path


def test_each_axis_with_samples_gets_its_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from clipdepth_bench.scaling.plots import draw_scaling

    points = [p for p in Plan(SIZE, ["fp32", "int8"], 2).points() if p.axis in ("size", "cameras")]
    measured = [Measured(p, [sample(p.value), sample(2 * p.value, 50.0)]) for p in points]
    measured.append(Measured(Point("batch", "fp32", 240, 320), [], "it does not run"))
    written = draw_scaling(scaling_of(measured), tmp_path)
    assert [path.name for path in written] == ["size.png", "size.svg", "cameras.png", "cameras.svg"]
    assert all(path.stat().st_size > 1000 for path in written)
    assert written[0].read_bytes().startswith(b"\x89PNG")
    before = written[1].read_text()
    assert "<svg" in before
    assert "<dc:date>" not in before


def test_the_command_writes_results_and_plots(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    from clipdepth_bench.scaling.command import main as scaling

    out = tmp_path / "out"
    options = ["--engine", "onnxruntime", "--axis", "threads", "--threads", "2", "--rounds", "1", "--seconds", "1"]
    assert scaling([str(small), "--out", str(out), *options]) == 0
    found = read_scaling(out)
    assert found
    assert [(m.point.threads, len(m.samples)) for m in found.measured] == [(1, 1), (2, 1)]
    assert {path.name for path in out.iterdir()} == {FILE, "threads.png", "threads.svg"}
    assert "frames/s" in capsys.readouterr().out


def test_mistakes_are_one_line(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from clipdepth_bench.scaling.command import main as scaling

    with pytest.raises(UsageError, match="has no int8 graph"):
        scaling([str(small), "--out", str(small.parent / "x"), "--precision", "int8"])
    with pytest.raises(UsageError, match="--axis threads --axis cameras"):
        scaling([str(small), "--out", str(small.parent / "x"), "--engine", "tensorrt"])
