"""TorchScript archives from strangers: their tensors are read, their code and their pickles are not run."""

import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from clipdepth.errors import WeightsError
from clipdepth_train.clip import load_clip
from clipdepth_train.imagenet import load_timm
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.segmentation import SamConfig, load_sam
from clipdepth_train.torchscript import is_torchscript, torchscript_tensors
from tiny_clip import TINY_CLIP
from torchscript_archives import save_overwriting, save_torchscript, touching_pickle, with_pickle

STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK%ctQ"
"""The pickle of a storage of so many float32 numbers in `data/0`."""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    save_torchscript(tmp_path / "plain.pt", {"a.b.weight": torch.arange(4.0)})
    return tmp_path / "plain.pt"


def jit_loaded(path: Path) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state: dict[str, Tensor] = torch.jit.load(path).state_dict()  # type: ignore[no-untyped-call]
    return state


def test_tensors_are_those_that_pytorch_reads(tmp_path: Path) -> None:
    drawn = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    state = {
        "a.weight": drawn.half(),
        "a.b.turned": drawn.T,
        "a.b.part": drawn[2:4, 1:3],
        "count": torch.tensor(3),
        "empty": torch.zeros(0),
        "truth": torch.tensor([True, False]),
    }
    save_torchscript(tmp_path / "archive.pt", state)
    assert is_torchscript(tmp_path / "archive.pt")
    found, wanted = torchscript_tensors(tmp_path / "archive.pt"), jit_loaded(tmp_path / "archive.pt")
    assert found.keys() == wanted.keys() == state.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


def refusals(path: Path) -> list[str]:
    """What is said where the file is given as weights of a CLIP, of a model of timm's and of SAM."""
    attempts = (
        lambda: load_clip(PretrainedConfig(TINY_CLIP, str(path))),
        lambda: load_timm("tf_efficientnet_lite0", str(path)),
        lambda: load_sam(SamConfig("mini", str(path))),
    )
    said = []
    for attempt in attempts:
        with pytest.raises(WeightsError) as error:
            attempt()
        said.append(str(error.value))
    return said


def assert_refused(path: Path) -> None:
    for message in refusals(path):
        assert message.startswith(str(path))
        assert "\n" not in message
        assert "weights_only" not in message
        assert "trust" not in message


def test_code_that_runs_on_loading_is_not_run(tmp_path: Path) -> None:
    victim, proof = tmp_path / "victim", tmp_path / "proof"
    victim.write_text("precious")
    save_overwriting(tmp_path / "proof.pt", proof)
    jit_loaded(tmp_path / "proof.pt")
    assert proof.exists(), "torch.jit.load is what the attack needs"
    save_overwriting(tmp_path / "hostile.pt", victim)
    assert_refused(tmp_path / "hostile.pt")
    assert victim.read_text() == "precious"


def test_code_beside_good_tensors_is_ignored(plain: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(plain, "a") as archive:
        archive.writestr("plain/code/__torch__/other.py", "import os; os.abort()")
    assert torchscript_tensors(plain).keys() == {"a.b.weight"}


def test_a_pickle_that_imports_is_refused_and_not_run(plain: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    pickle.loads(touching_pickle(touched))
    assert touched.exists()
    touched.unlink()
    with_pickle(plain, tmp_path / "hostile.pt", touching_pickle(touched))
    assert_refused(tmp_path / "hostile.pt")
    (tmp_path / "checkpoint.pth").write_bytes(touching_pickle(touched))
    assert_refused(tmp_path / "checkpoint.pth")
    assert not touched.exists()


def module(value: bytes) -> bytes:
    """The pickle of a module that holds `value` as its weight."""
    return b"\x80\x02c__torch__\nA\n)\x81}X\x06\x00\x00\x00weight" + value + b"sb."


def tensor(storage: bytes, size: bytes, stride: bytes) -> bytes:
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + size + stride + b"\x89}tR"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(module(tensor(STORAGE % 4, b"J\x00\x00\x00\x40\x85", b"K\x00\x85")), id="a stride of 0"),
        pytest.param(module(tensor(STORAGE % 4, b"K\x04\x85", b"K\x02\x85")), id="beyond the storage"),
        pytest.param(module(tensor(STORAGE % 9, b"K\x04\x85", b"K\x01\x85")), id="another length"),
        pytest.param(module(b"NX\x01\x00\x00\x00ar\xff\xff\xff\x7f0"), id="a memory of 16 GB"),
        pytest.param(b"\x80\x02c__torch__\nA\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb.", id="in itself"),
        pytest.param(b"\x80\x02c__torch__\nA\n)\x81N}X\x0a\x00\x00\x00__class__K\x01s\x86b.", id="slots"),
        pytest.param(b"\x80\x02K\x01.", id="no module"),
        pytest.param(b"\x80\x02", id="cut"),
        pytest.param(b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", id="eval"),
        pytest.param(b"\x80\x02ctorch\nhub\n.", id="torch's own"),
        pytest.param(b"\x80\x02" + b"(" * 100_000 + b".", id="deep"),
    ],
)
def test_pickles_that_are_no_tree_of_tensors_are_refused(plain: Path, tmp_path: Path, data: bytes) -> None:
    with_pickle(plain, tmp_path / "hostile.pt", data)
    with pytest.raises((pickle.UnpicklingError, ValueError, RuntimeError, EOFError)):
        torchscript_tensors(tmp_path / "hostile.pt")
    assert_refused(tmp_path / "hostile.pt")


def test_modules_that_hold_each_other_twice_are_refused(plain: Path, tmp_path: Path) -> None:
    data, inner = b"\x80\x02", b"N"
    for level in range(40):
        made = b"c__torch__\nA\n)\x81}(X\x01\x00\x00\x00a" + inner + b"X\x01\x00\x00\x00b" + inner + b"ub"
        data += made + bytes([ord("q"), level]) + b"0"
        inner = bytes([ord("h"), level])
    with_pickle(plain, tmp_path / "hostile.pt", data + inner + b".")
    with pytest.raises(pickle.UnpicklingError, match="more than 100000"):
        torchscript_tensors(tmp_path / "hostile.pt")


def test_compressed_numbers_are_refused_unread(plain: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as copy:
        for info in archive.infolist():
            stored = zipfile.ZIP_DEFLATED if "/data/" in info.filename else zipfile.ZIP_STORED
            copy.writestr(info.filename, archive.read(info), stored)
    with pytest.raises(pickle.UnpicklingError, match="compressed"):
        torchscript_tensors(tmp_path / "bomb.pt")
