"""Tensors of a TorchScript archive, read without running the code that it carries.

`torch.jit.load` compiles and runs an archive's code. Its tensors need none of it: `data.pkl` is a tree of modules,
whose tensors are views of the raw numbers in `data/0`, `data/1` and so on.
"""

import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_DTYPES = {
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
}
MAX_PICKLE = 64 << 20
"""Bytes of `data.pkl`; that of OpenAI's largest CLIP has less than one million."""
MAX_DEPTH, MAX_MODULES = 64, 100_000
"""Of the tree of modules."""


def is_torchscript(path: Path) -> bool:
    """Whether the file is a TorchScript archive, by the names in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.rpartition("/")[2] == "constants.pkl" for name in archive.namelist())


def torchscript_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of an archive by their names, such as 'visual.conv1.weight', on the CPU and as they are stored.

    Those that are neither parameters nor buffers are among them: only the code says which those are. Raises
    UnpicklingError, ValueError, KeyError or BadZipFile for an archive that is damaged or more than tensors.
    """
    with zipfile.ZipFile(path) as archive:
        root = _TensorReader(archive).read()
    if not isinstance(root, _Module):
        raise pickle.UnpicklingError("its data.pkl holds no module")
    tensors: dict[str, Tensor] = {}
    for count, (name, value) in enumerate(_walk(root)):
        if count > MAX_MODULES:
            raise pickle.UnpicklingError(f"its tree has more than {MAX_MODULES} modules and tensors")
        if isinstance(value, Tensor):
            tensors[name] = value
    return tensors


class _Module:
    """A module of the archive: what it holds, by name."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        # A class with a __setstate__ of its own may have any state: only its code could read it.
        if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
            raise pickle.UnpicklingError("a module's state is not a table of names")
        self.fields = state


class _TensorReader(pickle.Unpickler):
    """Reads `data.pkl`, where every name stands for something made here and nothing is imported."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        names = archive.namelist()
        self._archive = archive
        self._folder = next((name for name in names if name.rpartition("/")[2] == "data.pkl"), "data.pkl")[:-8]
        self._storages: dict[str, Tensor] = {}
        super().__init__(BytesIO(_checked(self._stored("data.pkl", MAX_PICKLE))))

    def read(self) -> object:
        return self.load()

    def find_class(self, module: str, name: str) -> Any:
        known: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor_v2": _view,
            "collections.OrderedDict": OrderedDict,
        }
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module.partition(".")[0] == "__torch__":
            return _Module
        if module == "torch.jit._pickle":  # lists of numbers
            return _nothing
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no tensor")
        return known[f"{module}.{name}"]

    def persistent_load(self, key: Any) -> Tensor:
        kind, dtype, name, _, count = key
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(name, str):
            raise pickle.UnpicklingError("it refers to something that is no tensor's storage")
        if name not in self._storages:
            data = bytearray(self._stored(f"data/{name}"))
            self._storages[name] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        storage = self._storages[name]
        if storage.dtype != dtype or len(storage) != count:
            raise pickle.UnpicklingError(f"its data/{name} is not {count} numbers of {dtype}")
        return storage

    def _stored(self, name: str, limit: int | None = None) -> bytes:
        """A file of the archive. PyTorch compresses none of these; one that is compressed may have any size."""
        info = self._archive.getinfo(self._folder + name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise pickle.UnpicklingError(f"its {name} is compressed")
        if limit is not None and info.file_size > limit:
            raise pickle.UnpicklingError(f"its {name} has {info.file_size} bytes")
        return self._archive.read(info)


def _checked(data: bytes) -> bytes:
    """The pickle, none of whose numbered memories lies so far out that room for them would fill the machine's."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("PUT", "LONG_BINPUT") and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError(f"it is a pickle with a memory of {argument} places")
    return data


def _view(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    # Strides of 0 make a tensor of any size out of one number, and whoever copies it needs the room.
    if prod(size) > len(storage):
        raise pickle.UnpicklingError(f"a tensor of {prod(size)} numbers lies on a storage of {len(storage)}")
    return storage.as_strided(size, stride, offset)


def _nothing(*_: object) -> None:
    return None


def _walk(module: _Module, above: tuple[str, ...] = ()) -> Iterator[tuple[str, object]]:
    if len(above) > MAX_DEPTH:
        raise pickle.UnpicklingError(f"its modules are more than {MAX_DEPTH} deep")
    for name, value in module.fields.items():
        path = (*above, name)
        yield ".".join(path), value
        if isinstance(value, _Module):
            yield from _walk(value, path)
