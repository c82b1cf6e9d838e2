"""What keeps a run from being made: SAM's masks or CLIP's weights that cannot be had, or the run that it refines."""

from collections.abc import Callable, Iterable
from functools import cache

from clipdepth.errors import WeightsError
from clipdepth_train.clip import from_hub, load_clip
from clipdepth_train.pretrained import NO_WEIGHTS, PretrainedConfig
from clipdepth_train.reproduce.plan import PlannedRun, needs_sam
from clipdepth_train.reproduce.published import REFINES

NO_SAM = "SAM's weights are not given; give --sam-weights PATH"


class Missing:
    """Says what each run lacks; it is asked in the order of the plan.

    `unavailable` says why a CLIP's weights cannot be downloaded, '' where they can. It is asked once for each CLIP.
    """

    def __init__(self, unavailable: Callable[[PretrainedConfig], str]) -> None:
        self._unavailable = cache(unavailable)
        self._left_out: set[str] = set()

    def reason(self, run: PlannedRun) -> str:
        """Why `run` cannot be made, in one line; empty where it can."""
        reason = self._reason(run)
        if reason:
            self._left_out.add(run.name)
        return reason

    def _reason(self, run: PlannedRun) -> str:
        if needs_sam(run.name) and not run.recipe.frames.segments:
            return NO_SAM
        if REFINES.get(run.name) in self._left_out:
            return f"needs the run of {REFINES[run.name]}"
        clip = run.pretrained
        return self._unavailable(clip) if clip is not None and from_hub(clip) else ""


def unavailable(clip: PretrainedConfig) -> str:
    """Why a CLIP's weights cannot be loaded, or downloaded where they come from the hub; empty where they can."""
    try:
        load_clip(clip)
    except WeightsError as error:
        return str(error).replace("--model.trunk.weights", "--clip-weights")
    return ""


def require_files(runs: Iterable[PlannedRun]) -> None:
    """Raise WeightsError where a run begins with a file of weights that is missing or does not fit its CLIP."""
    for clip in {run.pretrained for run in runs}:
        if clip is not None and clip.weights != NO_WEIGHTS and not from_hub(clip):
            reason = unavailable(clip)
            if reason:
                raise WeightsError(reason)
