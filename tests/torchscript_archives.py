"""TorchScript archives: a harmless one of named tensors, and hostile ones."""

import pickle
import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn


class Archive(nn.Module):
    """A tree of modules that holds named tensors, as a TorchScript archive of a model does."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for head in {name.partition(".")[0] for name in state}:
            below = {name.partition(".")[2]: value for name, value in state.items() if name.partition(".")[0] == head}
            if "" in below:
                self.register_buffer(head, below[""])
            else:
                self.add_module(head, Archive(below))


def save_torchscript(path: Path, state: dict[str, Tensor]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.save(torch.jit.script(Archive(state)), str(path))


class Overwrites(nn.Module):
    """Writes a tensor over the file that its state names, as soon as `torch.jit.load` loads it."""

    def __init__(self, victim: str) -> None:
        super().__init__()
        self.victim = victim

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.victim, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.victim = state[0]
        self.training = state[1]
        torch.save(torch.zeros(3), state[0])


def save_overwriting(path: Path, victim: Path) -> None:
    """Save an archive whose code overwrites `victim` when it is loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Overwrites(str(victim))), str(path))


def with_pickle(source: Path, path: Path, data: bytes) -> None:
    """Copy an archive, with another `data.pkl`."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(path, "w") as copy:
        for info in archive.infolist():
            copy.writestr(info.filename, data if info.filename.endswith("/data.pkl") else archive.read(info))


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (self.path,)


def touching_pickle(path: Path) -> bytes:
    """A pickle that makes a file when it is read."""
    return pickle.dumps(Touch(path), 2)
