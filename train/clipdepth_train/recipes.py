"""The recipes that come with clipdepth: the rows of the paper's tables, `edge` and `space`."""

from dataclasses import replace

from clipdepth_train.models import (
    ClipAdapterConfig,
    CoarseAdapterConfig,
    DepthClipConfig,
    EdgeConfig,
    EigenConfig,
    MsaConfig,
    SpaceConfig,
)
from clipdepth_train.pretrained import PretrainedConfig
from clipdepth_train.recipe import AugmentConfig, DataConfig, LossConfig, OptimConfig, Recipe, ViewConfig

_PAPER_FRAMES = DataConfig(height=416, width=544, picture="paper", dense=True)
_NO_ZOOM = AugmentConfig(zoom=1.0)
# The paper rotates pictures for supervised training only.
_UNTURNED = AugmentConfig(rotate=0.0, zoom=1.0)
_SMOOTH = 1e-3
_L1, _L2 = LossConfig("l1"), LossConfig("l2")
_SSL = LossConfig("none", smoothness=_SMOOTH, photometric=1.0)


def _sgd(rate: float, decay: float, step_epochs: int) -> OptimConfig:
    return OptimConfig("sgd", rate, weight_decay=decay, schedule="step", step_epochs=step_epochs, clip_norm=0.0)


def _supervised_by(loss: LossConfig) -> AugmentConfig:
    return _UNTURNED if loss.kind == "none" else _NO_ZOOM


def _clip_adapter(loss: LossConfig, image: bool = True, text: bool = True) -> Recipe:
    return Recipe(
        ClipAdapterConfig(image_adapter=image, text_adapter=text),
        frames=_PAPER_FRAMES,
        augment=_supervised_by(loss),
        view=ViewConfig("warped" if loss.photometric else "none"),
        optim=_sgd(0.02, 1e-4, step_epochs=10),
        loss=loss,
        normalisation="imagenet",
        epochs=30,
        batch_size=64,
        mirror=True,
    )


def _eigen(model: EigenConfig | CoarseAdapterConfig) -> Recipe:
    return Recipe(
        model,
        frames=_PAPER_FRAMES,
        augment=_NO_ZOOM,
        optim=OptimConfig(
            "sgd",
            0.002 if model.refined else 0.02,
            weight_decay=0.1,
            schedule="milestones",
            milestones=(1, 2, 3, 4, 5, 10, 15, 20),
            warm_up_epochs=1,
            clip_norm=1.0,  # not in the paper: at its rate of 0.02 the loss is not a number after 20 steps
        ),
        loss=replace(_L2, native=True, smoothness=_SMOOTH),
        normalisation="imagenet",
        epochs=10,
        mirror=True,
    )


def _msa(loss: LossConfig, view: ViewConfig, model: MsaConfig) -> Recipe:
    return Recipe(
        model,
        frames=_PAPER_FRAMES,
        augment=_supervised_by(loss),
        view=view,
        optim=_sgd(2e-3, 1e-5, step_epochs=30),
        loss=loss,
        normalisation="imagenet",
        epochs=90,
        mirror=True,
    )


_SUPERVISION = {
    "ssl": (_SSL, ViewConfig("warped")),
    "views": (_SSL, ViewConfig("neighbour")),
    "l2": (_L2, ViewConfig()),
    "l1": (_L1, ViewConfig()),
}

RECIPES = {
    "depthclip": Recipe(DepthClipConfig(), frames=_PAPER_FRAMES, normalisation="imagenet", epochs=0, mirror=True),
    "clip-adapter": _clip_adapter(replace(_L2, smoothness=_SMOOTH)),
    "clip-adapter-image": _clip_adapter(replace(_L2, smoothness=_SMOOTH), text=False),
    "clip-adapter-text": _clip_adapter(replace(_L2, smoothness=_SMOOTH), image=False),
    "clip-adapter-ssl": _clip_adapter(_SSL),
    "depth-eigen-coarse": _eigen(EigenConfig()),
    "depth-eigen-refined": _eigen(EigenConfig(refined=True)),
    "coarse-adapter": _eigen(CoarseAdapterConfig()),
    "refined-adapter": _eigen(CoarseAdapterConfig(refined=True)),
    **{
        f"msa-{name}{'-clip' if clip else ''}{'-sam' if sam else ''}": _msa(
            loss, view, MsaConfig(initial_depth=clip, segmentation=sam)
        )
        for name, (loss, view) in _SUPERVISION.items()
        for clip in (False, True)
        for sam in (False, True)
    },
    "edge": Recipe(
        EdgeConfig(),
        augment=_NO_ZOOM,
        optim=OptimConfig(trunk_learning_rate=1e-4, ema=0.998),
    ),
    "edge-nyu": Recipe(
        EdgeConfig(PretrainedConfig("tf_efficientnet_lite2", "imagenet"), stages=4, shrink=1, detail=0, min_depth=0.5),
        frames=DataConfig(other_sizes=((192, 320), (320, 240), (320, 192))),
        augment=AugmentConfig(zoom=2.2, shrink=0.6, shapes=0.5, jitter=0.3, tint=0.1, gamma=0.25, sensor=0.1),
        optim=OptimConfig(learning_rate=2e-3, trunk_learning_rate=5e-4, weight_decay=0.05, ema=0.998),
        loss=LossConfig(silog_lambda=0.5, gradient=0.5),
        channels_last=True,
        epochs=36,
        evaluate_every=1000,
    ),
    "space": Recipe(
        SpaceConfig(),
        augment=_NO_ZOOM,
        optim=OptimConfig(weight_decay=0.05, ema=0.998),
        loss=LossConfig(silog_lambda=0.5, gradient=0.5),
    ),
}
