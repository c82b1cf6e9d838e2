"""Pretrained networks by name, and what loading their weights has in common, whoever publishes them."""

from dataclasses import dataclass

NO_WEIGHTS = "none"
"""The name of random weights."""


@dataclass(frozen=True)
class PretrainedConfig:
    """Which pretrained network, and where its weights come from."""

    name: str
    """A CLIP as open_clip lists it, such as RN50-quickgelu, or a model of timm's, such as tf_efficientnet_lite0."""
    weights: str
    """A tag of open_clip's hub (openai), or of timm's (imagenet); a file; or 'none' for random weights."""


def root_cause(error: BaseException) -> BaseException:
    """The exception that an error was raised from, or from whose handling it came, at the end of the chain."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its class where it has none.

    PyTorch's advice to load a file that is refused without its guard is left out.
    """
    text = str(error).strip()
    if "weights_only" in text or "Weights only load failed" in text:
        return "it is damaged, or more than plain tensors"
    return (text.splitlines() or [type(error).__name__])[0]
