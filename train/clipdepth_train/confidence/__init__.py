"""How sure a model is of its depth: fitted, calibrated and measured."""
