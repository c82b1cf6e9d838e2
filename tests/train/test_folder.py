"""Folders of RGB-D pairs, good and bad."""

import logging
from pathlib import Path

import numpy as np
import pytest

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.folder import FolderSet, read_depth, read_frame
from train.rgbd_files import colours, millimetres, write_pair, write_png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three training pairs in two scenes, without lists; K.txt."""
    write_pair(tmp_path / "train" / "attic", "00001", 1000)
    write_pair(tmp_path / "train" / "attic", "00002", 2000, ".jpg")
    write_pair(tmp_path / "train" / "bath", "00001", 3000)
    np.savetxt(tmp_path / "K.txt", np.array([[7, 0, 4], [0, 8, 3], [0, 0, 1]]))
    return tmp_path


def opened(folder: Path, scale: float = 1000.0, max_depth: float = 10.0, dense: bool = False) -> FolderSet:
    return FolderSet(folder, "train", scale, max_depth, dense)


def depths(pairs: FolderSet) -> list[float]:
    """The depth of each pair's first pixel, metres."""
    return [float(pairs[index].depth[0, 0]) for index in range(len(pairs))]


def told(folder: Path, *parts: str, dense: bool = False) -> None:
    """Opening and reading the folder is refused in one line that holds `parts`."""
    with pytest.raises(DataError) as error:
        depths(opened(folder, dense=dense))
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_without_a_list_every_pair_below_the_split_is_taken(folder: Path) -> None:
    pairs = opened(folder)
    assert len(pairs) == 3
    assert depths(pairs) == [1, 2, 3]
    assert pairs.picture_size == (6, 8)
    for index, blue in enumerate((10, 20, 30)):
        pair = pairs[index]
        assert pair.frame.dtype == np.uint8
        assert pair.depth.dtype == np.float32
        np.testing.assert_allclose(pair.frame, colours(blue), atol=2)
    np.testing.assert_array_equal(pairs[2].frame, colours(30))


def test_a_list_decides_what_is_taken_in_its_order(folder: Path) -> None:
    (folder / "train.txt").write_text(
        "bath/rgb_00001.png bath/sync_depth_00001.png 518.8\n"
        "\n"
        "/attic/rgb_00001.png /attic/sync_depth_00001.png 520.8\n"
        "attic/rgb_00002.jpg None 518.8\n"
        "train/attic/rgb_00002.jpg train/attic/sync_depth_00002.png\n"
    )
    pairs = opened(folder)
    assert depths(pairs) == [3, 1, 2]
    assert pairs.focal == (518.8, 518.8), "of the first pair"
    cameras = [pairs[index].intrinsics for index in range(3)]
    assert [camera and camera.fx for camera in cameras] == [518.8, 520.8, None]


def test_a_line_may_state_a_whole_camera(folder: Path) -> None:
    (folder / "train.txt").write_text("bath/rgb_00001.png bath/sync_depth_00001.png 600 610.5 4.25 2.5\n")
    pairs = opened(folder)
    assert (pairs.focal, pairs.centre) == ((600, 610.5), (4.25, 2.5))
    assert pairs[0].intrinsics == Intrinsics(8, 6, 600, 610.5, 4.25, 2.5)


def test_a_camera_of_words_is_refused_with_its_line(folder: Path) -> None:
    (folder / "train.txt").write_text("bath/rgb_00001.png bath/sync_depth_00001.png wide\n")
    told(folder, f"{folder}/train.txt:1: 'wide' are not numbers of a camera", "correct them")


@pytest.mark.parametrize("words", ["-585", "nan", "0", "inf", "500 500 nan 3", "500 -1 4 3"])
def test_a_camera_that_cannot_be_is_refused_with_its_line(folder: Path, words: str) -> None:
    (folder / "train.txt").write_text(f"\nbath/rgb_00001.png bath/sync_depth_00001.png {words}\n")
    with pytest.raises(DataError, match=rf"train\.txt:2: no camera has {words}"):
        opened(folder)


def test_the_folder_may_state_the_scale_of_its_depth(folder: Path) -> None:
    before = depths(opened(folder))
    (folder / "depth_scale.txt").write_text("2000\n")
    assert depths(opened(folder)) == [value / 2 for value in before]
    (folder / "depth_scale.txt").write_text("many\n")
    with pytest.raises(DataError, match="says 'many'"):
        opened(folder)


def test_focal_from_k_txt(folder: Path) -> None:
    assert opened(folder).focal == (7, 8)
    (folder / "train.txt").write_text("bath/rgb_00001.png bath/sync_depth_00001.png\n")
    assert opened(folder).focal == (7, 8)


def test_without_a_focal_length_a_kinects_is_taken_and_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "K.txt").unlink()
    with caplog.at_level(logging.WARNING):
        focal = opened(folder).focal
    assert focal == pytest.approx((518.86 / 640 * 8,) * 2)
    assert str(folder) in caplog.text
    assert "K.txt" in caplog.text


def test_the_principal_point_is_k_txts_or_the_middle(folder: Path) -> None:
    assert opened(folder).centre == (4, 3)
    (folder / "train.txt").write_text("bath/rgb_00001.png bath/sync_depth_00001.png 518.8\n")
    assert opened(folder).centre == (4, 3)
    (folder / "K.txt").unlink()
    # Of 8 columns and 6 rows, whose first pixel's centre is at 0.
    assert opened(folder).centre == (3.5, 2.5)


def test_a_segmentation_is_read_by_what_is_given_for_it(folder: Path) -> None:
    asked = []

    def read(rgb: Path) -> np.ndarray:
        asked.append(rgb)
        return np.full((6, 8, 3), len(asked), np.uint8)

    pairs = FolderSet(folder, "train", 1000.0, 10.0, segments=read)
    assert pairs.pictures == [folder / "train" / name for name in ("attic/rgb_00001.png", "attic/rgb_00002.jpg")] + [
        folder / "train/bath/rgb_00001.png"
    ]
    asked.clear()
    found = [pairs[index].segmentation for index in (2, 0)]
    assert asked == [pairs.pictures[2], pairs.pictures[0]]
    for number, masks in enumerate(found, 1):
        np.testing.assert_array_equal(masks, np.full((6, 8, 3), number))
    assert opened(folder)[0].segmentation is None


def write_pose(rgb: Path, x: float) -> None:
    """A camera at `x` that looks along the world's x axis: its own x is the world's -y, its y the world's -z."""
    pose = np.array([[0, 0, 1, x], [-1, 0, 0, 2], [0, -1, 0, 1.2], [0, 0, 0, 1]])
    np.savetxt(rgb.with_name(f"pose_{rgb.stem.removeprefix('rgb_')}.txt"), pose)


def test_a_neighbour_is_the_next_picture_with_its_pose(folder: Path) -> None:
    pairs = opened(folder)
    for rgb, x in zip(pairs.pictures, (3.0, 3.25, 9.0), strict=True):
        write_pose(rgb, x)
    nearer, farther = pairs.neighbour(0, after=True), pairs.neighbour(1, after=False)
    np.testing.assert_allclose(nearer.frame, colours(20), atol=2)
    np.testing.assert_array_equal(farther.frame, colours(10))
    # Both look the same way: what is 5 m before the first camera is 4.75 m before the second, and back.
    np.testing.assert_allclose(nearer.pose @ [0.5, 0.3, 5, 1], [0.5, 0.3, 4.75, 1])
    np.testing.assert_allclose(farther.pose @ [0.5, 0.3, 4.75, 1], [0.5, 0.3, 5, 1])


def test_a_neighbour_without_a_pose_is_told(folder: Path) -> None:
    with pytest.raises(DataError, match=r"rgb_00001\.png has no pose_00001\.txt"):
        opened(folder).neighbour(0, after=True)


@pytest.mark.parametrize("text", ["1 2 3\n4 5 6\n", "1 2 3\n4 x 6\n7 8 9\n"])
def test_a_bad_k_txt_is_told(folder: Path, text: str) -> None:
    (folder / "K.txt").write_text(text)
    told(folder, f"{folder}/K.txt is not a 3×3 matrix", "correct it")


def test_what_means_unknown(tmp_path: Path) -> None:
    units = np.array([[0, 1, 2000, 10000, 10001, 65534, 65535]], np.uint16)
    path = write_png(tmp_path / "depth.png", units)
    near = np.array([[0, 0.001, 2, 10, 0, 0, 0]], np.float32)
    np.testing.assert_array_equal(read_depth(path, 1000, 10), near)
    far = np.array([[0, 0.001, 2, 10, 10.001, 65.534, 0]], np.float32)
    np.testing.assert_array_equal(read_depth(path, 1000, 100), far)


def test_depth_scale(folder: Path) -> None:
    assert depths(opened(folder, scale=500.0)) == [2, 4, 6]
    assert depths(opened(folder, scale=250.0)) == [4, 8, 0]  # 12 m is beyond the range


def test_dense_depth_is_taken_where_it_is(folder: Path) -> None:
    write_png(folder / "train/attic/dense/sync_depth_dense_00002.png", millimetres(2500))
    assert depths(opened(folder, dense=True)) == [1, 2.5, 3]
    assert depths(opened(folder)) == [1, 2, 3]


def test_a_missing_folder(tmp_path: Path) -> None:
    told(tmp_path / "absent", f"no data at {tmp_path}/absent", "give a folder")


def test_a_missing_split(tmp_path: Path) -> None:
    told(tmp_path, f"{tmp_path} has neither train.txt nor a folder train", "add one")


def test_an_empty_split(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    told(tmp_path, f"{tmp_path}/train names no pair")


def test_an_empty_list(folder: Path) -> None:
    (folder / "train.txt").write_text("\n")
    told(folder, f"{folder}/train.txt names no pair")


@pytest.mark.parametrize("line", ["only/rgb.png", "a.png b.png 1 2"])
def test_a_line_that_is_no_pair(folder: Path, line: str) -> None:
    (folder / "train.txt").write_text(f"bath/rgb_00001.png bath/sync_depth_00001.png\n{line}\n")
    told(folder, f"{folder}/train.txt:2: '{line}' is not 'rgb depth [focal]'", "correct it")


def test_a_listed_file_that_is_missing(folder: Path) -> None:
    (folder / "train.txt").write_text("bath/rgb_00001.png bath/sync_depth_00009.png\n")
    told(folder, f"{folder}/train.txt:1:", "bath/sync_depth_00009.png is missing", "delete the line")


def test_a_picture_without_depth(folder: Path) -> None:
    (folder / "train/bath/sync_depth_00001.png").unlink()
    told(folder, "1 of 3 pictures", f"{folder}/train/bath/rgb_00001.png", "add sync_depth_00001.png")


@pytest.mark.parametrize("name", ["rgb_00001.png", "rgb_00002.jpg", "sync_depth_00001.png"])
@pytest.mark.parametrize("kept", [0, 40])
def test_a_damaged_picture(folder: Path, name: str, kept: int) -> None:
    path = folder / "train/attic" / name
    path.write_bytes(path.read_bytes()[:kept])
    told(folder, f"{path} is damaged or no image", "restore it")


def test_a_picture_that_vanished(folder: Path) -> None:
    pairs = opened(folder)
    path = folder / "train/bath/rgb_00001.png"
    path.unlink()
    with pytest.raises(DataError, match=r"rgb_00001.png cannot be read \(No such file or directory\); restore it"):
        pairs[2]


def test_a_size_that_differs(folder: Path) -> None:
    write_png(folder / "train/bath/sync_depth_00001.png", millimetres(height=5))
    told(folder, "rgb_00001.png", "sync_depth_00001.png", "8×6 and 8×5", "have to be registered")


@pytest.mark.parametrize("wrong", [millimetres().astype(np.uint8), np.stack([millimetres()] * 3, axis=-1)])
def test_depth_that_is_not_16_bit_grey(folder: Path, wrong: np.ndarray) -> None:
    path = write_png(folder / "train/attic/sync_depth_00001.png", wrong)
    told(folder, f"{path} is not a 16-bit grey PNG but {wrong.dtype}", "convert it")


def test_a_grey_picture_is_read_as_colours(tmp_path: Path) -> None:
    path = write_png(tmp_path / "grey.png", colours()[..., 0])
    np.testing.assert_array_equal(read_frame(path), np.full((6, 8, 3), 100))


@pytest.mark.parametrize("level", [255, 0], ids=["white", "blackened"])
def test_nyus_frame_is_cut_from_picture_depth_and_camera(tmp_path: Path, level: int) -> None:
    picture, depth = np.full((480, 640, 3), level, np.uint8), np.full((480, 640), 9000, np.uint16)
    rows, columns = np.mgrid[7:474, 7:632]
    picture[7:474, 7:632, 0], picture[7:474, 7:632, 1:], depth[7:474, 7:632] = rows // 2, 120, 1000 + columns
    (tmp_path / "train").mkdir()
    write_png(tmp_path / "train" / "rgb_00001.png", picture)
    write_png(tmp_path / "train" / "sync_depth_00001.png", depth)
    np.savetxt(tmp_path / "K.txt", np.array([[518.8579, 0, 325.5824], [0, 519.4696, 253.7362], [0, 0, 1]]))
    pairs = opened(tmp_path)
    assert pairs.picture_size == (467, 625)
    np.testing.assert_array_equal(pairs[0].frame[..., 0], rows // 2)
    np.testing.assert_allclose(pairs[0].depth, (1000 + columns) / 1000, rtol=1e-6)
    assert pairs.centre == pytest.approx((318.5824, 246.7362))
    assert pairs.focal == (518.8579, 519.4696)
    assert pairs.is_nyu


def test_nyus_frame_is_cut_from_pictures_of_its_size_alone(tmp_path: Path) -> None:
    folder, larger = tmp_path / "train", np.full((720, 1280, 3), 90, np.uint8)
    for number in range(3):
        picture = np.full((480, 640, 3), 255, np.uint8)
        picture[7:474, 7:632] = 100
        write_png(folder / f"rgb_{number}.png", picture)
        write_png(folder / f"sync_depth_{number}.png", millimetres(2000, 480, 640))
    write_png(folder / "rgb_3.png", larger)
    write_png(folder / "sync_depth_3.png", millimetres(3000, 720, 1280))
    pairs = opened(tmp_path)
    assert [pairs[index].depth.shape for index in range(4)] == [*[(467, 625)] * 3, (720, 1280)]
    np.testing.assert_array_equal(pairs[3].frame, larger)
    np.testing.assert_array_equal(pairs.frame(3), larger)


def test_a_picture_without_a_frame_is_left_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    (tmp_path / "train").mkdir()
    write_png(tmp_path / "train" / "rgb_00001.png", noise)
    write_png(tmp_path / "train" / "sync_depth_00001.png", np.full((480, 640), 1000, np.uint16))
    pairs = opened(tmp_path)
    assert pairs.picture_size == (480, 640)
    np.testing.assert_array_equal(pairs[0].frame, noise)
    assert not pairs.is_nyu


def test_held_out_blocks_are_what_training_does_not_see(tmp_path: Path) -> None:
    for number in range(110):
        write_pair(tmp_path / "train", f"{number:05d}", 1000 + number)
    training = FolderSet(tmp_path, "train", 1000.0, 10.0, held_out=3)
    validation = FolderSet(tmp_path, "test", 1000.0, 10.0, held_out=3)
    numbers = [{round(depth * 1000) - 1000 for depth in depths(pairs)} for pairs in (training, validation)]
    # Blocks of 20: 0 to 5, of which the second and the fifth are held out.
    assert numbers[1] == {*range(20, 40), *range(80, 100)}
    assert numbers[0] == set(range(110)) - numbers[1]
