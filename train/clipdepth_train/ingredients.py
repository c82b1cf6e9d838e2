"""What went into a model, and what each part may be used for: its trunk's weights, its data, what it learned from."""

from pathlib import Path

from clipdepth.bundle.manifest import Licence
from clipdepth_train.checkpoint import read_state
from clipdepth_train.data.folder import FolderSet
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.imagenet import timm_licence
from clipdepth_train.named_data import ROOMS
from clipdepth_train.pretrained import NO_WEIGHTS, PretrainedConfig
from clipdepth_train.recipe import Recipe, trunk_of
from clipdepth_train.teacher.taught_set import TaughtSet
from clipdepth_train.training_data import TrainingData


def ingredients(recipe: Recipe, data: TrainingData, start: Path | None = None) -> list[Licence]:
    """The licences of what a run of `recipe` on `data` learns from; its user has the last word.

    A run that starts from other weights, in the file `start`, or has a teacher, has their ingredients as well, as
    they state them.
    """
    found = [data_licence(member.name, member.pairs) for member in data.pairs.members]
    trunk = trunk_of(recipe.model)
    if trunk is not None and trunk.weights != NO_WEIGHTS and start is None:
        found.insert(0, weights_licence(trunk))
    if start is not None:
        found += stated_ingredients(start)
    if data.teacher is not None:
        found += data.teacher.licences
    return list(dict.fromkeys(found))


def stated_ingredients(checkpoint: Path) -> list[Licence]:
    """The ingredients that a checkpoint states."""
    _, state = read_state(checkpoint)
    return [Licence(**licence) for licence in state["ingredients"]]


def data_licence(data: str, pairs: RgbdSet) -> Licence:
    """What the training data may be used for."""
    if data == ROOMS:
        return Licence(part="rooms (rendered training data)", licence="MIT")
    pairs = pairs.pairs if isinstance(pairs, TaughtSet) else pairs
    if isinstance(pairs, FolderSet) and pairs.is_nyu:
        part = "NYU Depth v2 (training data; Silberman, Hoiem, Kohli and Fergus 2012)"
        return Licence(part=part, licence="a research dataset; its owners grant no other use")
    return Licence(part=f"{Path(data).name} (training data)", licence="that of the dataset; see its owner")


def weights_licence(trunk: PretrainedConfig) -> Licence:
    """What a trunk's pretrained weights may be used for."""
    # Of a local file only its name: its folder is nobody's business.
    name = trunk.weights.replace("\\", "/").rsplit("/", 1)[-1]
    return Licence(part=f"{trunk.name} weights ({name})", licence=_licence(trunk))


def _licence(trunk: PretrainedConfig) -> str:
    if trunk.name.startswith("MobileCLIP"):
        return "Apple's model licence (research use)"
    if trunk.name.startswith(("RN", "ViT-")) and trunk.weights == "openai":
        return "MIT (OpenAI CLIP); its model card rules out untested deployment"
    if Path(trunk.weights).suffix or not (stated := timm_licence(trunk.name, trunk.weights)):
        return "that of the weights' publisher"
    return {"apache-2.0": "Apache-2.0", "mit": "MIT", "dinov3-license": "DINOv3 License (Meta)"}.get(stated, stated)
