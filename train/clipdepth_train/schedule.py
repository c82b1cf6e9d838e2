"""Learning rates as a function of the step alone, so that a resumed run needs no state for them."""

import math

from clipdepth_train.recipe import OptimConfig

WARM_UP = 0.1
START, END = 0.04, 0.001
STEP = 0.1


def learning_rate_factor(optim: OptimConfig, step: int, steps: int, per_epoch: int) -> float:
    """What the base learning rates are multiplied by at `step` of `steps`.

    'onecycle' rises by a cosine from 0.04 to 1 over the first tenth and falls by one to 0.001; 'cosine' only falls;
    'step' multiplies by 0.1 every `step_epochs` epochs; 'milestones' by 0.1 at the start of each of `milestones`,
    which count from the end of the warm-up.
    """
    epoch = step // per_epoch
    if optim.schedule == "step":
        return float(STEP ** (epoch // optim.step_epochs))
    if optim.schedule == "milestones":
        if epoch < optim.warm_up_epochs:
            return optim.warm_up_rate / optim.learning_rate
        return float(STEP ** sum(epoch - optim.warm_up_epochs >= milestone for milestone in optim.milestones))
    peak = WARM_UP * steps if optim.schedule == "onecycle" else 0
    if step < peak:
        return _cosine(START, 1.0, step / peak)
    return _cosine(1.0, END, (step - peak) / (steps - peak))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
