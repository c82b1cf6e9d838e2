"""Which Segment Anything painted what a run was trained on."""

import json
from pathlib import Path

from clipdepth.errors import DataError, WeightsError
from clipdepth_train.data.segments import SEGMENTS, SETTINGS
from clipdepth_train.segmentation import NO_WEIGHTS, SamConfig, weights_digest


def sam_of_run(data: str, segments: str, weights: str | None) -> SamConfig:
    """The SAM that `clipdepth data segment` painted `segments` of the dataset with, its weights in the file `weights`.

    Raises DataError where the dataset does not tell, WeightsError where other weights were used.
    """
    path = Path(data) / SEGMENTS / segments / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        digest = settings.pop("weights")
        del settings["colouring"]
        config = SamConfig(**settings, weights=weights or NO_WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} does not say which SAM the run was trained with ({error}); "
            "give --data, a dataset that 'clipdepth data segment' painted with the same settings"
        ) from None
    if weights_digest(config) != digest:
        given = f"{weights} are other weights" if weights else "no weights are given"
        raise WeightsError(
            f"the run was trained with SAM's {config.variant} of sha256 {digest[:8]}… and {given}; "
            "give that file with --sam-weights"
        )
    return config
