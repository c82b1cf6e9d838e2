"""Recipes as JSON, as runs keep them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_type_hints

import msgspec

from clipdepth.errors import CheckpointError
from clipdepth_train.models import MODELS
from clipdepth_train.recipe import Recipe


def encode_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values; the model's kind stands in `model.kind`."""
    kind = next(kind for kind, entry in MODELS.items() if entry.config is type(recipe.model))
    # By way of asdict: msgspec itself leaves out the fields whose defaults it filled in while it read them.
    plain: dict[str, Any] = msgspec.to_builtins(asdict(recipe))
    return {**plain, "model": {"kind": kind, **plain["model"]}}


def decode_recipe(plain: Mapping[str, Any], where: str) -> Recipe:
    """Read what `encode_recipe` wrote; raises CheckpointError naming `where` and the field.

    Fields that a version before this one did not write have their defaults.
    """
    try:
        model = dict(plain["model"])
        values: dict[str, Any] = {"model": msgspec.convert(model, MODELS[model.pop("kind")].config)}
        if isinstance(plain.get("data"), str):  # before several could be mixed
            plain = {**plain, "data": [plain["data"]]}
        for name, kind in get_type_hints(Recipe).items():
            if name != "model" and name in plain:
                values[name] = msgspec.convert(plain[name], kind)
        return Recipe(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{where} holds no recipe this version can read: {error}; train again") from None
