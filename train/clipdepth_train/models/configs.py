"""What a recipe says of its network. The help of `train` tells it, so nothing here waits for PyTorch."""

from dataclasses import dataclass, field

from clipdepth.errors import UsageError
from clipdepth_train.pretrained import PretrainedConfig

CLASS_DEPTHS = (1.00, 1.50, 2.00, 2.25, 2.50, 2.75, 3.00)
"""The depth of each class, in metres."""


@dataclass(frozen=True)
class ModelConfig:
    """The options of a network: each kind has its own, and one that builds on a pretrained network has its `trunk`."""


@dataclass(frozen=True)
class DepthClipConfig(ModelConfig):
    """Zero-shot depth from a frozen CLIP."""

    trunk: PretrainedConfig = field(default_factory=lambda: PretrainedConfig("RN50-quickgelu", "openai"))
    """The CLIP whose image and text towers are compared."""
    temperature: float = 0.1
    """What the cosine similarities are divided by before the softmax."""

    @property
    def depth_range(self) -> tuple[float, float]:
        """The smallest and largest depth it can answer, metres."""
        return min(CLASS_DEPTHS), max(CLASS_DEPTHS)


@dataclass(frozen=True)
class ClipAdapterConfig(ModelConfig):
    """DepthCLIP with an adapter on the image's features, on the text's, or on both."""

    trunk: PretrainedConfig = field(default_factory=lambda: PretrainedConfig("RN50-quickgelu", "openai"))
    """The CLIP whose image and text features are adapted."""
    image_adapter: bool = True
    """Adapt the image's features."""
    text_adapter: bool = True
    """Adapt the text's features."""
    temperature: float = 0.1
    """What the cosine similarities are divided by before the softmax."""

    @property
    def depth_range(self) -> tuple[float, float]:
        """The smallest and largest depth it can answer, metres."""
        return min(CLASS_DEPTHS), max(CLASS_DEPTHS)

    def __post_init__(self) -> None:
        if not (self.image_adapter or self.text_adapter):
            raise UsageError("a clip-adapter without an adapter is depthclip; switch one on or train depthclip")


@dataclass(frozen=True)
class EigenConfig(ModelConfig):
    """Eigen et al.'s network of two stacks, without CLIP."""

    refined: bool = False
    """Refine the coarse network's map; the coarse network comes from the run of `--start`, and is frozen."""


@dataclass(frozen=True)
class CoarseAdapterConfig(ModelConfig):
    """The same, with CLIP's zero-shot depth in place of the coarse network's convolutions."""

    trunk: PretrainedConfig = field(default_factory=lambda: PretrainedConfig("RN50-quickgelu", "openai"))
    """The CLIP whose zero-shot depth is adapted."""
    refined: bool = False
    """Refine the coarse adapter's map; the coarse adapter comes from the run of `--start`, and is frozen."""
    temperature: float = 0.1
    """What the cosine similarities are divided by before the softmax."""


@dataclass(frozen=True)
class MsaConfig(ModelConfig):
    """The Multi-Scale Adapter, with or without CLIP's zero-shot depth to start from, and SAM's segmentation."""

    trunk: PretrainedConfig = field(default_factory=lambda: PretrainedConfig("RN50-quickgelu", "openai"))
    """The pretrained network that is the encoder: a CLIP, or a model of timm's with five scales."""
    initial_depth: bool = False
    """Correct CLIP's zero-shot depth by at most ±1 m, instead of answering depth outright."""
    temperature: float = 0.001
    """The zero-shot depth's temperature, where it is used."""
    segmentation: bool = False
    """Join SAM's segmentation to the image; `frames.segments` says which."""


class BinsConfig(ModelConfig):
    """What the options of networks that answer depth as the mean over bins have in common.

    No dataclass: each network states these with its own defaults, at their place among its options.
    """

    width: int
    bins: int
    min_depth: float
    max_depth: float

    @property
    def depth_range(self) -> tuple[float, float]:
        """The ends of the bins, metres."""
        return self.min_depth, self.max_depth

    def __post_init__(self) -> None:
        """Raise UsageError where the bins cannot tile the depth range on these channels."""
        near, far = self.depth_range
        if not 0 < near < far:
            raise UsageError(f"depth from {near} to {far} m: it has to rise, from above 0")
        if self.width < 1 or self.bins < 2:
            raise UsageError(f"--model.width {self.width} and --model.bins {self.bins}: at least 1 and 2 are needed")


@dataclass(frozen=True)
class EdgeConfig(BinsConfig):
    """A light depth model for small machines."""

    trunk: PretrainedConfig = field(default_factory=lambda: PretrainedConfig("RN50-quickgelu", "openai"))
    """The pretrained network that is the encoder."""
    stages: int = 3
    """Stages of the trunk that are kept, from the finest on."""
    shrink: int = 2
    """The trunk sees the picture at 1/shrink of its height and width."""
    detail: int = 32
    """Channels of what two convolutions of the whole picture add at stride 4; 0 for none."""
    width: int = 64
    """Channels of the feature pyramid."""
    bins: int = 64
    """Number of depth bins."""
    min_depth: float = 0.3
    """The near end of the first bin, in metres."""
    max_depth: float = 10.0
    """The far end of the last bin, in metres."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shrink < 1 or self.detail < 0 or not 1 <= self.stages <= 4:
            raise UsageError(
                f"--model.shrink {self.shrink}, --model.detail {self.detail}, --model.stages {self.stages}: "
                "at least 1, at least 0 and 1 to 4 are needed"
            )


@dataclass(frozen=True)
class SpaceConfig(BinsConfig):
    """A depth model on a vision transformer."""

    trunk: PretrainedConfig = field(default_factory=lambda: PretrainedConfig("ViT-B-16-quickgelu", "openai"))
    """The pretrained transformer that is the encoder: CLIP's, SigLIP's, DINOv2's, DINOv3's, or another of its kind."""
    blocks: tuple[int, int, int, int] = (3, 6, 9, 12)
    """Blocks of the transformer, counted from 1, that the pyramid's levels are made of, fine to coarse."""
    width: int = 128
    """Channels of the feature pyramid."""
    bins: int = 64
    """Number of depth bins."""
    min_depth: float = 0.5
    """The near end of the first bin, in metres."""
    max_depth: float = 10.0
    """The far end of the last bin, in metres."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.blocks[0] < 1 or list(self.blocks) != sorted(set(self.blocks)):
            asked = " ".join(map(str, self.blocks))
            raise UsageError(f"--model.blocks {asked}: they have to rise, from 1 or more")
