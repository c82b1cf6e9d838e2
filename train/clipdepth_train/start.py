"""Where a run's first weights come from: another run, a bundle, or a model that ships with clipdepth."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipdepth.bundle.box import BOX, find_folder, is_bare, list_models, portable
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.hub import fetch_bundle
from clipdepth.bundle.hub_name import is_hub_name
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.errors import BundleError, CheckpointError
from clipdepth_train.checkpoint import CHECKPOINT, load_weights, read_checkpoint, read_state
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.models.confidence import has_confidence
from clipdepth_train.recipe import Recipe
from clipdepth_train.recipe_record import decode_recipe, encode_recipe

REFINED = "refined"
"""The field of a model that says whether it refines: what it starts from is the coarse one."""


def load_start(model: DepthModel, recipe: Recipe, path: Path) -> None:
    """Fill the recipe's `model` with the weights in `path`: of the same network, or of the coarse one that it refines.

    Raises CheckpointError where they are not there or do not fit, naming the options that would make them fit.
    """
    tensors, found, _ = read_checkpoint(path)
    # How sure the former network was says nothing of the one that it becomes.
    tensors = {name: value for name, value in tensors.items() if not has_confidence([name])}
    new = {name: value for name, value in model.state_dict().items() if name.startswith("network.refining.")}
    try:
        load_weights(model, {**new, **tensors}, path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_remedy(found, recipe)}") from None


def like_start(recipe: Recipe, default: Recipe, box: Path = BOX) -> Recipe:
    """The recipe with the network, input size and normalisation of what it starts from, where that is of its kind.

    Fields that differ from those of `default` were asked for and stay. Where the weights cannot be read the recipe
    stays as it is: whoever needs them tells why.
    """
    if not recipe.start:
        return recipe
    try:
        path = find_weights(recipe.start, box)
        found, _ = read_state(path)
    except (BundleError, CheckpointError):
        return recipe
    if type(found.model) is not type(recipe.model):
        return recipe
    plain, usual, there = (encode_recipe(each) for each in (recipe, default, found))
    _take_over(plain, usual, there, ("normalisation",))
    _take_over(plain["frames"], usual["frames"], there["frames"], ("height", "width"))
    model = [name for name in plain["model"] if name not in (REFINED, "trunk")]
    _take_over(plain["model"], usual["model"], there["model"], model)
    if "trunk" in plain["model"]:
        _take_over(plain["model"]["trunk"], usual["model"]["trunk"], there["model"]["trunk"], ("name", "weights"))
    return decode_recipe(plain, str(path))


def pin_start(recipe: Recipe) -> Recipe:
    """The recipe with a start on the hub named by its commit, so that a run tells what it began with.

    Raises as `fetch_bundle`.
    """
    if not is_hub_name(recipe.start):
        return recipe
    return replace(recipe, start=portable(fetch_bundle(recipe.start)))


def _take_over(plain: dict[str, Any], usual: Mapping[str, Any], there: Mapping[str, Any], names: Iterable[str]) -> None:
    plain.update({name: there[name] for name in names if plain[name] == usual[name]})


def find_weights(start: str, box: Path = BOX) -> Path:
    """The file of weights that `start` means, see `find_folder`: a run's checkpoint or those in a bundle.

    Raises CheckpointError where a name means nothing, BundleError where a bundle is damaged or has no weights.
    """
    folder = find_run_or_bundle(start, box)
    return open_bundle(folder).weights() if (folder / MANIFEST).is_file() else folder / CHECKPOINT


def find_run_or_bundle(named: str | Path, box: Path = BOX) -> Path:
    """The folder that `named` means, see `find_folder`, or of a bundle on the hub `fetch_bundle`.

    Raises CheckpointError for a name that means nothing, and as `fetch_bundle`.
    """
    if is_hub_name(named):
        return fetch_bundle(str(named))
    folder = find_folder(named, box)
    if is_bare(named) and not folder.is_dir():
        raise CheckpointError(f"no run or bundle at {named}; {list_models(box)}; give a model's name or a path")
    return folder


def _remedy(found: Recipe, wanted: Recipe) -> str:
    """Which options would give the network that the weights are of."""
    there, here = _network(found), _network(wanted)
    if there["model.kind"] != here["model.kind"]:
        return f"; they are of a network of kind {there['model.kind']}, this recipe's is {here['model.kind']}"
    differing = {name: value for name, value in there.items() if name in here and here[name] != value}
    options = " ".join(f"--{name} {value}".replace("_", "-") for name, value in differing.items())
    return f"; they fit {options}" if options else ""


def _network(recipe: Recipe) -> dict[str, Any]:
    """What the shapes of a recipe's weights depend on, by the names of its options."""
    plain = encode_recipe(recipe)
    size = {name: plain["frames"][name] for name in ("height", "width")}
    named = dict(_flat({"model": plain["model"], "frames": size}))
    # Whose pretrained weights the trunk began with changes no shape; a refining network fits a coarse one's weights.
    return {name: value for name, value in named.items() if name not in ("model.trunk.weights", f"model.{REFINED}")}


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
