"""What a recipe trains on and is tested on: its datasets, mixed, with what its teacher answers to them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipdepth.bundle.kind import METRIC
from clipdepth.camera.letterbox import Letterbox
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import camera_from_focal
from clipdepth.errors import UsageError
from clipdepth_train.data.folder import KINECT_FOCAL, FolderSet
from clipdepth_train.data.loader import open_set
from clipdepth_train.data.mixture import Member, Mixture
from clipdepth_train.data.pictures import PictureSet
from clipdepth_train.data.sample import RgbdSet, intrinsics_of
from clipdepth_train.named_data import ROOMS, NamedData, is_unmeasured, measured_data, named_data
from clipdepth_train.recipe import DataConfig, Recipe
from clipdepth_train.teacher.labels import Pictured
from clipdepth_train.teacher.named import open_teacher
from clipdepth_train.teacher.taught_set import TaughtSet
from clipdepth_train.teacher.teacher import Teacher

LOG = logging.getLogger(__name__)
_NO_ROOMS = (
    "'rooms' is drawn anew each time, so no teacher's answers can be kept beside it; write it with 'clipdepth data "
    "render rooms' and give that"
)


@dataclass(frozen=True)
class TrainingData:
    """The data of a run, opened."""

    pairs: Mixture
    """What it trains on."""
    tests: RgbdSet
    """What it is evaluated on: the test pairs of the first dataset with depth; else what the teacher answers to a
    tenth of the pictures of the first set, which are held out."""
    tested_on: str
    """The name of the data that `tests` are of."""
    teacher: Teacher | None
    unlabelled: tuple[Pictured, ...]
    """What the teacher has to be asked before anything is read, see `label_pictures`."""

    @property
    def is_measured(self) -> bool:
        """Whether the depth of `tests` was measured."""
        return not isinstance(self.tests, TaughtSet)


def open_training(recipe: Recipe) -> TrainingData:
    """Open all data of a recipe, and its teacher without its weights.

    The frames of videos are taken here where they are not there yet. Raises DataError and SourceError where data is
    missing, CheckpointError and BundleError where the teacher is, UsageError where one does not fit the other.
    """
    named = [named_data(text) for text in recipe.data]
    teacher = open_teacher(recipe.teacher) if recipe.teacher else None
    _require_teachable(named, teacher, recipe)
    first = measured_data(recipe.data)
    if is_unmeasured(first) and teacher is not None:
        return _unmeasured(named, teacher, recipe)
    opened = [_open(each, recipe) for each in named]
    student = intrinsics_of(next(member.pairs for member in opened if member.name == first))
    tests = open_set(first, "test", recipe.frames)
    return _taught(opened, student, tests, first, teacher, recipe)


def open_pictures(name: str, frames: DataConfig) -> FolderSet | PictureSet:
    """The training pictures of `name`, which a teacher can be asked about; raises UsageError for 'rooms'."""
    pairs = PictureSet(Path(name), frames.every) if is_unmeasured(name) else open_set(name, "train", frames)
    if not isinstance(pairs, FolderSet | PictureSet):
        raise UsageError(_NO_ROOMS)
    return pairs


def _require_teachable(named: Sequence[NamedData], teacher: Teacher | None, recipe: Recipe) -> None:
    unmeasured = [each.name for each in named if is_unmeasured(each.name)]
    if unmeasured and teacher is None:
        raise UsageError(
            f"{unmeasured[0]} has no measured depth (no train.txt, no train/); give --teacher, a run, a bundle or a "
            "model's name, to learn from"
        )
    if unmeasured and recipe.frames.segments:
        raise UsageError(
            f"--frames.segments {recipe.frames.segments} is of a dataset with depth, and {unmeasured[0]} has none; "
            "choose a recipe without SAM's masks"
        )
    if teacher is None:
        return
    if all(each.name == ROOMS for each in named):
        raise UsageError(_NO_ROOMS)
    if teacher.kind != METRIC and recipe.augment.tilt:
        raise UsageError(
            f"--augment.tilt is {recipe.augment.tilt}, and {recipe.teacher} answers {teacher.kind} depth, of which "
            "nobody knows how a tilt changes it; set it to 0"
        )
    if teacher.kind != METRIC and len(unmeasured) == len(named):
        raise UsageError(
            f"{recipe.teacher} answers {teacher.kind} depth and none of the data has metres; add a --data that has"
        )


def _open(each: NamedData, recipe: Recipe) -> Member:
    if is_unmeasured(each.name):
        return Member(each.name, PictureSet(Path(each.name), recipe.frames.every), each.weight)
    return Member(each.name, open_set(each.name, "train", recipe.frames), each.weight)


def _unmeasured(named: Sequence[NamedData], teacher: Teacher, recipe: Recipe) -> TrainingData:
    """Of pictures alone: the student's camera is the teacher's."""
    first, *others = named
    kept, held_out = (PictureSet(Path(first.name), recipe.frames.every, split) for split in ("train", "test"))
    members = [Member(first.name, kept, first.weight), *(_open(each, recipe) for each in others)]
    height, width = kept.picture_size
    student = _camera_of(teacher, height, width)
    tests = TaughtSet(held_out, teacher, student, recipe.frames.max_depth, as_depth=True)
    return _taught(members, student, tests, first.name, teacher, recipe)


def _camera_of(teacher: Teacher, height: int, width: int) -> Intrinsics:
    """The camera whose pictures of `height` × `width` the teacher sees as those of its own."""
    seen = Letterbox.of(height, width, teacher.size.height, teacher.size.width)
    if teacher.camera is not None:
        focal = teacher.camera.focal
    else:
        LOG.warning("nothing says which camera %s was trained with; taking a Kinect's", teacher.name)
        focal = KINECT_FOCAL * teacher.size.width
    return camera_from_focal(focal / seen.scale, width, height).intrinsics


def _taught(
    opened: Sequence[Member],
    student: Intrinsics,
    tests: RgbdSet,
    tested_on: str,
    teacher: Teacher | None,
    recipe: Recipe,
) -> TrainingData:
    if teacher is None:
        return TrainingData(Mixture(opened, student, recipe.frames.max_depth), tests, tested_on, None, ())
    if teacher.kind == METRIC and teacher.camera is None and not isinstance(tests, TaughtSet):
        LOG.warning("nothing says which camera %s was trained with; taking the student's", teacher.name)
    members, unlabelled = list[Member](), list[Pictured]()
    for member in opened:
        pairs = member.pairs
        if isinstance(pairs, FolderSet | PictureSet):  # 'rooms' has no files to keep answers beside
            unlabelled.append(pairs)
            pairs = TaughtSet(pairs, teacher, student, recipe.frames.max_depth)
        members.append(Member(member.name, pairs, member.weight))
    if isinstance(tests, TaughtSet):
        unlabelled.append(tests.pairs)
    mixture = Mixture(members, student, recipe.frames.max_depth, taught=True)
    return TrainingData(mixture, tests, tested_on, teacher, tuple(unlabelled))
