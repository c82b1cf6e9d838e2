"""The paper's figure 7: image, segmentation, ground truth, DepthCLIP and the best MSA, a row a scene."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.engines.sam.painting import blend
from clipdepth.errors import UsageError
from clipdepth.sinks.picture_grid import depth_span, depth_tile, draw_grid, measured_tile
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.sample import RgbdPair, evenly_spread
from clipdepth_train.data.transforms import test_pair
from clipdepth_train.evaluation import predictor
from clipdepth_train.named_data import measured_data
from clipdepth_train.recipe import DataConfig, Recipe
from clipdepth_train.trainer import METRICS

SCENES = 4


def best_run(runs: Path) -> Path:
    """The trained MSA of least rel below `runs`; raises UsageError where there is none."""
    reports = [path for path in runs.glob(f"msa-*/{METRICS}") if path.is_file()]
    if not reports:
        raise UsageError(f"no trained MSA in {runs}; run 'clipdepth reproduce table3' first, or --only msa-l1")
    return min(reports, key=lambda path: json.loads(path.read_text(encoding="utf-8"))["metrics"]["rel"]).parent


def figure7(depthclip: Path, msa: Path, segments: str) -> NDArray[np.uint8]:
    """The figure of two runs, (H, W, 3) uint8 BGR; without a segmentation its column is left out."""
    (clip_model, clip_recipe), (msa_model, msa_recipe) = load_run(depthclip), load_run(msa)
    pairs = _scenes(msa_recipe, segments)
    span = depth_span([pair.depth for pair in pairs])
    models = [predictor(clip_model, clip_recipe.frames), predictor(msa_model, msa_recipe.frames)]
    titles = ["image", *(["segmentation"] if segments else []), "ground truth", "DepthCLIP", f"best MSA: {msa.name}"]
    rows = []
    for pair in pairs:
        plain = RgbdPair(pair.frame, pair.depth)
        masks = [] if pair.segmentation is None else [blend(pair.frame, pair.segmentation)]
        inputs = (plain, pair if msa_model.network.needs_segmentation else plain)
        depths = [depth_tile(model(seen), span) for model, seen in zip(models, inputs, strict=True)]
        rows.append([pair.frame, *masks, measured_tile(pair.depth, span), *depths])
    return draw_grid(titles, rows, span)


def _scenes(recipe: Recipe, segments: str) -> list[RgbdPair]:
    frames = DataConfig(**{**vars(recipe.frames), "segments": segments})
    tests = open_set(measured_data(recipe.data), "test", frames)
    return [test_pair(tests[i], frames) for i in evenly_spread(len(tests), SCENES)]
