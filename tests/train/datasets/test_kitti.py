"""KITTI by Eigen's split, in the layouts of its lists."""

from pathlib import Path

import pytest

from train.dataset_files import listed, picture, prepare, ramp, refused, write, write_text

DATE, DRIVE = "2011_09_26", "2011_09_26_drive_0057_sync"
SIZE = (40, 12)
FOCAL, ROW = "7.215377e+02", "0.0 0.0 1.0 2.745884e-03"
CALIBRATION = f"""calib_time: 09-Jan-2012 13:57:47
S_rect_02: 4.000000e+01 1.200000e+01
P_rect_02: {FOCAL} 0.0 6.095593e+02 4.485728e+01 0.0 {FOCAL} 1.728540e+02 2.163791e-01 {ROW}
S_rect_03: 4.000000e+01 1.200000e+01
P_rect_03: {FOCAL} 0.0 6.085593e+02 -3.395242e+02 0.0 {FOCAL} 1.728540e+02 2.199936e+00 {ROW}
"""


def write_drive(top: Path, depth: Path, suffix: str = ".png") -> None:
    write_text(top / DATE / "calib_cam_to_cam.txt", CALIBRATION)
    for side in ("image_02", "image_03"):
        for number in (4, 5, 311):
            write(top / DATE / DRIVE / side / "data" / f"{number:010d}{suffix}", picture(9, *SIZE))
            if number > 4:
                write(depth / DRIVE / "proj_depth" / "groundtruth" / side / f"{number:010d}.png", ramp(number, *SIZE))


def line(number: int, depth: bool = True) -> str:
    rgb = f"{DATE}/{DRIVE}/image_02/data/{number:010d}.png"
    return (
        f"{rgb} {DRIVE}/proj_depth/groundtruth/image_02/{number:010d}.png 721.5377\n"
        if depth
        else f"{rgb} None 721.5\n"
    )


@pytest.mark.parametrize("place", ["", "data_depth_annotated/train", "data_depth_annotated/val", "train"])
def test_lists_of_bts(tmp_path: Path, place: str) -> None:
    top = tmp_path / "kitti"
    write_drive(top, top / place)
    write_text(tmp_path / "lists" / "eigen_train_files_with_gt.txt", line(5) + line(311))
    write_text(tmp_path / "lists" / "eigen_test_files_with_gt.txt", line(4, depth=False) + line(311))
    assert prepare("kitti", top, tmp_path / "out", "--lists", str(tmp_path / "lists")) == 0
    train, test = (listed(tmp_path / "out", split) for split in ("train", "test"))
    assert [one.camera for one in train] == [(721.5377, 721.5377, 609.5593, 172.854)] * 2
    assert [int(one.units[0, 0]) for one in train] == [5, 311]
    assert len(test) == 1
    assert (tmp_path / "out" / "depth_scale.txt").read_text() == "256\n"
    assert not list((tmp_path / "out").glob("scenes"))


def test_lists_of_monodepth2_with_both_cameras_and_jpeg(tmp_path: Path) -> None:
    write_drive(tmp_path, tmp_path / "train", ".jpg")
    write_text(tmp_path / "train_files.txt", f"{DATE}/{DRIVE} 5 l\n{DATE}/{DRIVE} 5 r\n{DATE}/{DRIVE} 4 l\n")
    write_text(tmp_path / "test_files.txt", f"{DATE}/{DRIVE} 0000000311 l\n")
    assert prepare("kitti", tmp_path, tmp_path / "out") == 0
    assert [one.camera[2] for one in listed(tmp_path / "out", "train")] == [609.5593, 608.5593]
    assert [one.rgb.name for one in listed(tmp_path / "out", "test")] == ["0000000311.jpg"]


def test_what_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_drive(tmp_path, tmp_path)
    assert "--lists" in refused(capsys, "kitti", tmp_path, tmp_path / "out")
    write_text(tmp_path / "train_files.txt", "somewhere else\n")
    assert "names no picture of KITTI" in refused(capsys, "kitti", tmp_path, tmp_path / "out")
    write_text(tmp_path / "train_files.txt", f"{DATE}/{DRIVE} 311 l\n")
    write_text(tmp_path / DATE / "calib_cam_to_cam.txt", "P_rect_02: 1 2\n")
    assert "has no P_rect_02" in refused(capsys, "kitti", tmp_path, tmp_path / "out")
    (tmp_path / DATE / DRIVE / "image_02" / "data" / "0000000311.png").unlink()
    assert "0000000311.png, listed in" in refused(capsys, "kitti", tmp_path, tmp_path / "out")
