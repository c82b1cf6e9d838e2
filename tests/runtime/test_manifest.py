import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundles import write_bundle
from clipdepth.bundle.agreement import Tolerance, looser_limits
from clipdepth.bundle.manifest import decode_manifest
from clipdepth.bundle.record import encode_record
from clipdepth.errors import BundleError


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((write_bundle(tmp_path / "b") / "manifest.json").read_text())
    return content


def decode(content: Any) -> Any:
    return decode_manifest(json.dumps(content).encode(), "b/manifest.json")


def put(content: dict[str, Any], place: str, value: Any) -> None:
    *folders, last = place.split("/")
    for folder in folders:
        content = content[int(folder)] if isinstance(content, list) else content[folder]
    content[last] = value


def test_what_is_written_is_read_back(content: dict[str, Any]) -> None:
    manifest = decode(content)
    assert (manifest.input.height, manifest.input.width) == (48, 64)
    assert decode_manifest(encode_record(manifest), "again") == manifest
    assert json.loads(encode_record(manifest)) == content


def test_it_cannot_be_changed(content: dict[str, Any]) -> None:
    with pytest.raises(AttributeError):
        decode(content).name = "other"


WRONG = {
    "text for a number": ("input/height", "240", "input.height"),
    "a fraction of a pixel": ("input/width", 320.5, "input.width"),
    "no height": ("input/height", 0, "input.height"),
    "negative depth": ("depth/minimum", -1.0, "depth.minimum"),
    "no focal length": ("camera/fx", 0, "camera.fx"),
    "no graphs": ("graphs", [], "graphs"),
    "a folder in a file name": ("graphs/0/file", "../evil.onnx", "graphs[0].file"),
    "an absolute file name": ("golden", "/etc/passwd", "golden"),
    "an endless file name": ("golden", "x" * 256, "golden"),
    "a hidden file": ("golden", ".golden.npz", "golden"),
    "a line break in a file name": ("golden", "golden.npz\n", "golden"),
    "a folder among the files": ("files", {"../evil": {"sha256": "0" * 64, "size": 1}}, "files"),
    "no hash": ("files", {"golden.npz": {"sha256": "00", "size": 1}}, "files[...].sha256"),
    "an empty file": ("files", {"golden.npz": {"sha256": "0" * 64, "size": 0}}, "files[...].size"),
    "text for a verdict": ("graphs/0/verification/finite", "yes", "verification.finite"),
}


@pytest.mark.parametrize(("place", "value", "field"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_names_its_field(content: dict[str, Any], place: str, value: Any, field: str) -> None:
    put(content, place, value)
    with pytest.raises(BundleError) as error:
        decode(content)
    assert field in str(error.value)
    assert str(error.value).startswith("b/manifest.json: field ")
    assert str(error.value).endswith("export the bundle again")


@pytest.mark.parametrize("place", ["extra", "input/extra", "graphs/0/extra"])
def test_an_extra_field_is_refused(content: dict[str, Any], place: str) -> None:
    put(content, place, 1)
    with pytest.raises(BundleError, match="extra"):
        decode(content)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "x" * 1_000_000])
def test_an_extra_field_is_told_in_a_line_of_plain_text(content: dict[str, Any], name: str) -> None:
    put(content, name, 1)
    with pytest.raises(BundleError, match="unknown field") as error:
        decode(content)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("field", ["name", "input", "graphs", "golden", "files", "camera"])
def test_a_missing_field_is_named(content: dict[str, Any], field: str) -> None:
    del content[field]
    with pytest.raises(BundleError, match=f"`{field}`"):
        decode(content)


@pytest.mark.parametrize("schema", [0, 2, 99])
def test_an_unknown_schema_is_said_before_anything_else(content: dict[str, Any], schema: int) -> None:
    with pytest.raises(BundleError, match=f"has schema {schema}, this clipdepth reads schema 3"):
        decode({"schema": schema, "not": "understood"})


def test_a_graph_that_files_does_not_list_is_refused(content: dict[str, Any]) -> None:
    put(content, "graphs/0/file", "other.onnx")
    with pytest.raises(BundleError, match=r"graphs\[0\]\.file: other\.onnx is not in files"):
        decode(content)


def test_golden_frames_that_files_does_not_list_are_refused(content: dict[str, Any]) -> None:
    put(content, "golden", "other.npz")
    with pytest.raises(BundleError, match=r"field golden: other\.npz"):
        decode(content)


def test_a_depth_range_upside_down_is_refused(content: dict[str, Any]) -> None:
    put(content, "depth", {"minimum": 5.0, "maximum": 5.0})
    with pytest.raises(BundleError, match="minimum is not below maximum"):
        decode(content)


@pytest.mark.parametrize(("field", "value"), [("mean", 1.0), ("finite", False)])
def test_a_graph_that_was_not_verified_is_refused(content: dict[str, Any], field: str, value: Any) -> None:
    put(content, f"graphs/0/verification/{field}", value)
    with pytest.raises(BundleError, match=r"field graphs: fp32 did not pass"):
        decode(content)


@pytest.mark.parametrize("mean", [1e9, 1.0, 1.1e-3])
def test_a_tolerance_that_lifts_the_gate_is_refused(content: dict[str, Any], mean: float) -> None:
    put(content, "graphs/0/verification/tolerance/mean", mean)
    with pytest.raises(BundleError) as error:
        decode(content)
    assert str(error.value) == (
        f"b/manifest.json: field graphs: the tolerance of fp32: mean {mean:g} is beyond 0.001, "
        "10 times what fp32 may differ by; export the bundle again"
    )
    assert decode_manifest(json.dumps(content).encode(), "random weights", any_tolerance=True)


@pytest.mark.parametrize(
    ("precision", "mean", "delta1", "told"),
    [
        ("fp32", 1e-4, None, None),
        ("fp32", 1e-3, 0.5, "mean 0.001 instead of 0.0001"),
        ("fp16", 1e-4, 0.002, None),
        ("fp16", 5e-3, 0.01, "δ1 1 instead of 0.2 points"),
        ("int8", 0.3, None, "mean 0.3 instead of 0.03, δ1 any instead of 1 points"),
    ],
)
def test_looser_limits_are_told(precision: str, mean: float, delta1: float | None, told: str | None) -> None:
    looser = looser_limits(precision, Tolerance(mean, delta1))
    assert looser == (told and f"limits looser than {precision}'s own: {told}")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": "1"}'])
def test_what_is_no_manifest_is_a_bundle_error(data: bytes) -> None:
    with pytest.raises(BundleError, match="b/manifest"):
        decode_manifest(data, "b/manifest.json")


def test_not_a_number_is_refused(content: dict[str, Any]) -> None:
    text = json.dumps(content).replace('"fx": 57.6', '"fx": NaN')
    assert "NaN" in text
    with pytest.raises(BundleError):
        decode_manifest(text.encode(), "m")


def test_errors_do_not_leak_from_the_decoder(content: dict[str, Any]) -> None:
    put(content, "input", 3)
    with pytest.raises(BundleError) as error:
        decode(content)
    assert not isinstance(error.value, msgspec.MsgspecError)


def test_deep_nesting_is_told_in_a_line() -> None:
    for data in (b"[" * 100_000, b'{"schema":' * 100_000, b'{"schema": 3, "name": ' + b"[" * 100_000):
        with pytest.raises(BundleError) as error:
            decode_manifest(data, "there")
        assert "\n" not in str(error.value)


def int8(content: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    """The graphs of a bundle with int8 for processors and for TensorRT, the second with changes."""
    one = {**content["graphs"][0], "precision": "int8"}
    one["verification"] = {**one["verification"], "tolerance": {"mean": 0.03, "delta1": 0.01}}
    return [{**one, "placement": "cpu"}, {**one, "placement": "tensorrt", **changes}]


def test_a_precision_has_a_graph_for_each_placement(content: dict[str, Any]) -> None:
    content["graphs"] += int8(content)
    manifest = decode(content)
    assert manifest.precisions == ["fp32", "int8"]
    assert [graph.label for graph in manifest.graphs] == ["fp32", "int8 cpu", "int8 tensorrt"]
    assert [[graph.suits(name) for graph in manifest.graphs] for name in ("cpu", "tensorrt")] == [
        [True, True, False],
        [True, False, True],
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"placement": "cpu"}, "field graphs: it has two int8 cpu graphs"),
        ({"placement": None}, "field graphs: it has two int8 cpu graphs"),
        ({"placement": "phone"}, "placement"),
        ({"weights": "other.weights"}, r"field graphs\[2\]\.weights: other\.weights is not in files"),
    ],
)
def test_graphs_that_an_engine_could_not_choose_from_are_refused(
    content: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    content["graphs"] += int8(content, **changes)
    with pytest.raises(BundleError, match=told):
        decode(content)


def test_two_tolerances_of_one_precision_are_refused(content: dict[str, Any]) -> None:
    content["graphs"] += int8(content)
    content["graphs"][2]["verification"] = content["graphs"][0]["verification"]
    with pytest.raises(BundleError, match="field graphs: int8 has two tolerances"):
        decode(content)
