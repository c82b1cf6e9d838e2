"""What a model was made of, and what its parts may be used for."""

from dataclasses import replace
from pathlib import Path

import pytest

from clipdepth.bundle.manifest import Licence
from clipdepth_train.checkpoint import CHECKPOINT
from clipdepth_train.ingredients import ingredients, stated_ingredients, weights_licence
from clipdepth_train.models import EdgeConfig
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import LossConfig, Recipe, with_trunk
from clipdepth_train.recipes import RECIPES
from clipdepth_train.training_data import open_training
from runs import train_tiny_run, write_rgbd_folder


def notes(recipe: Recipe) -> dict[str, str]:
    """Part to licence."""
    return {note.part: note.licence for note in ingredients(recipe, open_training(recipe))}


def with_weights(recipe: str, weights: str) -> Recipe:
    return replace(RECIPES[recipe], model=with_trunk(RECIPES[recipe].model, weights=weights))


def test_apples_weights_are_for_research() -> None:
    apples = replace(RECIPES["edge"], model=EdgeConfig(PretrainedConfig("MobileCLIP2-S0", "dfndr2b")))
    assert "research" in notes(apples)["MobileCLIP2-S0 weights (dfndr2b)"]


def test_openais_weights_are_mit() -> None:
    for recipe in ("msa-l1", "edge"):
        assert notes(with_weights(recipe, "openai"))["RN50-quickgelu weights (openai)"].startswith("MIT")


def test_timms_weights_have_the_licence_that_timm_states() -> None:
    lite = PretrainedConfig("tf_efficientnet_lite0", "imagenet")
    assert weights_licence(lite) == Licence("tf_efficientnet_lite0 weights (imagenet)", "Apache-2.0")


@pytest.mark.parametrize(
    ("name", "weights", "licence"),
    [
        ("ViT-B-16-quickgelu", "openai", "MIT (OpenAI CLIP); its model card rules out untested deployment"),
        ("ViT-B-16-SigLIP", "webli", "that of the weights' publisher"),
        ("vit_small_patch14_dinov2", "lvd142m", "Apache-2.0"),
        ("vit_small_patch16_dinov3", "lvd1689m", "DINOv3 License (Meta)"),
        ("vit_base_patch16_224", "imagenet", "Apache-2.0"),
        ("vit_base_patch16_224", "mae", "cc-by-nc-4.0"),
    ],
)
def test_a_transformers_weights_have_the_licence_of_their_publisher(name: str, weights: str, licence: str) -> None:
    assert weights_licence(PretrainedConfig(name, weights)) == Licence(f"{name} weights ({weights})", licence)


@pytest.mark.parametrize("path", ["/home/ada/secret/RN50.pt", "C:\\Users\\ada\\secret\\RN50.pt"])
def test_of_a_local_file_only_the_name(path: str) -> None:
    for name in ("RN50-quickgelu", "tf_efficientnet_lite0"):
        stated = weights_licence(PretrainedConfig(name, path))
        assert stated == Licence(f"{name} weights (RN50.pt)", "that of the weights' publisher")


def test_random_weights_have_no_licence() -> None:
    assert list(notes(with_weights("edge", "none"))) == ["rooms (rendered training data)"]


def test_a_model_without_a_trunk_has_no_weights_but_its_own() -> None:
    assert notes(RECIPES["depth-eigen-coarse"]) == {"rooms (rendered training data)": "MIT"}


def test_nyu_is_named_as_a_research_dataset_whatever_its_folder_is_called(tmp_path: Path) -> None:
    folder = write_rgbd_folder(tmp_path / "data", 2, 1, 480, 640)
    assert "data (training data)" in notes(replace(RECIPES["depth-eigen-coarse"], data=(str(folder),)))
    (folder / "K.txt").write_text("518.8579 0 325.5824\n0 519.4696 253.7362\n0 0 1\n")
    ((part, licence),) = notes(replace(RECIPES["depth-eigen-coarse"], data=(str(folder),))).items()
    assert part.startswith("NYU Depth v2")
    assert "research" in licence


def test_what_a_start_and_a_teacher_were_made_of_goes_into_the_student(tmp_path: Path) -> None:
    first = write_rgbd_folder(tmp_path / "first")
    second = write_rgbd_folder(tmp_path / "second")
    third = write_rgbd_folder(tmp_path / "third")
    run = train_tiny_run(tmp_path / "run", first)
    assert [note.part for note in stated_ingredients(run / CHECKPOINT)] == ["first (training data)"]
    student = train_tiny_run(tmp_path / "student", second, start=str(run))
    assert [note.part for note in stated_ingredients(student / CHECKPOINT)] == [
        "second (training data)",
        "first (training data)",
    ]
    taught = train_tiny_run(tmp_path / "taught", third, teacher=str(student), loss=LossConfig(distillation=1.0))
    parts = ["third (training data)", "second (training data)", "first (training data)"]
    assert [note.part for note in stated_ingredients(taught / CHECKPOINT)] == parts
