"""Calibration files in the layouts of the tools that write them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 640, 480
K: NDArray[np.float64] = np.array([[402.5, 0.0, 322.25], [0.0, 401.75, 236.5], [0.0, 0.0, 1.0]])
PLUMB_BOB = (-0.25, 0.07, 0.001, -0.002, 0.01)
RATIONAL = (0.31, -0.12, 0.0004, -0.0007, 0.015, 0.55, -0.09, 0.02)
RADTAN = PLUMB_BOB[:4]
FISHEYE = (-0.012, 0.021, -0.016, 0.004)
D455 = (
    -0.05658450722694397,
    0.06544225662946701,
    -0.0008694113348610699,
    0.00016751799557823688,
    -0.020957745611667633,
)


def opencv_file(path: Path, coefficients: Sequence[float], **others: Any) -> Path:
    """As OpenCV's sample calibration.cpp writes it; `others` are further nodes."""
    nodes = {"image_width": SIZE[0], "image_height": SIZE[1], "camera_matrix": K}
    return storage(path, {**nodes, "distortion_coefficients": np.array([coefficients]).T, **others})


def interactive_file(path: Path, coefficients: Sequence[float]) -> Path:
    """As the application opencv_interactive-calibration writes it."""
    nodes = {"framesCount": 12, "cameraResolution": SIZE, "cameraMatrix": K, "cameraMatrix_std_dev": np.ones((4, 1))}
    return storage(path, {**nodes, "dist_coeffs": np.array([coefficients]), "avg_reprojection_error": 0.3})


def storage(path: Path, nodes: dict[str, Any]) -> Path:
    """A file of cv2.FileStorage; a tuple becomes a sequence."""
    written = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in nodes.items():
        if isinstance(value, tuple):
            written.startWriteStruct(name, cv2.FileNode_SEQ | cv2.FileNode_FLOW)
            for part in value:
                written.write("", part)
            written.endWriteStruct()
        else:
            written.write(name, value)
    written.release()
    return path


def ros_file(path: Path, model: str | None, coefficients: Sequence[float]) -> Path:
    """As ROS's camera_calibration writes ost.yaml, 5 columns whatever there are."""
    lines = [f"image_width: {SIZE[0]}", f"image_height: {SIZE[1]}", "camera_name: narrow_stereo"]
    lines += _ros_matrix("camera_matrix", 3, 3, K.ravel())
    if model:
        lines.append(f"distortion_model: {model}")
    lines += _ros_matrix("distortion_coefficients", 1, 5, coefficients)
    lines += _ros_matrix("rectification_matrix", 3, 3, np.eye(3).ravel())
    lines += _ros_matrix("projection_matrix", 3, 4, np.hstack([K * 0.9, np.zeros((3, 1))]).ravel())
    path.write_text("\n".join(lines) + "\n")
    return path


def _ros_matrix(name: str, rows: int, cols: int, values: Sequence[float] | NDArray[np.float64]) -> list[str]:
    data = ", ".join(f"{value:.6f}" for value in values)
    return [f"{name}:", f"  rows: {rows}", f"  cols: {cols}", f"  data: [{data}]"]


def ros2_message(model: str, coefficients: Sequence[float], **changed: Any) -> str:
    """What `ros2 topic echo` prints of a message, with the line that ends it."""
    roi = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": "false", **changed.pop("roi", {})}
    fields = {"binning_x": 0, "binning_y": 0, "sec": 1700000000, **changed}
    lines = ["header:", "  stamp:", f"    sec: {fields['sec']}", "    nanosec: 45404812", "  frame_id: camera_optical"]
    lines += [f"height: {SIZE[1]}", f"width: {SIZE[0]}", f"distortion_model: {model}"]
    for name, values in (("d", coefficients), ("k", K.ravel()), ("r", np.eye(3).ravel()), ("p", np.zeros(12))):
        lines += [f"{name}:", *(f"- {float(value)!r}" for value in values)] if len(values) else [f"{name}: []"]
    lines += [f"binning_x: {fields['binning_x']}", f"binning_y: {fields['binning_y']}", "roi:"]
    lines += [f"  {name}: {value}" for name, value in roi.items()]
    return "\n".join([*lines, "---", ""])


def ros1_message(model: str, coefficients: Sequence[float]) -> str:
    """What `rostopic echo` prints of a message."""
    return f"""header:
  seq: 3402
  stamp:
    secs: 1459228129
    nsecs: 655101027
  frame_id: "camera"
height: {SIZE[1]}
width: {SIZE[0]}
distortion_model: "{model}"
D: {list(coefficients)}
K: {K.ravel().tolist()}
R: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
P: [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 0
binning_y: 0
roi:
  x_offset: 0
  y_offset: 0
  height: 0
  width: 0
  do_rectify: False
---
"""


def kalibr_camera(model: str, coefficients: Sequence[float], name: str = "cam0", **changed: Any) -> str:
    """A camera of a camchain as Kalibr writes it."""
    fields = {
        "cam_overlaps": [1],
        "camera_model": "pinhole",
        "distortion_coeffs": list(coefficients),
        "distortion_model": model,
        "intrinsics": [K[0, 0].item(), K[1, 1].item(), K[0, 2].item(), K[1, 2].item()],
        "resolution": list(SIZE),
        "rostopic": f"/{name}/image_raw",
        **changed,
    }
    return f"{name}:\n" + "".join(f"  {name}: {value}\n" for name, value in fields.items())


def colmap_file(path: Path, *cameras: str) -> Path:
    """As COLMAP's WriteCamerasText writes it; a camera is 'MODEL WIDTH HEIGHT PARAMS'."""
    lines = ["# Camera list with one line of data per camera:", "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    lines += [f"# Number of cameras: {len(cameras)}"]
    lines += [f"{number} {camera}" for number, camera in enumerate(cameras, 1)]
    path.write_text("\n".join(lines) + "\n")
    return path


def realsense_stream(model: str | int, coefficients: Sequence[float]) -> dict[str, Any]:
    """The fields of pyrealsense2's intrinsics; str() of its model is 'distortion.brown_conrady'."""
    sizes = {"width": SIZE[0], "height": SIZE[1], "fx": K[0, 0], "fy": K[1, 1], "ppx": K[0, 2], "ppy": K[1, 2]}
    return {**sizes, "model": model, "coeffs": list(coefficients)}


def realsense_file(path: Path, found: dict[str, Any]) -> Path:
    """A dump of them."""
    path.write_text(json.dumps(found, indent=2))
    return path
