import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipdepth.bundle.golden import Golden, load_golden
from clipdepth.errors import BundleError


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "frames": rng.integers(0, 256, (2, 4, 6, 3), dtype=np.uint8),
        "depth": rng.uniform(0.5, 9, (2, 4, 6)).astype(np.float32),
        "truth_mm": rng.integers(0, 9000, (2, 4, 6)).astype(np.uint16),
    }


def refused(path: Path, match: str) -> None:
    with pytest.raises(BundleError, match=match) as error:
        load_golden(path, 4, 6)
    assert str(path) in str(error.value)
    assert str(error.value).endswith("export the bundle again")


def test_written_frames_come_back(tmp_path: Path) -> None:
    given = arrays()
    truth = np.array(given["truth_mm"] / 1000 + 0.0004, np.float32)
    Golden(given["frames"], given["depth"], truth).save(tmp_path / "g.npz")
    read = load_golden(tmp_path / "g.npz", 4, 6)
    np.testing.assert_array_equal(read.frames, given["frames"])
    np.testing.assert_array_equal(read.depth, given["depth"])
    np.testing.assert_allclose(read.truth, given["truth_mm"] / 1000, atol=1e-6)
    assert (read.frames.dtype, read.depth.dtype, read.truth.dtype) == (np.uint8, np.float32, np.float32)


class Evil:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_inside_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    np.savez(tmp_path / "g.npz", **{**arrays(), "depth": np.array([Evil(trap)], object)})
    refused(tmp_path / "g.npz", "cannot be read")
    assert not trap.exists()


@pytest.mark.parametrize("name", ["frames", "depth", "truth_mm"])
def test_a_missing_array_is_refused(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "g.npz", **{key: value for key, value in arrays().items() if key != name})
    refused(tmp_path / "g.npz", name)


WRONG = {
    "another size": {"frames": np.zeros((2, 6, 4, 3), np.uint8)},
    "fewer depths": {"depth": np.ones((1, 4, 6), np.float32)},
    "no frames": {
        "frames": np.zeros((0, 4, 6, 3), np.uint8),
        "depth": np.zeros((0, 4, 6), np.float32),
        "truth_mm": np.zeros((0, 4, 6), np.uint16),
    },
    "a number": {"frames": np.uint8(3)},
    "float frames": {"frames": np.zeros((2, 4, 6, 3), np.float32)},
    "double depth": {"depth": np.ones((2, 4, 6), np.float64)},
    "signed truth": {"truth_mm": np.ones((2, 4, 6), np.int64)},
    "zero depth": {"depth": np.zeros((2, 4, 6), np.float32)},
    "NaN depth": {"depth": np.full((2, 4, 6), np.nan, np.float32)},
    "infinite depth": {"depth": np.full((2, 4, 6), np.inf, np.float32)},
}


@pytest.mark.parametrize("changed", WRONG.values(), ids=WRONG.keys())
def test_wrong_arrays_are_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    np.savez(tmp_path / "g.npz", **{**arrays(), **changed})
    refused(tmp_path / "g.npz", "hold")


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    refused(path, "cannot be read")
    path.write_bytes(b"")
    refused(path, "cannot be read")
    path.write_bytes(b"PK\x03\x04 and no more")
    refused(path, "cannot be read")
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    refused(path, "cannot be read")


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    """numpy gives its bytes as they are."""
    np.savez(tmp_path / "g.npz", **arrays())
    with zipfile.ZipFile(tmp_path / "g.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("depth.npy", "no array")
    refused(tmp_path / "g.npz", "depth is no array")


def test_damaged_compression_is_refused(tmp_path: Path) -> None:
    given = arrays()
    path = tmp_path / "g.npz"
    Golden(given["frames"], given["depth"], given["depth"]).save(path)
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    refused(path, "cannot be read")


def test_a_small_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    np.savez_compressed(path, **{**arrays(), "frames": np.zeros((90, 1000, 1000, 3), np.uint8)})
    assert path.stat().st_size < 1_000_000
    refused(path, "unpacks to 27[0-9]{7} bytes")


def test_a_segmentation_comes_back_and_has_to_fit(tmp_path: Path) -> None:
    given = arrays()
    truth = given["depth"]
    painted = given["frames"][::-1].copy()
    Golden(given["frames"], given["depth"], truth, painted).save(tmp_path / "g.npz")
    found = load_golden(tmp_path / "g.npz", 4, 6)
    np.testing.assert_array_equal(found.segmentation, painted)
    np.testing.assert_array_equal(found.at([1]).segmentation, painted[1:])
    Golden(given["frames"], given["depth"], truth, painted[:1]).save(tmp_path / "g.npz")
    refused(tmp_path / "g.npz", "segmentation")
