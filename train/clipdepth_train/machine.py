"""What a run takes of its machine: nothing of it changes what is learned, so that it is no part of the recipe.

The help of `train` tells it: what takes long to import is imported on use.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from clipdepth.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from torch import nn

Result = TypeVar("Result")


@dataclass(frozen=True)
class MachineConfig:
    """How fast a run goes, and where it tells of itself."""

    cache_gb: float | None = None
    """Gigabytes of decoded frames to keep in the temporary folder; half of the free memory where none is given."""
    compile: bool = False
    """Compile the training step: minutes before the first one, and faster ones after it."""
    tracker: Literal["tensorboard", "wandb", "none"] = "tensorboard"
    """Who follows loss and errors: TensorBoard's files in the run's folder, Weights & Biases, or nobody."""

    def __post_init__(self) -> None:
        if self.cache_gb is not None and not self.cache_gb >= 0:
            raise UsageError(f"--cache-gb is {self.cache_gb}; it has to be 0 or more")
        if self.tracker == "wandb":
            _require_wandb()

    def cache_bytes(self, processes: int) -> int:
        """Bytes for each of the training processes of this machine."""
        from clipdepth_train.data.cache import usual_budget

        return (usual_budget() if self.cache_gb is None else round(self.cache_gb * 1e9)) // processes


def _require_wandb() -> None:
    from accelerate.utils import is_wandb_available

    if not is_wandb_available():
        raise MissingExtraError("--tracker wandb", "wandb", "wandb")


def compiled(module: "nn.Module") -> None:
    """Have `module` compiled, at its first call, for each size of its input."""
    module.compile(dynamic=False)


def without_compiler(step: Callable[[], Result]) -> Result:
    """Call a step that is compiled; raises UsageError where the machine cannot compile."""
    from torch._dynamo.exc import TorchDynamoException

    try:
        return step()
    except TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"--compile does not work here ({reason}); leave it out") from error
