from dataclasses import replace
from typing import Any, cast

from clipdepth_export.licences import licences
from clipdepth_train.clip import ClipConfig
from clipdepth_train.models import EdgeConfig
from clipdepth_train.recipe import clip_of
from clipdepth_train.recipes import RECIPES


def notes(recipe: str, weights: str | None = None, data: str = "rooms") -> dict[str, str]:
    """Part to licence, for a recipe with other weights and data."""
    chosen = replace(RECIPES[recipe], data=data)
    clip = clip_of(chosen.model)
    if clip is not None and weights is not None:
        chosen = replace(chosen, model=replace(cast(Any, chosen.model), clip=ClipConfig(clip.name, weights)))
    return {note.part: note.licence for note in licences(chosen)}


def test_our_code_is_always_named() -> None:
    assert all(notes(recipe)["clipdepth code"] == "MIT" for recipe in RECIPES)


def test_apples_weights_are_for_research() -> None:
    apples = replace(RECIPES["edge"], model=EdgeConfig(ClipConfig("MobileCLIP2-S0", "dfndr2b")))
    found = {note.part: note.licence for note in licences(apples)}
    assert "research" in found["MobileCLIP2-S0 weights (dfndr2b)"]


def test_openais_weights_are_mit() -> None:
    for recipe in ("msa-l1", "edge"):
        assert notes(recipe)["RN50-quickgelu weights (openai)"].startswith("MIT")


def test_of_a_local_file_only_the_name() -> None:
    for path in ("/home/ada/secret/RN50.pt", "C:\\Users\\ada\\secret\\RN50.pt"):
        found = notes("msa-l1", path)
        assert found["RN50-quickgelu weights (RN50.pt)"] == "that of the weights' publisher"
        assert not any("ada" in part for part in found)


def test_random_weights_have_no_licence() -> None:
    assert not any("weights" in part for part in notes("edge", "none"))


def test_a_model_without_clip_has_no_weights_but_its_own() -> None:
    assert notes("depth-eigen-refined") == {"clipdepth code": "MIT", "rooms (rendered training data)": "MIT"}


def test_rooms_are_ours_and_other_data_its_owners() -> None:
    assert notes("edge")["rooms (rendered training data)"] == "MIT"
    assert "owner" in notes("edge", data="/data/kitchen")["training data"]
    assert not any("/data" in part for part in notes("edge", data="/data/kitchen"))
