"""The camera that a user tells of, for pictures of a size."""

from clipdepth.camera.camera import UNKNOWN_REMEDY, Camera
from clipdepth.camera.files.kinds import read_filming
from clipdepth.camera.sized import SizedCamera, camera_from_focal, camera_from_fov
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.pair import Options


def required_camera(options: Options) -> Camera:
    """The camera that was told; raises DataError where none was."""
    if options.camera is None or options.camera == Camera():
        raise DataError(f"no camera is known; {UNKNOWN_REMEDY}")
    return options.camera


def sized_camera(camera: Camera, width: int, height: int) -> SizedCamera:
    """`camera` for pictures of `width` × `height`; raises DataError for a file of which no camera is known."""
    if camera.fov is not None:
        return camera_from_fov(camera.fov, width, height)
    if camera.focal_px is not None:
        return camera_from_focal(camera.focal_px * camera.zoom(width, height), width, height)
    assert camera.calibration is not None
    found = read_filming(camera.calibration, camera)
    if found is None:
        raise DataError(f"{camera.calibration} was measured with a camera that nobody knew; {UNKNOWN_REMEDY}")
    return found.resized(width, height)
