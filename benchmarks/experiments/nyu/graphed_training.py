"""A training whose step is one CUDA graph, so that many of them share a GPU without waiting for Python."""

from collections.abc import Iterator

import torch
from torch import Tensor

from clipdepth_train.data.loader import Batches, steps_per_epoch, training_loader
from clipdepth_train.data.order import share_of
from clipdepth_train.data.sample import RgbdSet
from clipdepth_train.depth_model import DepthModel, build_model
from clipdepth_train.objective import Objective
from clipdepth_train.recipe import Recipe
from clipdepth_train.schedule import learning_rate_factor
from clipdepth_train.trainer import make_optimizer
from clipdepth_train.weight_average import WeightAverage, averaging

Size = tuple[int, int]
AHEAD = 3
"""Steps that are put on the GPU's queue before the first of them has to be done."""


class GraphedTraining:
    """What `Trainer` does in fp32, step for step, without checkpoints; the recipe has to average its weights.

    On a GPU forward, backward, update and average are captured once for each of the recipe's sizes and replayed on a
    stream of their own; elsewhere they run as they are. `model` is the average.
    """

    def __init__(self, recipe: Recipe, pairs: RgbdSet, device: torch.device) -> None:
        self.recipe = recipe
        self.steps = recipe.epochs * steps_per_epoch(len(pairs), recipe.batch_size)
        self.step = 0
        self._pairs = pairs
        self._trained = build_model(recipe)
        if recipe.channels_last:
            self._trained.to(memory_format=torch.channels_last)
        self._trained.to(device).train()
        self._per_epoch = self.steps // recipe.epochs
        share_at = averaging(recipe.optim, self.steps, self._per_epoch)
        assert share_at is not None
        self._share_at = share_at
        self._average = WeightAverage(self._trained, share_at)
        self._objective = Objective(self._trained, recipe.loss)
        self._optimizer = make_optimizer(self._trained, recipe)
        self._rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        # A graph reads these where they lie: the learning rate of each group, and the average's share of new weights.
        self._numbers = torch.zeros(len(self._rates) + 1, device=device)
        for place, group in enumerate(self._optimizer.param_groups):
            group["lr"] = self._numbers[place]
        self._inputs = {size: _places(recipe.batch_size, *size, device) for size in recipe.frames.sizes}
        self._graphs = dict[Size, torch.cuda.CUDAGraph]()
        self._queue = list[torch.cuda.Event]()
        self._stream = torch.cuda.Stream() if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        if self._stream is not None:
            self._capture(self._stream)

    @property
    def model(self) -> DepthModel:
        """The average of the weights so far."""
        return self._average.model

    def begin(self) -> None:
        """Start the processes that load data. They fork, so every graph has to be captured before."""
        batches = Batches(self.recipe, share_of(self._pairs), 0, self.steps, 0, 1)
        self._batches: Iterator[dict[str, Tensor]] = iter(training_loader(self._pairs, self.recipe, batches))

    def advance(self) -> None:
        """Put one more step on the GPU's queue; elsewhere, take it."""
        batch = next(self._batches)
        factor = learning_rate_factor(self.recipe.optim, self.step, self.steps, self._per_epoch)
        numbers = torch.tensor([*(rate * factor for rate in self._rates), self._share_at(self.step)])
        height, width = batch["depth"].shape[1:]
        size = (height, width)
        if self._stream is None:
            self._take(batch, numbers, size)
            self._update(size)
        else:
            if len(self._queue) == AHEAD:
                self._queue.pop(0).synchronize()
            with torch.cuda.stream(self._stream):
                self._take(batch, numbers.pin_memory(), size)
                self._graphs[size].replay()
                self._queue.append(self._stream.record_event())
        self.step += 1

    def _take(self, batch: dict[str, Tensor], numbers: Tensor, size: Size) -> None:
        for name, place in self._inputs[size].items():
            place.copy_(batch[name], non_blocking=True)
        self._numbers.copy_(numbers, non_blocking=True)

    def _update(self, size: Size) -> None:
        self._optimizer.zero_grad()
        self._objective(self._inputs[size]).backward()
        if self.recipe.optim.clip_norm:
            torch.nn.utils.clip_grad_norm_(self._trained.parameters(), self.recipe.optim.clip_norm)
        self._optimizer.step()
        self._average.mix(self._trained, self._numbers[-1])

    def _capture(self, stream: torch.cuda.Stream) -> None:
        first = [value.clone() for value in self._trained.state_dict().values()]
        for group in self._optimizer.param_groups:
            group["capturable"] = True
        stream.wait_stream(torch.cuda.current_stream())
        pool = torch.cuda.graph_pool_handle()
        for size in self._inputs:
            with torch.cuda.stream(stream):
                for _ in range(3):  # cuDNN chooses its kernels, and the optimizer makes its state
                    self._update(size)
            torch.cuda.current_stream().wait_stream(stream)
            self._optimizer.zero_grad()
            self._graphs[size] = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graphs[size], pool=pool, stream=stream):
                self._update(size)
        for module in (self._trained, self.model):
            for value, before in zip(module.state_dict().values(), first, strict=True):
                value.copy_(before)
        for state in self._optimizer.state.values():
            for value in state.values():
                value.zero_()
        torch.cuda.synchronize()


def _places(batch: int, height: int, width: int, device: torch.device) -> dict[str, Tensor]:
    """Where a graph reads a batch of one size."""
    return {
        "frame": torch.zeros(batch, height, width, 3, dtype=torch.uint8, device=device),
        "depth": torch.ones(batch, height, width, device=device),
    }
