"""Whether a folder holds the beginning of the run that is asked for, on whatever machine it began."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from clipdepth.errors import UsageError
from clipdepth_train.data.mixture import Member, Mixture
from clipdepth_train.recipe import Recipe

DATA = "data"
"""Where a checkpoint's state keeps `data_identity`."""


def data_identity(pairs: Mixture) -> list[dict[str, Any]]:
    """What tells a run's data from other data wherever it lies: the names of each set's pictures, in their order."""
    return [_identity(member) for member in pairs.members]


def _identity(member: Member) -> dict[str, Any]:
    pairs: Any = getattr(member.pairs, "pairs", member.pairs)
    names = [path.relative_to(pairs.folder).as_posix() for path in getattr(pairs, "pictures", ())]
    digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()
    return {"pairs": len(pairs), "weight": member.weight, "pictures": digest}


def require_same_run(found: Recipe, state: Mapping[str, Any], wanted: Recipe, pairs: Mixture, out: Path) -> None:
    """Raise UsageError where `out` holds a run of another recipe, or on other data.

    The number of workers and the steps between two checkpoints make no difference, and neither does where data, start
    and teacher lie.
    """
    there, here = _lasting(found), _lasting(wanted)
    for field in fields(Recipe):
        old, new = getattr(there, field.name), getattr(here, field.name)
        by_content = field.name == DATA and DATA in state
        if state[DATA] != data_identity(pairs) if by_content else old != new:
            raise UsageError(f"{out} holds a run with another {field.name} ({old}, not {new}); choose another --out")


def _lasting(recipe: Recipe) -> Recipe:
    """Without what a machine decides."""
    return replace(
        recipe,
        frames=replace(recipe.frames, workers=None),
        start=Path(recipe.start).name,
        teacher=Path(recipe.teacher).name,
        save_every=1,
    )
