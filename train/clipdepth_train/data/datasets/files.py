"""Reading what datasets are made of; what is wrong is told with the dataset's name."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import DataError


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that hold something, without comments that begin with #."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); download it again") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text; download it again") from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def read_numbers(path: Path, counts: Sequence[int]) -> NDArray[np.float64]:
    """The numbers in a text file, (N,) float64, of which there have to be as many as one of `counts` says."""
    words = " ".join(read_lines(path)).replace(",", " ").split()
    try:
        numbers = np.array(words, np.float64)
    except ValueError:
        numbers = np.array([np.nan])
    if len(numbers) not in counts or not np.isfinite(numbers).all():
        wanted = " or ".join(map(str, counts))
        raise DataError(f"{path} does not hold {wanted} numbers; download it again")
    return numbers


def sequences(source: Path, holds: str) -> list[Path]:
    """The folders in which `holds` lies, in the order of their names: `source` itself, or below it."""
    found = {path.parent for path in source.rglob(holds)}
    if not found:
        raise DataError(f"no {holds} in {source} or a folder below it; see docs/data.md for its layout")
    return sorted(found)


def scene_name(source: Path, folder: Path) -> str:
    """What a folder of a dataset is called in ours: its way from `source`, or its own name."""
    below = folder.relative_to(source)
    return below.as_posix() if below.parts else folder.resolve().name
