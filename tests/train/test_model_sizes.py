"""Parameters and operations that README.md and docs/space.md state, counted on networks that are built."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from clipdepth_train.depth_model import build_model
from clipdepth_train.recipes import RECIPES

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["depthclip", "msa-l1", "space"])
def test_the_sizes_that_pages_state(name: str) -> None:
    recipe = replace(RECIPES[name], mirror=False)
    model = build_model(recipe, pretrained=False)
    millions, gflop = model.parameter_count() / 1e6, model.flops(*recipe.frames.sizes[0]) / 1e9
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"\[`{name}`\].* \| ([\d.]+) M \| ([\d.]+) \|\n", readme)
    assert row
    assert (float(row[1]), float(row[2])) == (round(millions, 1), round(gflop, 1))
    if name == "space":
        trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad) / 1e6
        page = (ROOT / "docs" / "space.md").read_text(encoding="utf-8")
        assert f"| {millions:.1f} M, of which {trained:.1f} M are trained |" in page
        assert f"| {gflop:.1f} GFLOP (" in page
