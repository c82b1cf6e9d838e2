"""`clipdepth data`, from its arguments to the files."""

import hashlib
import socket
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest

from clipdepth.cli import main
from clipdepth.rooms import Room, default_intrinsics
from clipdepth_train.data import nyu_files as nyu
from clipdepth_train.data.nyu_files import RemoteFile
from train import nyu_mat

SIZE = (48, 64)


@pytest.fixture(scope="module")
def mats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mats")
    nyu_mat.write_labeled(folder / nyu.LABELED.name)
    nyu_mat.write_splits(folder / nyu.SPLITS_MAT.name)
    return folder


def serve_from(monkeypatch: pytest.MonkeyPatch, mats: Path, host: str) -> None:
    """Let the dataset's files be those in `mats`, as `host` serves them."""
    for name in ("LABELED", "SPLITS_MAT"):
        file = mats / getattr(nyu, name).name
        md5 = hashlib.md5(file.read_bytes()).hexdigest()
        monkeypatch.setattr(nyu, name, RemoteFile(f"{host}/{file.name}", md5))


def test_nyu_from_given_files(mats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "--labeled",
        str(mats / nyu.LABELED.name),
        "--splits",
        str(mats / nyu.SPLITS_MAT.name),
    ]
    assert main(["data", "prepare", "nyu", "--out", str(tmp_path), *given]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 2 frames to train, 2 to test\n"
    assert len((tmp_path / "train.txt").read_text().splitlines()) == 2
    assert not (tmp_path / "download").exists()


def test_nyu_from_the_download_folder(mats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_from(monkeypatch, mats, "http://127.0.0.1:9")  # never asked
    assert main(["data", "prepare", "nyu", "--out", str(tmp_path), "--download-to", str(mats)]) == 0
    assert (tmp_path / "train.txt").is_file()


def test_nyu_downloaded(mats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=str(mats))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        serve_from(monkeypatch, mats, f"http://127.0.0.1:{server.server_address[1]}")
        assert main(["data", "prepare", "nyu", "--out", str(tmp_path)]) == 0
        server.shutdown()
        thread.join()
    copies = {path.name: path.read_bytes() for path in (tmp_path / "download").iterdir()}
    assert copies == {path.name: path.read_bytes() for path in mats.iterdir()}
    assert (tmp_path / "train.txt").is_file()


def test_nyu_unreachable_is_one_line_with_a_remedy(
    mats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        serve_from(monkeypatch, mats, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert main(["data", "prepare", "nyu", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"download it in a browser to {tmp_path}/download/splits.mat" in error


def render(out: Path, *options: str) -> None:
    arguments = ["--out", str(out), "--size", "48x64", *options]
    assert main(["data", "render", "rooms", *arguments]) == 0


def test_rooms_hold_what_the_renderer_gives(tmp_path: Path) -> None:
    render(tmp_path, "--train", "22", "--test", "1", "--seed", "3")
    lines = (tmp_path / "train.txt").read_text().splitlines()
    focal = default_intrinsics(*SIZE).fx
    assert len(lines) == 22
    assert lines[-1] == f"room_00002/rgb_00001.jpg room_00002/sync_depth_00001.png {round(focal, 4)}"
    expected = Room(3_000_002).render(0.5, default_intrinsics(*SIZE))
    folder = tmp_path / "train" / "room_00002"
    depth = np.asarray(cv2.imread(str(folder / "sync_depth_00001.png"), cv2.IMREAD_UNCHANGED))
    np.testing.assert_allclose(depth / 1000, expected.depth, atol=0.00051)
    picture = np.asarray(cv2.imread(str(folder / "rgb_00001.jpg")), float)
    assert np.abs(picture - expected.frame).mean() < 4
    np.testing.assert_allclose(np.loadtxt(folder / "pose_00001.txt"), expected.pose, atol=1e-6)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "K.txt"), default_intrinsics(*SIZE).matrix)


def test_no_room_is_in_both_splits_and_more_training_leaves_the_test_alone(tmp_path: Path) -> None:
    render(tmp_path / "few", "--train", "1", "--test", "2")
    render(tmp_path / "many", "--train", "21", "--test", "2")
    rooms = {split: {path.name for path in (tmp_path / "many" / split).iterdir()} for split in ("train", "test")}
    assert rooms == {
        "train": {"room_00000", "room_00002"},
        "test": {"room_00001"},
    }
    few, many = (sorted((tmp_path / name / "test").rglob("*.*")) for name in ("few", "many"))
    assert [path.read_bytes() for path in few] == [path.read_bytes() for path in many]


def test_the_seed_changes_the_rooms(tmp_path: Path) -> None:
    for seed in ("0", "1"):
        render(tmp_path / seed, "--train", "1", "--test", "0", "--seed", seed)
    first, second = (tmp_path / seed / "train/room_00000/sync_depth_00000.png" for seed in ("0", "1"))
    assert first.read_bytes() != second.read_bytes()


@pytest.mark.parametrize("size", ["48", "48x", "0x64", "48x64x3", "axb", "-48x64"])
def test_a_bad_size_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], size: str) -> None:
    assert main(["data", "render", "rooms", "--out", str(tmp_path), f"--size={size}"]) == 2
    assert f"'{size}' is not HxW" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["prepare"], ["prepare", "kitti"], ["render", "rooms"]])
def test_an_incomplete_command_is_misuse_told_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(["data", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_in_the_way_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    assert main(["data", "render", "rooms", "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(tmp_path / "out") in error
