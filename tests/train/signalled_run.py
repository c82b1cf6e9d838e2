"""`python -m train.signalled_run SIGNAL STEP train …`: the command, whose process group gets a signal in that step."""

import os
import signal
import sys

import tiny_clip  # noqa: F401 (told to open_clip)
from clipdepth.cli import main
from clipdepth_train import trainer
from clipdepth_train.recipe import OptimConfig


def signal_in_step(number: int, wanted: int) -> None:
    """Send the signal to this process and its group, as a terminal does, when the trainer begins that step."""
    rate = trainer.learning_rate_factor

    def signalling(config: OptimConfig, step: int, total: int, per_epoch: int) -> float:
        if step + 1 == wanted:
            os.killpg(os.getpgrp(), number)
        return rate(config, step, total, per_epoch)

    trainer.learning_rate_factor = signalling


if __name__ == "__main__":
    signal_in_step(signal.Signals[sys.argv[1]], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
