"""The kinds of calibration files, and reading one of any kind."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.calibration import read_calibrated_camera, read_calibration
from clipdepth.camera.camera import Camera
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.files.colmap import is_colmap, read_colmap
from clipdepth.camera.files.content import Content, read_content
from clipdepth.camera.files.kalibr import is_kalibr, read_kalibr
from clipdepth.camera.files.listed import ListedCameras, named
from clipdepth.camera.files.opencv import is_opencv, read_opencv
from clipdepth.camera.files.realsense import is_realsense, read_realsense
from clipdepth.camera.files.ros import is_ros_file, is_ros_topic, read_ros_file, read_ros_topic
from clipdepth.camera.files.unknown import looks_like
from clipdepth.camera.sized import SizedCamera
from clipdepth.camera.undistortion import straight_pinhole
from clipdepth.errors import SourceError, UsageError

SUPPORTED = "OpenCV, ROS (camera_info, topic echo), Kalibr (camchain), COLMAP (cameras.txt), RealSense (JSON)"


@dataclass(frozen=True)
class FileKind:
    """One kind of file."""

    recognises: Callable[[Content], bool]
    read: Callable[[Content], dict[str, SizedCamera]]
    """Its cameras by their names there, which may be empty for a single one."""


# The first that recognises a file reads it: those that need no YAML come first.
KINDS = (
    FileKind(is_opencv, read_opencv),
    FileKind(is_colmap, read_colmap),
    FileKind(is_kalibr, read_kalibr),
    FileKind(is_ros_topic, read_ros_topic),
    FileKind(is_ros_file, read_ros_file),
    FileKind(is_realsense, read_realsense),
)


def read_told(path: Path, told: Camera, manifest: Manifest) -> tuple[SizedCamera | ListedCameras | None, Conversion]:
    """Read the calibration at `path`, of any kind: the camera, None where it is unknown, and what makes metres.

    `told` says how its pictures are undistorted and, where there are several cameras, which one films. Raises
    SourceError for a file that is missing or damaged, or of a kind that is not read, saying which one it is, and for
    a wider field of view than the camera sees; UsageError for options that the file does not go with.
    """
    content = read_content(path)
    if not _is_own(content):
        return _chosen(content, told), Conversion(manifest.kind)
    _require_no_choice(path, told)
    return read_calibration(path, manifest)


def read_filming(path: Path, told: Camera) -> SizedCamera | ListedCameras | None:
    """Read the camera of the calibration at `path`, of any kind, where there is no bundle; None where it is unknown.

    Raises as `read_told`.
    """
    content = read_content(path)
    if not _is_own(content):
        return _chosen(content, told)
    _require_no_choice(path, told)
    return read_calibrated_camera(path)


def _require_no_choice(path: Path, told: Camera) -> None:
    if told.undistorted_fov is not None or told.camera_id is not None:
        raise UsageError(
            f"{path} is of 'clipdepth calibrate' and says what camera it was measured with; leave out "
            "--undistorted-fov and --camera-id here, and give them to 'clipdepth calibrate'"
        )


def read_cameras(content: Content) -> dict[str, SizedCamera]:
    """The cameras of the file of another tool, by their names there. Raises SourceError as `read_told`."""
    likeness = looks_like(content)
    for kind in KINDS if likeness is None else ():
        if kind.recognises(content):
            return kind.read(content)
    problem = f"looks like {likeness}, which is not read" if likeness else "is no calibration of a kind that is known"
    raise SourceError(f"{content.path} {problem}; give one of {SUPPORTED}, or of 'clipdepth calibrate'")


def _is_own(content: Content) -> bool:
    """Whether `clipdepth calibrate` wrote it."""
    return content.text.lstrip().startswith("{") and '"checkpoint_sha256"' in content.text


def _chosen(content: Content, told: Camera) -> SizedCamera | ListedCameras:
    cameras = {
        name: replace(camera, undistorted_fov=told.undistorted_fov) for name, camera in read_cameras(content).items()
    }
    if told.camera_id is not None:
        if list(cameras) == [""]:
            raise UsageError(f"{content.path} has one camera, without a name; leave out --camera-id")
        if told.camera_id not in cameras:
            raise UsageError(
                f"{content.path} has no camera {told.camera_id}, but {named(cameras)}; give one of them to --camera-id"
            )
        cameras = {told.camera_id: cameras[told.camera_id]}
    if len(cameras) > 1:
        return ListedCameras(content.path, cameras)
    (camera,) = cameras.values()
    try:
        straight_pinhole(camera)  # what cannot be is said now, and not when the first picture comes
    except SourceError as error:
        raise SourceError(f"{content.path}: {error}") from None
    return camera
