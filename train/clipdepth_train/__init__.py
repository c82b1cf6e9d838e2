"""Training: CLIP trunks, depth models, RGB-D data, recipes, evaluation. Needs the `train` extra."""
