"""ARKitScenes, in its own layout."""

from pathlib import Path

import pytest

from train.dataset_files import listed, picture, prepare, ramp, refused, write, write_text

WIDTH, HEIGHT = 256, 192


def write_video(folder: Path, video: str) -> None:
    for index, time in enumerate(("6791.999", "6792.016", "10001.300")):
        write(folder / "lowres_wide" / f"{video}_{time}.png", picture(index, WIDTH, HEIGHT))
        if index < 2:
            write(folder / "lowres_depth" / f"{video}_{time}.png", ramp(100 * index, WIDTH, HEIGHT))
        # The second camera's file is a millisecond off.
        name = f"{video}_{time}" if index != 1 else f"{video}_6792.017"
        words = f"256 192 {212.5 + index} {212.25 + index} 127.933 95.9333\n"
        write_text(folder / "lowres_wide_intrinsics" / f"{name}.pincam", words)


@pytest.mark.parametrize("inner", ["", "40753679_frames"])
def test_each_picture_has_its_own_camera(tmp_path: Path, inner: str) -> None:
    top = tmp_path / "3dod"
    write_video(top / "Training" / "40753679" / inner, "40753679")
    write_video(top / "Validation" / "41069021", "41069021")
    assert prepare("arkitscenes", top, tmp_path / "out") == 0
    train, test = (listed(tmp_path / "out", split) for split in ("train", "test"))
    assert [line.rgb.stem for line in train] == ["40753679_6791.999", "40753679_6792.016"]
    assert [line.camera for line in train] == [(212.5, 212.25, 127.933, 95.9333), (213.5, 213.25, 127.933, 95.9333)]
    assert [int(line.units[0, 0]) for line in train] == [0, 100]
    assert {line.rgb.name[:8] for line in test} == {"41069021"}


def test_missing_cameras_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_video(tmp_path / "Training" / "1", "1")
    for path in (tmp_path / "Training" / "1" / "lowres_wide_intrinsics").iterdir():
        path.write_text("256 192\n")
    assert "does not hold 6 numbers" in refused(capsys, "arkitscenes", tmp_path, tmp_path / "out")
    for path in (tmp_path / "Training" / "1" / "lowres_wide_intrinsics").iterdir():
        path.unlink()
    assert "1_6791.999.pincam is missing" in refused(capsys, "arkitscenes", tmp_path, tmp_path / "out")
