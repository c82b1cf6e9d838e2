"""Several sets as one, all of one camera: the student's."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import isnan, nan

import numpy as np

from clipdepth.camera.letterbox import Letterbox
from clipdepth.camera.pinhole import Intrinsics
from clipdepth_train.data.order import Share
from clipdepth_train.data.sample import RgbdPair, RgbdSet, View, camera_of_pair


@dataclass(frozen=True)
class Member:
    """A set of a mixture."""

    name: str
    """As `--data` names it, without its weight."""
    pairs: RgbdSet
    weight: float = 1.0
    """How often an epoch shows each pair, on average."""


class Mixture:
    """The pairs of all members, one member after the other, in pictures of one size by one camera; an RgbdSet.

    `student` is that camera, at that size. A pair of another camera has its picture fitted into that size, and its
    depth multiplied by the ratio of both focal lengths: the farther a camera's zoom reaches, the farther away the same
    picture lies, see `Teacher.factor`. What a teacher answered is for the student's camera already. Depth beyond
    `max_depth` metres is 0 after that. With `taught` every pair has a teacher's answer, 0 where there is none.

    Index i + len is pair i again: an epoch may show a pair more than once, see `epoch_order`.
    """

    def __init__(self, members: Sequence[Member], student: Intrinsics, max_depth: float, taught: bool = False) -> None:
        self.members = tuple(members)
        self.shares = tuple(Share(len(each.pairs), each.pairs.shuffle_window, each.weight) for each in members)
        self.focal, self.centre = (student.fx, student.fy), (student.cx, student.cy)
        self.picture_size = (student.height, student.width)
        self.shuffle_window = max(share.window for share in self.shares)
        self._ends = list(accumulate(share.pairs for share in self.shares))
        self._max_depth, self._taught = max_depth, taught

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> RgbdPair:
        member, place = self._place(index)
        pair = member.pairs[place]
        pair = self._at_camera(pair, _focal(pair, member.pairs))
        return replace(pair, taught=np.zeros_like(pair.depth)) if self._taught and pair.taught is None else pair

    def neighbour(self, index: int, after: bool) -> View:
        """See RgbdSet: of a set that is alone here."""
        member, place = self._place(index)
        return member.pairs.neighbour(place, after)

    def _place(self, index: int) -> tuple[Member, int]:
        index %= len(self)
        number = bisect_right(self._ends, index)
        return self.members[number], index - (self._ends[number - 1] if number else 0)

    def _at_camera(self, pair: RgbdPair, focal: float) -> RgbdPair:
        """A pair of a camera of that focal length, pixels of its picture; NaN where nobody knows it."""
        height, width = pair.frame.shape[:2]
        box = Letterbox.of(height, width, *self.picture_size)
        factor = 1.0 if isnan(focal) else self.focal[0] / (focal * box.scale)
        if pair.frame.shape[:2] == self.picture_size and factor == 1:
            return pair
        depth = box.measured(pair.depth) * np.float32(factor)
        masks = pair.segmentation
        return RgbdPair(
            box.picture(pair.frame),
            np.where(depth > self._max_depth, np.float32(0), depth),
            None if masks is None else box.segmentation(masks),
            None if pair.taught is None else box.answer(pair.taught),
        )


def _focal(pair: RgbdPair, pairs: RgbdSet) -> float:
    """Focal length in pixels of a pair's picture; NaN where nobody knows it."""
    camera = camera_of_pair(pair, pairs)
    if camera is None:
        return nan
    return camera.focal if pair.intrinsics is not None else camera.fx
