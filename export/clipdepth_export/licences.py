"""What the parts of a bundle may be used for."""

from clipdepth.manifest import Licence
from clipdepth_train.clip import NO_WEIGHTS, ClipConfig
from clipdepth_train.recipe import Recipe, clip_of


def licences(recipe: Recipe) -> list[Licence]:
    """The code's licence, and notes on the weights and data that went into a model; its user has the last word."""
    notes = [Licence(part="clipdepth code", licence="MIT")]
    clip = clip_of(recipe.model)
    if clip is not None and clip.weights != NO_WEIGHTS:
        notes.append(Licence(part=f"{clip.name} weights ({_name(clip.weights)})", licence=_weights_licence(clip)))
    if recipe.data == "rooms":
        notes.append(Licence(part="rooms (rendered training data)", licence="MIT"))
    else:
        notes.append(Licence(part="training data", licence="that of the dataset it was trained on; see its owner"))
    return notes


def _name(weights: str) -> str:
    # Of a local file only its name: its folder is nobody's business.
    return weights.replace("\\", "/").rsplit("/", 1)[-1]


def _weights_licence(clip: ClipConfig) -> str:
    if clip.name.startswith("MobileCLIP"):
        return "Apple's model licence (research use)"
    if clip.name.startswith("RN") and clip.weights == "openai":
        return "MIT (OpenAI CLIP); its model card rules out untested deployment"
    return "that of the weights' publisher"
