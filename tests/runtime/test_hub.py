"""Bundles by `hf:OWNER/NAME`, from a stand-in of the hub on loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants as hub_constants

import clipdepth
from bundles import WEIGHTS, brightness_depth, write_bundle
from clipdepth.bundle.box import find_folder, portable
from clipdepth.bundle.cache import cache_folder
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.hub import fetch_bundle
from clipdepth.bundle.hub_name import hub_name_of, parse_hub_name
from clipdepth.bundle.manifest import LARGEST_MANIFEST, MANIFEST
from clipdepth.cli import main
from clipdepth.errors import BundleError, DownloadError, MissingExtraError, UsageError
from hub_stand_in import TOKEN, Hub, asked_hub
from live_servers import wait_until

NAME = "someone/edge"
HF = f"hf:{NAME}"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with asked_hub(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "edge.bundle", precisions=("fp32", "int8"))


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def put(hub: Hub, bundle: Path, **others: bytes) -> str:
    return hub.add(NAME, {**files_of(bundle), "README.md": b"a card", "other.bin": b"not stated", **others})


def failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.err.count("\n") == 1, told.err
    assert "Traceback" not in told.err
    return told.err


@pytest.mark.parametrize(
    ("text", "revision"),
    [(HF, "main"), (f"{HF}@v1.0", "v1.0"), (f"{HF}@refs/pr/3", "refs/pr/3"), (f"{HF}@{'a' * 40}", "a" * 40)],
)
def test_a_name_and_its_revision(text: str, revision: str) -> None:
    found = parse_hub_name(text)
    assert (found.repository, found.revision) == (NAME, revision)
    assert str(found) == f"{HF}@{revision}"


@pytest.mark.parametrize(
    "text",
    ["hf:", "hf:edge", "hf:a/b/c", "hf:../b", "hf:a/..", "hf:a--b/c", "hf:a/b@", "hf:a/b@../x", "hf:a/b@-x", "hf:a/ b"],
)
def test_what_is_no_name_is_told_before_anything_is_asked(text: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        find_folder(text)
    with pytest.raises(UsageError, match="OWNER/NAME"):
        open_bundle(text)


def test_models_tells_of_a_bundle_on_the_hub(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = put(hub, bundle)
    assert main(["models", HF, "--json", str(tmp_path / "m.json")]) == 0
    assert "graph: MIT" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "m.json").read_text())["models"]
    assert (found["name"], found["path"]) == (f"{HF}@{commit}", str(open_bundle(HF).path))


def test_a_bundle_is_loaded_by_its_name(hub: Hub, bundle: Path) -> None:
    commit = put(hub, bundle)
    opened = open_bundle(HF)
    assert files_of(opened.path) == files_of(bundle)
    assert not any(file.is_symlink() for file in opened.path.iterdir())
    assert opened.name == opened.as_named(HF) == portable(opened.path) == f"{HF}@{commit}"
    frame = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        clipdepth.load(HF, engine="onnxruntime")(frame).depth, brightness_depth(frame), atol=1e-5
    )


def test_nobody_else_can_look_into_the_cache(hub: Hub, bundle: Path) -> None:
    put(hub, bundle)
    folder = fetch_bundle(HF)
    assert folder.is_relative_to(cache_folder())
    levels = [cache_folder(), folder.parent.parent, folder.parent, folder, folder.parent / "refs"]
    assert [oct(level.stat().st_mode)[-3:] for level in levels] == ["700"] * 5
    assert {entry.name for entry in folder.parent.iterdir()} == {"refs", folder.name}


def test_a_second_time_only_the_commit_is_asked_for(hub: Hub, bundle: Path) -> None:
    commit = put(hub, bundle)
    fetch_bundle(HF)
    hub.requests.clear()
    fetch_bundle(HF)
    assert [path for _, path, _ in hub.requests] == [f"/api/models/{NAME}/revision/main"]
    hub.requests.clear()
    fetch_bundle(f"{HF}@{commit}")
    assert not hub.requests


def test_a_command_asks_once(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    commit = put(hub, bundle)
    report = tmp_path / "verdicts.json"
    assert main(["verify", HF, "--json", str(report)]) == 0
    assert json.loads(report.read_text())["bundle"] == f"{HF}@{commit}"
    assert sum("/api/models" in path for path in hub.asked("GET")) == 1


def test_only_what_the_manifest_states_is_downloaded(hub: Hub, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", weights=b"weights to train on from")
    put(hub, bundle)
    opened = open_bundle(HF)
    downloaded = {path.rpartition("/")[2] for path in hub.asked("HEAD")}
    assert downloaded == {MANIFEST, "depth.fp32.onnx", "golden.npz"}
    assert opened.weights().read_bytes() == b"weights to train on from"
    assert opened.weights() == opened.path / WEIGHTS
    assert sum(path.endswith(WEIGHTS) for path in hub.asked("HEAD")) == 1
    open_bundle(HF)


def test_a_new_commit_is_taken_and_an_old_one_stays_pinned(hub: Hub, bundle: Path, tmp_path: Path) -> None:
    old = put(hub, bundle)
    assert open_bundle(HF).name.endswith(old)
    new = hub.add(NAME, files_of(write_bundle(tmp_path / "new", 24, 32)))
    assert open_bundle(HF).name.endswith(new)
    assert open_bundle(f"{HF}@{old}").manifest.input.height == 48


def test_without_a_network_the_last_commit_is_taken_and_said(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    commit = put(hub, bundle)
    fetch_bundle(HF)
    monkeypatch.setattr(hub_constants, "ENDPOINT", "http://127.0.0.1:9")
    assert fetch_bundle(HF).name == commit
    assert [record.getMessage() for record in caplog.records if record.name.startswith("clipdepth")] == [
        f"the hub cannot be reached; taking {HF}@{commit} as it was last found"
    ]
    with pytest.raises(
        DownloadError, match=r"hf:someone/other@main: http://127.0.0.1:9 cannot be reached \(ConnectError\)"
    ):
        fetch_bundle("hf:someone/other")


def test_a_hub_that_is_down_is_as_no_network(hub: Hub, bundle: Path) -> None:
    commit = put(hub, bundle)
    fetch_bundle(HF)
    hub.status = 503
    assert fetch_bundle(HF).name == commit
    with pytest.raises(DownloadError, match="answers with status 503"):
        fetch_bundle("hf:someone/other")


def test_offline_from_the_environment(hub: Hub, bundle: Path) -> None:
    put(hub, bundle)
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "clipdepth", "verify"]
    assert subprocess.run([*command, HF], env=environment, capture_output=True, check=False).returncode == 0
    hub.requests.clear()
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    again = subprocess.run([*command, HF], env=offline, capture_output=True, text=True, check=False)
    assert again.returncode == 0
    assert again.stderr.count("\n") == 1
    assert "as it was last found" in again.stderr
    other = subprocess.run([*command, "hf:a/b"], env=offline, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert other.stderr == (
        "clipdepth: error: hf:a/b@main: HF_HUB_OFFLINE is set, and what the cache has is not enough; "
        "unset HF_HUB_OFFLINE\n"
    )
    assert not hub.requests


def test_a_tampered_file_is_refused_and_not_kept(hub: Hub, bundle: Path) -> None:
    files = files_of(bundle)
    graph = bytearray(files["depth.fp32.onnx"])
    graph[-1] ^= 1
    hub.add(NAME, {**files, "depth.fp32.onnx": bytes(graph)})
    for _ in range(2):
        with pytest.raises(BundleError, match=r"hf:someone/edge@\w{40}/depth.fp32.onnx is not the file its manifest"):
            fetch_bundle(HF)
    assert not list(cache_folder().glob("hub/*/[0-9a-f]*"))


def test_a_file_that_is_damaged_in_the_cache_is_refused(hub: Hub, bundle: Path) -> None:
    put(hub, bundle)
    folder = fetch_bundle(HF)
    (folder / "golden.npz").write_bytes(b"x" * (folder / "golden.npz").stat().st_size)
    with pytest.raises(BundleError, match=f"remove {folder}, and it is downloaded again"):
        open_bundle(HF)


def without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {other: data for other, data in files.items() if other != name}


BROKEN: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "lacks a graph": (
        lambda files: without(files, "depth.int8.onnx"),
        "depth.int8.onnx is in its manifest.json and not",
    ),
    "a longer graph": (
        lambda files: {**files, "golden.npz": b"long" * 9999},
        "golden.npz has 39996 bytes, its manifest",
    ),
    "no manifest": (
        lambda files: without(files, MANIFEST),
        "is no bundle: it has no manifest.json; bundles come there",
    ),
    "transformers": (lambda _: {"config.json": b"{}"}, f"clipdepth export {HF}@"),
    "no JSON": (lambda files: {**files, MANIFEST: b"{"}, "manifest.json of hf:someone/edge@"),
    "too large": (lambda files: {**files, MANIFEST: b" " * (LARGEST_MANIFEST + 1)}, "has more than 16777216 bytes"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_no_sound_bundle_is_told_in_a_line(
    hub: Hub, bundle: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told = BROKEN[fault]
    hub.add(NAME, change(files_of(bundle)))
    assert told in failure(["verify", HF], capsys)
    assert not any(path.endswith(".onnx") for path in hub.asked("GET"))
    assert not list(cache_folder().glob("hub/*/[0-9a-f]*"))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", ".hidden", "a/b", "..", "a\\u0000b"])
def test_a_hostile_file_name_is_refused(hub: Hub, bundle: Path, name: str) -> None:
    manifest = (bundle / MANIFEST).read_text().replace("depth.int8.onnx", name)
    hub.add(NAME, {**files_of(bundle), MANIFEST: manifest.encode(), name: b"x"})
    with pytest.raises(BundleError, match=r"manifest.json of hf:someone/edge@"):
        fetch_bundle(HF)
    assert {path.rpartition("/")[2] for path in hub.asked("GET")} == {"main", MANIFEST}
    assert not list(cache_folder().parent.rglob("*escaped*"))


def test_a_broken_connection_continues_where_it_broke(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_constants, "DOWNLOAD_CHUNK_SIZE", 50_000)  # 10 MB, and it goes on from the last whole one
    large = bytes(np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8))
    write_bundle(bundle, weights=large)
    put(hub, bundle)
    opened = open_bundle(HF)
    hub.breaks[opened.manifest.files[WEIGHTS].sha256] = 200_000
    assert opened.weights().read_bytes() == large
    assert [used for _, path, used in hub.requests if "/lfs/" in path and used] == ["bytes=200000-"]


def test_a_killed_download_goes_on_with_what_is_there(hub: Hub, bundle: Path) -> None:
    put(hub, bundle)
    golden = json.loads((bundle / MANIFEST).read_bytes())["files"]["golden.npz"]["sha256"]
    hub.stalls[golden] = 10
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
    with subprocess.Popen([sys.executable, "-m", "clipdepth", "verify", HF], env=environment) as process:
        assert wait_until(lambda: f"/lfs/{golden}" in hub.asked("GET"))
        process.send_signal(signal.SIGKILL)
    assert not list(cache_folder().glob("hub/*/[0-9a-f]*"))
    hub.stalls.clear()
    hub.requests.clear()
    opened = open_bundle(HF)
    assert files_of(opened.path) == files_of(bundle)
    assert len([path for path in hub.asked("GET") if "/lfs/" in path]) == 1
    assert {entry.name for entry in opened.path.parent.iterdir() if entry.suffix != ".lock"} == {
        "refs",
        opened.path.name,
    }


def test_a_private_bundle_needs_the_hubs_own_token(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hub.add(NAME, files_of(bundle), private=True)
    assert "no such repository" in failure(["verify", HF], capsys)
    monkeypatch.setenv("HF_TOKEN", "hf_Wrong")
    told = failure(["verify", HF], capsys)
    assert "does not take the token" in told
    assert "hf_Wrong" not in told
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["verify", HF, "--json", str(tmp_path / "report.json")]) == 0
    told = capsys.readouterr()
    assert TOKEN not in told.out + told.err + (tmp_path / "report.json").read_text()
    assert not any(TOKEN.encode() in file.read_bytes() for file in cache_folder().rglob("*") if file.is_file())


def test_a_token_that_is_none_is_not_shown(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(hub, bundle)
    monkeypatch.setenv("HF_TOKEN", "hf_Sec\x01ret")
    told = failure(["verify", HF], capsys)
    assert "Sec" not in told


def test_a_gated_bundle_says_so(hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add(NAME, files_of(bundle), gated=True)
    assert "it is gated; ask for access" in failure(["verify", HF], capsys)


def test_a_wrong_revision(hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(hub, bundle)
    assert "has no such revision" in failure(["verify", f"{HF}@v9"], capsys)


def test_a_full_disk_is_told_before_the_download(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(hub, bundle)
    monkeypatch.setattr("clipdepth.bundle.hub.shutil.disk_usage", lambda _: type("Usage", (), {"free": 5000}))
    assert "free some space, or set XDG_CACHE_HOME" in failure(["verify", HF], capsys)
    assert not any(path.endswith(".onnx") for path in hub.asked("GET"))


def test_no_output_takes_the_place_of_a_file_of_it(hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(hub, bundle)
    manifest = fetch_bundle(HF) / MANIFEST
    assert main(["verify", HF, "--json", str(manifest)]) == 2
    assert "would be written over" in capsys.readouterr().err


def test_without_huggingface_hub_the_extra_is_named(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = put(hub, bundle)
    pinned = fetch_bundle(HF)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clipdepth\[hub\]'"):
        fetch_bundle(HF)
    assert fetch_bundle(f"{HF}@{commit}") == pinned


def test_a_folder_elsewhere_has_no_name_on_the_hub(tmp_path: Path) -> None:
    assert hub_name_of(tmp_path / "someone--edge" / ("a" * 40)) is None
    assert hub_name_of(cache_folder() / "hub" / "someone--edge" / "main") is None
