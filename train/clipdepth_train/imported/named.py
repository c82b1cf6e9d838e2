"""From a name to the network of a bundle that clipdepth did not train."""

import hashlib

from torch import nn

from clipdepth.bundle.manifest import Manifest
from clipdepth_train.imported.framed import Framed
from clipdepth_train.imported.python import PREFIX as PYTHON
from clipdepth_train.imported.python import load_python
from clipdepth_train.imported.told import Told
from clipdepth_train.imported.transformers import read_model


def imported_module(named: str, manifest: Manifest) -> Framed:
    """The network that `named` means, as the bundle was exported from it; raises what its loader raises."""
    if named.startswith(PYTHON):
        return load_python(named, manifest.depth)
    maximum = manifest.depth.maximum if manifest.depth else None
    return read_model(named, Told(manifest.input, manifest.kind, maximum)).load()


def weights_sha256(module: nn.Module) -> str:
    """A hash over a module's weights, by their names and values: tells one network from another."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
