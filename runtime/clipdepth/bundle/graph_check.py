"""Which graphs a device runs: those that the exporter writes, and no others.

An operator outside of this list may carry an engine, which is native code (`EPContext`), or load a library.
"""

import stat
from collections.abc import Container, Iterable
from pathlib import Path

from clipdepth.bundle.onnx_file import OnnxFile, OnnxFileError
from clipdepth.errors import BundleError

OPERATORS = frozenset(
    [
        "Add",
        "And",
        "AveragePool",
        "Cast",
        "Clip",
        "Concat",
        "Conv",
        "ConvTranspose",
        "Cos",
        "DequantizeLinear",
        "Div",
        "Einsum",
        "Erf",
        "Exp",
        "Expand",
        "Gather",
        "Gemm",
        "LayerNormalization",
        "Less",
        "MatMul",
        "MaxPool",
        "Mul",
        "Neg",
        "Pow",
        "QuantizeLinear",
        "ReduceL2",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Resize",
        "Shape",
        "Sigmoid",
        "Sin",
        "Slice",
        "Softmax",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Transpose",
        "Unsqueeze",
        "Where",
    ]
)
"""What the graphs of all recipes and of Segment Anything have."""
OTHER_TRUNKS = frozenset(
    [
        "Elu",
        "Greater",
        "HardSigmoid",
        "HardSwish",
        "InstanceNormalization",
        "IsNaN",
        "LeakyRelu",
        "Log",
        "Mish",
        "PRelu",
        "Pad",
        "Reciprocal",
        "Softplus",
        "Split",
        "Tanh",
    ]
)
"""What the graphs of other trunks have besides, of networks that are timed beside ours, and of imported ones."""
_SUFFIX = ".onnx"


def check_graphs(
    folder: Path, names: Iterable[str], stored: Container[str], remedy: str, hard_links: bool = False
) -> None:
    """Check the graphs of those names in `folder`, whose weights have to lie in files among the `stored` ones.

    Raises BundleError, with the remedy, for the first that the exporter would not have written. With `hard_links` the
    files of weights may have other names too.
    """
    for name in names:
        problem = graph_problem(folder / name, stored, hard_links)
        if problem:
            raise BundleError(f"{folder / name}: {problem}; {remedy}")


def graph_problem(path: Path, stored: Container[str], hard_links: bool = False) -> str | None:
    """What no exported graph has, as a clause; None where there is nothing."""
    if path.suffix != _SUFFIX:
        return f"it is no {_SUFFIX} file"
    try:
        found = OnnxFile(path)
    except OnnxFileError as error:
        return str(error)
    domains = sorted(found.domains - {""})
    operators = sorted(found.operators - OPERATORS - OTHER_TRUNKS)
    if domains:
        return f"it has operators of {_shown(domains[0])}, clipdepth's are all ONNX's own"
    if operators:
        return f"it has the operator {_shown(operators[0])}, which clipdepth's exporter does not write"
    problems = (_problem_beside(path.parent, name, stored, hard_links) for name in sorted(found.files))
    return next((problem for problem in problems if problem), None)


def _problem_beside(folder: Path, name: str, stored: Container[str], hard_links: bool) -> str | None:
    """What is wrong with a file that weights lie in."""
    if name not in stored:  # which are plain names, so that nothing outside the folder is among them
        return f"it has weights in {_shown(name)}, which is not among the bundle's files"
    found = (folder / name).lstat()
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and not hard_links):
        return f"it has weights in {name}, which is a link; copy the file itself"
    return None


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}…")
