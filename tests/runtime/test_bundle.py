import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from bundles import write_bundle, write_manifest
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.stored_file import stored_file
from clipdepth.errors import BundleError, UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b", 24, 32)


def edit(path: Path, field: str, value: object) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest[field] = value
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_sound_bundle_opens(path: Path) -> None:
    bundle = open_bundle(path)
    assert bundle.graph("fp32") == path / "depth.fp32.onnx"
    assert bundle.golden().frames.shape == (2, 24, 32, 3)


def test_a_copy_elsewhere_opens(path: Path, tmp_path: Path) -> None:
    shutil.copytree(path, tmp_path / "elsewhere")
    assert open_bundle(tmp_path / "elsewhere").manifest == open_bundle(path).manifest


def test_a_graph_it_does_not_have_is_misuse(path: Path) -> None:
    with pytest.raises(UsageError, match="no int8 graph; it has fp32"):
        open_bundle(path).graph("int8")


@pytest.mark.parametrize("name", ["depth.fp32.onnx", "golden.npz"])
@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_flipped_bit_is_found(path: Path, name: str, place: int) -> None:
    data = bytearray((path / name).read_bytes())
    data[place] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name} is not the file its manifest states"):
        open_bundle(path)


def test_a_file_cut_short_is_found(path: Path) -> None:
    data = (path / "golden.npz").read_bytes()
    (path / "golden.npz").write_bytes(data[:-1])
    with pytest.raises(BundleError, match=f"has {len(data) - 1} bytes, its manifest says {len(data)}"):
        open_bundle(path)


@pytest.mark.parametrize("name", ["depth.fp32.onnx", "golden.npz"])
def test_a_missing_file_is_named(path: Path, name: str) -> None:
    (path / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        open_bundle(path)


def test_a_link_out_of_the_bundle_is_not_followed(path: Path, tmp_path: Path) -> None:
    (path / "golden.npz").rename(tmp_path / "outside.npz")
    (path / "golden.npz").symlink_to(tmp_path / "outside.npz")
    with pytest.raises(BundleError, match=r"golden\.npz"):
        open_bundle(path)


def test_a_path_out_of_the_bundle_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "evil").write_text("evil")
    stored = stored_file(tmp_path / "evil")
    edit(path, "files", {"../evil": {"sha256": stored.sha256, "size": stored.size}})
    with pytest.raises(BundleError, match="field"):
        open_bundle(path)


STRAYS = ["depth.trt.engine", "timing.cache", ".hidden", "notes.txt", "weights.safetensors"]


@pytest.mark.parametrize("name", STRAYS)
def test_what_the_manifest_does_not_state_is_refused_by_its_name(path: Path, name: str) -> None:
    (path / name).write_bytes(b"native code")
    with pytest.raises(BundleError, match=f"/b/{name} is not in the bundle's manifest.json; remove it$"):
        open_bundle(path)


def test_a_stray_name_writes_no_escape_codes(path: Path) -> None:
    (path / "\x1b]0;title\x07").touch()
    with pytest.raises(BundleError, match=r"x1b\]0;title.* is not in") as error:
        open_bundle(path)
    assert str(error.value).isprintable()


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle at .* 'clipdepth export RUN"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        open_bundle(tmp_path)


def test_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    stored = stored_file(tmp_path / "abc")
    # FIPS 180-2, appendix B.1
    assert stored.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert stored.size == 3


def test_golden_frames_of_another_size_are_refused(path: Path) -> None:
    edit(path, "input", {"height": 32, "width": 24})
    with pytest.raises(BundleError, match="frames of 32×24"):
        open_bundle(path).golden()


def test_golden_frames_are_those_written(path: Path) -> None:
    golden = open_bundle(path).golden()
    np.testing.assert_allclose(golden.depth, 0.5 + golden.frames.mean(axis=3) * 5 / 255, rtol=1e-6)


@pytest.mark.parametrize("absolute", [False, True])
def test_a_graph_whose_weights_lie_outside_the_folder_is_refused(path: Path, tmp_path: Path, absolute: bool) -> None:
    """ONNX can point at any file; the hashes here are right, as an attacker would make them."""
    outside = tmp_path / "secret.bin"
    outside.write_bytes(np.float32(255).tobytes())
    model = onnx.load(path / "depth.fp32.onnx")
    (weight,) = [tensor for tensor in model.graph.initializer if tensor.name == "nearest"]
    weight.ClearField("raw_data")
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    place = {"location": str(outside) if absolute else f"../{outside.name}", "offset": "0", "length": "4"}
    for key, value in place.items():
        weight.external_data.add(key=key, value=value)
    (path / "depth.fp32.onnx").write_bytes(model.SerializeToString())
    write_manifest(path, 24, 32)
    with pytest.raises(BundleError, match=r"weights in '.*secret.bin', which is not among the bundle's files; export"):
        open_bundle(path)
