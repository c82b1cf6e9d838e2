"""Engines kept in the user's cache and found again, by an equal key only."""

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import msgspec
import pytest

from bundles import write_bundle
from clipdepth.bundle.agreement import Agreement, Tolerance
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.manifest import StoredFile
from clipdepth.engines.tensorrt.gpu import Gpu
from clipdepth.engines.tensorrt.record import SCHEMA, EngineKey, EngineRecord, engine_key
from clipdepth.engines.tensorrt.store import EngineStore
from clipdepth.errors import BundleError, EngineError, UsageError

ORIN = Gpu("Orin (nvgpu)", "8.7")
ENGINE = b"ftrt\x00 an engine"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "clipdepth"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(tmp_path / "kitchen.bundle", precisions=("fp32", "fp16")))


@pytest.fixture
def key(bundle: Bundle) -> EngineKey:
    return engine_key(bundle, "fp16", ORIN, "10.3.0")


def record_of(key: EngineKey, mean: float = 1e-3) -> EngineRecord:
    return EngineRecord(
        schema=SCHEMA,
        written_by="clipdepth test",
        key=key,
        file="depth.engine",
        stored=StoredFile(sha256=sha256(ENGINE).hexdigest(), size=len(ENGINE)),
        build_seconds=1.5,
        workspace_mb=None,
        graph_precisions={"fp16": 3},
        engine_precisions={"fp16": 2},
        verification=Agreement(2, mean, 2e-3, 3e-3, True, Tolerance(5e-3)),
    )


def test_the_key_names_device_library_graph_and_precision(bundle: Bundle, key: EngineKey) -> None:
    assert (key.gpu, key.compute_capability, key.tensorrt, key.precision) == ("Orin (nvgpu)", "8.7", "10.3.0", "fp16")
    assert key.graph_sha256 == sha256(bundle.graph("fp16").read_bytes()).hexdigest()
    with pytest.raises(UsageError, match="no int8 graph"):
        engine_key(bundle, "int8", ORIN, "10.3.0")


def test_weights_beside_the_graph_are_part_of_its_hash(bundle: Bundle, key: EngineKey) -> None:
    graphs = [msgspec.structs.replace(graph, weights="depth.fp16.weights") for graph in bundle.manifest.graphs]

    def hash_with(sha256: str) -> str:
        files = {**bundle.manifest.files, "depth.fp16.weights": StoredFile(sha256=sha256, size=9)}
        manifest = msgspec.structs.replace(bundle.manifest, files=files, graphs=graphs)
        return engine_key(Bundle(bundle.path, manifest), "fp16", ORIN, "10.3.0").graph_sha256

    assert len({key.graph_sha256, hash_with("ab" * 32), hash_with("cd" * 32)}) == 3


def test_an_engine_is_found_again_as_it_was_written(bundle: Bundle, key: EngineKey, cache: Path) -> None:
    store = EngineStore(bundle)
    assert store.find(key) is None
    path = store.write(ENGINE, record_of(key))
    assert path.read_bytes() == ENGINE  # nothing before or after: trtexec reads it
    assert path.parent.parent.parent == cache
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in (cache, path.parent.parent, path.parent))
    assert store.find(key) == record_of(key)
    assert store.require(key) == ENGINE
    assert json.loads(path.with_suffix(".json").read_text())["key"]["gpu"] == "Orin (nvgpu)"
    open_bundle(bundle.path)


def test_a_copy_of_the_bundle_has_its_engines_and_another_bundle_has_not(
    bundle: Bundle, key: EngineKey, tmp_path: Path
) -> None:
    EngineStore(bundle).write(ENGINE, record_of(key))
    copy = open_bundle(copytree(bundle.path, tmp_path / "copy"))
    assert EngineStore(copy).require(key) == ENGINE
    other = open_bundle(write_bundle(tmp_path / "other", precisions=("fp32", "fp16"), frames=3))
    assert engine_key(other, "fp16", ORIN, "10.3.0") == key
    assert EngineStore(other).find(key) is None


def test_an_engine_in_a_bundle_is_refused_and_never_read(bundle: Bundle, key: EngineKey) -> None:
    """Its record is right in all that an attacker can know: the GPU, TensorRT's version and the graph."""
    store = EngineStore(bundle)
    path = store.write(ENGINE, record_of(key))
    store.folder.rename(bundle.path / "engines")
    assert (bundle.path / "engines" / path.name).read_bytes() == ENGINE
    assert store.find(key) is None
    with pytest.raises(BundleError) as error:
        open_bundle(bundle.path)
    assert str(error.value) == (
        f"{bundle.path / 'engines'} is not in the bundle's manifest.json; remove it: engines lie in the user's cache "
        f"now, and are built again with 'clipdepth build {bundle.path}'"
    )


@pytest.mark.parametrize("suffix", [".engine", ".json"])
@pytest.mark.parametrize("spoil", ["another user's", "a link", "a pipe", "a folder"])
def test_what_is_no_plain_file_of_ones_own_is_as_good_as_none(
    bundle: Bundle, key: EngineKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, spoil: str
) -> None:
    store = EngineStore(bundle)
    path = store.write(ENGINE, record_of(key)).with_suffix(suffix)
    if spoil == "another user's":
        owner = path.stat().st_uid
        monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    else:
        path.rename(tmp_path / path.name)
        {
            "a link": lambda: path.symlink_to(tmp_path / path.name),
            "a pipe": lambda: os.mkfifo(path),
            "a folder": path.mkdir,
        }[spoil]()
    assert store.find(key) is None


@pytest.mark.parametrize(
    "other",
    [
        {"gpu": "NVIDIA GeForce RTX 4090"},
        {"gpu": "Orin [nvgpu]"},
        {"compute_capability": "8.9"},
        {"tensorrt": "10.3.1"},
        {"graph_sha256": "0" * 64},
        {"precision": "fp32"},
    ],
)
def test_any_other_key_finds_nothing(bundle: Bundle, key: EngineKey, other: dict[str, str]) -> None:
    store = EngineStore(bundle)
    store.write(ENGINE, record_of(key))
    assert store.find(msgspec.structs.replace(key, **other)) is None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


SPOILERS: dict[str, Callable[[Path], object]] = {
    "cut engine": cut,
    "changed engine": change,
    "no engine": Path.unlink,
    "no record": lambda path: path.with_suffix(".json").unlink(),
    "cut record": lambda path: cut(path.with_suffix(".json")),
    "another version's record": lambda path: path.with_suffix(".json").write_text('{"schema": 99}'),
    "a record that is no text": lambda path: path.with_suffix(".json").write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_a_damaged_engine_is_as_good_as_none(bundle: Bundle, key: EngineKey, name: str) -> None:
    store = EngineStore(bundle)
    SPOILERS[name](store.write(ENGINE, record_of(key)))
    assert store.find(key) is None
    store.write(ENGINE, record_of(key))
    assert store.find(key) is not None


def test_an_engine_that_did_not_pass_is_not_found(bundle: Bundle, key: EngineKey) -> None:
    store = EngineStore(bundle)
    store.write(ENGINE, record_of(key, mean=0.1))
    assert store.find(key) is None


def test_where_none_fits_the_error_names_the_keys_and_the_remedy(bundle: Bundle, key: EngineKey) -> None:
    store = EngineStore(bundle)
    with pytest.raises(EngineError, match=r"\(there: none\)"):
        store.require(key)
    store.write(ENGINE, record_of(key))
    with pytest.raises(EngineError) as error:
        store.require(msgspec.structs.replace(key, gpu="NVIDIA Thor", compute_capability="11.0", tensorrt="11.4.0.106"))
    message = str(error.value)
    assert "no engine fp16 for NVIDIA Thor (compute capability 11.0), TensorRT 11.4.0.106, graph " in message
    assert f" was built of {bundle.path} " in message
    assert "(there: fp16 for Orin (nvgpu) (compute capability 8.7), TensorRT 10.3.0, graph " in message
    assert f"run 'clipdepth build {bundle.path} --precision fp16' on this device" in message


def test_the_timing_cache_is_kept(bundle: Bundle) -> None:
    store = EngineStore(bundle)
    assert store.timing_cache() == b""
    store.keep_timing_cache(b"times")
    assert EngineStore(bundle).timing_cache() == b"times"


def test_a_timing_cache_of_another_user_is_not_read(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EngineStore(bundle)
    store.keep_timing_cache(b"times")
    owner = store.folder.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    assert store.timing_cache() == b""
