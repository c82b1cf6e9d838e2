"""`benchmarks/experiments/nyu/report.py`: its tables against sums over every pixel, and its pictures."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from benchmarks.scripts import script_modules
from clipdepth.errors import DataError, UsageError
from clipdepth.sinks.depth_picture import INVALID, colourise
from clipdepth_train.evaluation import Comparison
from runs import write_rgbd_folder

NAMES = ("breakdown", "sheet", "report")


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    """The script's modules, which import one another by their bare names."""
    with script_modules("nyu", NAMES) as modules:
        yield modules


@pytest.fixture(scope="module")
def nyu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three test frames of 640×480 with their scene types."""
    folder = write_rgbd_folder(tmp_path_factory.mktemp("nyu"), 1, 3, 480, 640)
    (folder / "scene_types.txt").write_text("kitchen\nliving_room\nkitchen\n")
    return folder


def test_bands_of_distance_sum_over_pixels(scripts: dict[str, ModuleType]) -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 12, (2, 40, 50)).astype(np.float32)
    region = np.zeros((40, 50), bool)
    region[5:30, 5:45] = True
    predicted = (true * rng.uniform(0.6, 1.6, true.shape)).astype(np.float32)
    bands = scripts["breakdown"].Bands()
    for index in range(2):
        bands.add(Comparison(index, predicted[index], true[index], region, 10.0))
    seen = np.broadcast_to(region, true.shape) & (true > 0.001) & (true < 10)
    found = bands.means()
    for row, (near, far) in zip(found, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6), (6, 10)], strict=True):
        inside = seen & (true >= near) & (true < far)
        y, p = true[inside].astype(float), np.clip(predicted[inside].astype(float), 0.001, 10)
        expected = (inside.sum() / seen.sum(), np.mean(abs(p - y) / y), np.mean(np.maximum(p / y, y / p) < 1.25))
        assert row == pytest.approx([*expected, np.mean(np.log(p) - np.log(y))], rel=1e-6)
    assert found[:, 0].sum() == pytest.approx(1)


def test_too_near_has_a_negative_log_error(scripts: dict[str, ModuleType]) -> None:
    errors = scripts["breakdown"].Errors("half")
    true = np.full((4, 4), 2.5, np.float32)
    errors.add(Comparison(0, true / 2, true, None, 10.0))
    errors.add(Comparison(1, true, true * 0, None, 10.0))
    assert list(errors.plain) == [0]
    assert (errors.plain[0].delta1, errors.aligned[0].delta1) == (0, 1)
    lines = scripts["breakdown"].distance_table(errors).splitlines()
    assert lines[4] == "| 2–3 m | 100.0% | 0.500 | 0.000 | -0.693 |"
    assert lines[5] == "| 3–4 m | 0.0% | – | – | – |"


def test_rare_scene_types_are_joined(scripts: dict[str, ModuleType]) -> None:
    kinds = ["study", *["kitchen"] * 10, "bedroom", *["bedroom"] * 11, "attic"]
    groups = scripts["breakdown"].scene_groups(dict(enumerate(kinds)))
    assert {name: len(group) for name, group in groups.items()} == {"bedroom": 12, "kitchen": 10, "other": 2, "all": 24}
    assert list(groups) == ["bedroom", "kitchen", "other", "all"]
    assert groups["other"] == [0, 23]


def test_a_run_and_its_bundle_are_reported(
    scripts: dict[str, ModuleType], run: Path, nyu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(run), str(run.with_name("tiny.bundle"))]
    scripts["report"].main([*models, "--title", "A", "--title", "B", "--data", str(nyu), "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"nyu.jpg", "worst.jpg", "errors.md"}
    page = (tmp_path / "errors.md").read_text(encoding="utf-8")
    assert "3 test frames, crop: eigen" in page
    assert "A: pytorch fp32, single pass" in page
    assert "B: onnxruntime fp32, single pass" in page
    scene = next(line for line in page.splitlines() if line.startswith("| all | 3 |"))
    numbers = [float(cell) for cell in scene.split("|")[3:-1]]
    assert numbers[0::2] == pytest.approx(numbers[1::2], abs=1.1e-3)
    for name in ("nyu", "worst"):
        file = tmp_path / f"{name}.jpg"
        assert file.stat().st_size < 400_000
        picture = cv2.imread(str(file))
        assert picture is not None
        assert abs(picture.shape[1] - 1600) < 120
        # The two last rows show the same depth.
        height = (picture.shape[0] - 4 * 26) // 4
        first, second = picture[-2 * height - 26 : -height - 26, :1300], picture[-height:, :1300]
        assert np.abs(first.astype(float) - second).mean() < 3


def test_colours_go_by_the_logarithm_of_depth(scripts: dict[str, ModuleType]) -> None:
    depth = np.array([[1, 2, 4, 0.5, 8, 0, np.nan]], np.float32)
    colours = scripts["sheet"].log_colours(depth, (1.0, 4.0))[0].tolist()
    near, middle, far = colourise(np.array([[1, 1.5, 2]], np.float32), 1.0, 2.0)[0].tolist()
    unknown = [INVALID] * 3
    assert colours == [near, middle, far, near, far, unknown, unknown]


def test_depth_of_the_papers_crop_is_put_in_its_place(scripts: dict[str, ModuleType]) -> None:
    depth = np.random.default_rng(0).uniform(1, 9, (416, 544)).astype(np.float32)
    placed = scripts["report"].in_place(depth, (480, 640))
    np.testing.assert_array_equal(placed[56:472, 60:604], depth)
    assert np.count_nonzero(placed) == depth.size
    assert scripts["report"].in_place(placed, (480, 640)) is placed


def test_scene_types_are_found_by_the_index_in_the_name(scripts: dict[str, ModuleType], tmp_path: Path) -> None:
    file = tmp_path / "types.txt"
    file.write_text("bath\nkitchen\noffice\n")
    read = scripts["report"].read_scenes
    assert read(file, [Path("a/rgb_00002.jpg"), Path("b/rgb_00000.png")]) == {0: "office", 1: "bath"}
    for picture in ("a/rgb_00003.jpg", "a/left.jpg"):
        with pytest.raises(DataError, match=r"has no line of .*types\.txt \(3 lines\)"):
            read(file, [Path(picture)])
    with pytest.raises(DataError, match=r"no .*absent\.txt; write a scene type a line"):
        read(tmp_path / "absent.txt", [])


def test_titles_have_to_be_as_many_as_models(scripts: dict[str, ModuleType], run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 models and 2 titles"):
        scripts["report"].main([str(run), "--title", "A", "--title", "B", "--data", "x", "--out", str(tmp_path)])
