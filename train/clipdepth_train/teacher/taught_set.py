"""A set whose pairs hold what a teacher answers to their pictures."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.resize import resize_answer
from clipdepth_train.data.sample import RgbdPair, RgbdSet, View
from clipdepth_train.teacher.labels import Pictured, answer_path, read_answer
from clipdepth_train.teacher.teacher import Teacher


class PicturedSet(RgbdSet, Pictured, Protocol):
    """Pairs whose pictures are files."""


class TaughtSet:
    """The pairs of a set with `taught`, for the camera `student`; see `RgbdPair` and `Teacher.factor`.

    The answers have to be there, see `label_pictures`. Metres beyond `max_depth` count as unknown, as measured ones do:
    a student cannot answer them. With `as_depth` answers take the place of measured depth.
    """

    def __init__(
        self,
        pairs: PicturedSet,
        teacher: Teacher,
        student: Intrinsics,
        max_depth: float = math.inf,
        as_depth: bool = False,
    ) -> None:
        self.pairs, self._teacher, self._as_depth = pairs, teacher, as_depth
        self._max_depth = max_depth if teacher.kind == METRIC else math.inf
        self._student = student
        self.focal, self.centre = pairs.focal, pairs.centre
        self.picture_size, self.shuffle_window = pairs.picture_size, pairs.shuffle_window

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> RgbdPair:
        pair = self.pairs[index]
        taught = self._taught(self.pairs.pictures[index], *pair.frame.shape[:2])
        return replace(pair, depth=taught) if self._as_depth else replace(pair, taught=taught)

    def neighbour(self, index: int, after: bool) -> View:
        """See RgbdSet."""
        return self.pairs.neighbour(index, after)

    def _taught(self, picture: Path, height: int, width: int) -> NDArray[np.float32]:
        answer = read_answer(answer_path(self.pairs.folder, self._teacher.key, picture), self._teacher)
        factor = np.float32(self._teacher.factor(self._student, height, width))
        taught = np.asarray(resize_answer(answer, height, width) * factor, np.float32)
        return np.where(taught > self._max_depth, np.float32(0), taught)
