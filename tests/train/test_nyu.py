"""NYU Depth v2's conversion, on small files of the same format."""

import resource
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from clipdepth.errors import DataError, OutputError
from clipdepth_train.data.nyu import LABELED, SPLITS_MAT, prepare_nyu
from train import nyu_mat

FILES = {
    "train/kitchen/rgb_00000.jpg",
    "train/kitchen/sync_depth_00000.png",
    "train/kitchen/dense/sync_depth_dense_00000.png",
    "train/office/rgb_00003.jpg",
    "train/office/sync_depth_00003.png",
    "train/office/dense/sync_depth_dense_00003.png",
    "test/living_room/rgb_00001.jpg",
    "test/living_room/sync_depth_00001.png",
    "test/living_room/dense/sync_depth_dense_00001.png",
    "test/kitchen/rgb_00002.jpg",
    "test/kitchen/sync_depth_00002.png",
    "test/kitchen/dense/sync_depth_dense_00002.png",
}


@pytest.fixture(scope="module")
def mats(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mats")
    return nyu_mat.write_labeled(folder / "labeled.mat"), nyu_mat.write_splits(folder / "splits.mat")


@pytest.fixture(scope="module")
def converted(mats: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    prepare_nyu(*mats, out)
    return out


@pytest.fixture
def labeled(mats: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy to damage."""
    path = tmp_path / "labeled.mat"
    path.write_bytes(mats[0].read_bytes())
    return path


def files_below(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def read(path: Path, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[np.generic]:
    image = cv2.imread(str(path), flags)
    assert image is not None
    return np.asarray(image)


def test_each_picture_lands_in_its_split_and_scene_under_its_index(converted: Path) -> None:
    assert files_below(converted) == FILES | {"K.txt", "train.txt", "test.txt"}


def test_raw_depth_is_in_millimetres_upright(converted: Path) -> None:
    depth = read(converted / "test/living_room/sync_depth_00001.png")
    assert depth.dtype == np.uint16
    np.testing.assert_array_equal(depth, nyu_mat.raw_millimetres(1)[7:474, 7:632])


def test_dense_depth_has_no_hole(converted: Path) -> None:
    depth = read(converted / "train/office/dense/sync_depth_dense_00003.png")
    np.testing.assert_array_equal(depth, nyu_mat.dense_millimetres(3)[7:474, 7:632])


@pytest.mark.parametrize(
    ("row", "column", "colour"),
    [
        (100, 100, nyu_mat.RED),
        (100, 500, nyu_mat.GREEN),
        (400, 100, nyu_mat.BLUE),
        (400, 500, nyu_mat.WHITE),
    ],
)
def test_picture_keeps_orientation_and_colour_order(
    converted: Path, row: int, column: int, colour: tuple[int, int, int]
) -> None:
    picture = read(converted / "train/kitchen/rgb_00000.jpg").astype(int)
    assert picture.shape == (467, 625, 3)
    np.testing.assert_allclose(picture[row - 7, column - 7], colour[::-1], atol=3)


def test_the_frame_is_cut_away_from_picture_and_depth(converted: Path) -> None:
    picture = read(converted / "train/kitchen/rgb_00000.jpg", cv2.IMREAD_GRAYSCALE).astype(float)
    assert picture.shape == (467, 625)
    for name in ("sync_depth_00000.png", "dense/sync_depth_dense_00000.png"):
        assert read(converted / "train/kitchen" / name).shape == (467, 625)
    assert picture[457:463, 393:593].mean() > 245


def test_lists_name_files_relative_to_their_split(converted: Path) -> None:
    assert (converted / "train.txt").read_text() == (
        "kitchen/rgb_00000.jpg kitchen/sync_depth_00000.png 518.8579\n"
        "office/rgb_00003.jpg office/sync_depth_00003.png 518.8579\n"
    )
    for line in (converted / "test.txt").read_text().splitlines():
        rgb, depth, _ = line.split()
        assert (converted / "test" / rgb).is_file()
        assert (converted / "test" / depth).is_file()


def test_intrinsics_are_the_kinects(converted: Path) -> None:
    wanted = np.array([[518.86, 0, 325.58 - 7], [0, 519.47, 253.74 - 7], [0, 0, 1]])
    np.testing.assert_allclose(np.loadtxt(converted / "K.txt"), wanted, atol=0.005)


def test_only_what_is_missing_is_written_again(mats: tuple[Path, Path], tmp_path: Path) -> None:
    prepare_nyu(*mats, tmp_path)
    lost = tmp_path / "test/kitchen/sync_depth_00002.png"
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in FILES}
    content = lost.read_bytes()
    lost.unlink()
    prepare_nyu(*mats, tmp_path)
    after = {name: (tmp_path / name).stat().st_mtime_ns for name in FILES}
    assert {name for name in FILES if after[name] != before[name]} == {"test/kitchen/sync_depth_00002.png"}
    assert lost.read_bytes() == content


def test_an_interrupted_run_leaves_whole_files_and_no_list(
    mats: tuple[Path, Path], labeled: Path, tmp_path: Path
) -> None:
    with h5py.File(labeled, "r") as file:
        chunks = file["rawDepths"].id
        last = chunks.get_chunk_info(chunks.get_num_chunks() - 1)
    with labeled.open("r+b") as raw:
        raw.seek(last.byte_offset)
        raw.write(b"\xff" * last.size)
    with pytest.raises(DataError, match=r"cannot read rawDepths\[3\] from .*labeled.mat"):
        prepare_nyu(labeled, mats[1], tmp_path / "out")
    missing = {"train/office/sync_depth_00003.png", "train/office/dense/sync_depth_dense_00003.png"}
    assert files_below(tmp_path / "out") == FILES - missing


def test_a_disk_that_refuses_is_an_output_error(mats: tuple[Path, Path], tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*rgb_00000.jpg: File too large; free some"):
            prepare_nyu(*mats, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files_below(tmp_path) == set()


def missing(path: Path) -> None:
    path.unlink()


def web_page(path: Path) -> None:
    path.write_text("<html>404 Not Found</html>")


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def old_format(path: Path) -> None:
    scipy.io.savemat(path, {"images": np.zeros((480, 640, 3))})


def without_raw_depth(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["rawDepths"]


def one_depth_short(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["depths"]
        file.create_dataset("depths", (3, 640, 480), "f4")


def axes_not_reversed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["images"]
        file.create_dataset("images", (4, 480, 640, 3), "u1")


def scene_outside(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["sceneTypes"], file["#refs#"]
        nyu_mat.write_scenes(file, ("../../etc", *nyu_mat.SCENES[1:]))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (missing, "no file .*labeled.mat"),
        (web_page, "labeled.mat is not an HDF5 file"),
        (truncated, "labeled.mat is truncated"),
        (old_format, "labeled.mat is a MATLAB 5 file, not MATLAB 7.3"),
        (without_raw_depth, "no 'rawDepths' in .*labeled.mat"),
        (one_depth_short, "labeled.mat holds 4 images, 3 depths, 4 rawDepths, 4 sceneTypes"),
        (axes_not_reversed, r"'images' in .*labeled.mat has shape \(4, 480, 640, 3\)"),
        (scene_outside, r"sceneTypes\[0\] in .*labeled.mat is '../../etc'"),
    ],
)
def test_a_bad_labeled_file_is_named_with_a_remedy(
    mats: tuple[Path, Path], labeled: Path, tmp_path: Path, damage: Callable[[Path], None], found: str
) -> None:
    damage(labeled)
    with pytest.raises(DataError, match=found) as raised:
        prepare_nyu(labeled, mats[1], tmp_path / "out")
    assert LABELED.url in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("train", "test", "found"),
    [
        ((0, 1), (2, 3), "'trainNdxs' in .*splits.mat names picture 0, but there are 1 to 4"),
        ((1, 2), (3, 5), "'testNdxs' in .*splits.mat names picture 5, but there are 1 to 4"),
        ((1, 2), (2, 3), "splits.mat has picture 2 in train and in test"),
    ],
)
def test_bad_splits_are_named(
    mats: tuple[Path, Path], tmp_path: Path, train: tuple[int, ...], test: tuple[int, ...], found: str
) -> None:
    splits = nyu_mat.write_splits(tmp_path / "splits.mat", train, test)
    with pytest.raises(DataError, match=found):
        prepare_nyu(mats[0], splits, tmp_path / "out")


def without_test_split(path: Path) -> None:
    scipy.io.savemat(path, {"trainNdxs": np.array([[1.0], [2.0]])})


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (missing, "no file .*splits.mat"),
        (web_page, "splits.mat: not a MATLAB 5 file, or damaged"),
        (truncated, "splits.mat: not a MATLAB 5 file, or damaged"),
        (nyu_mat.write_labeled, "splits.mat: not a MATLAB 5 file, or damaged"),
        (without_test_split, "no 'testNdxs' in .*splits.mat"),
    ],
)
def test_a_bad_splits_file_is_named_with_a_remedy(
    mats: tuple[Path, Path], tmp_path: Path, damage: Callable[[Path], None], found: str
) -> None:
    splits = nyu_mat.write_splits(tmp_path / "splits.mat")
    damage(splits)
    with pytest.raises(DataError, match=found) as raised:
        prepare_nyu(mats[0], splits, tmp_path / "out")
    assert SPLITS_MAT.url in str(raised.value)
