"""What a file is that no kind reads, as far as it can be told."""

import re

from clipdepth.camera.files.content import Content

# What other tools' files have in them, and those that are read have not.
OTHERS = (
    (r"^Camera1?\.(type|fx)\s*:", "the settings of ORB-SLAM"),
    (r"^(projection|mirror)_parameters\s*:", "a camera of camodocal or VINS"),
    (r"^sensor_type\s*:", "a sensor.yaml of EuRoC"),
    (r'"camera_angle_x"|"transform_matrix"', "a transforms.json of NeRF tools"),
    (r'\A(?![\s\S]*"ppx")[\s\S]*"intrinsic_matrix"', "intrinsics of Open3D"),
    (r'"value0"', "a calibration of Basalt"),
    (r"^target_type\s*:", "a calibration target of Kalibr"),
    (r"^accelerometer_noise_density\s*:", "an IMU of Kalibr"),
    (r"<document|<calibration>", "a calibration of Agisoft Metashape"),
    (r"^\[(image|narrow_stereo[^\]]*|camera[^\]]*)\]", "an ost.txt of ROS's camera_calibration"),
    (r"^\[LEFT_CAM_", "a calibration of ZED"),
)


def looks_like(content: Content) -> str | None:
    """What it is, as ' looks like …' goes on; None where nobody knows."""
    return next((name for pattern, name in OTHERS if re.search(pattern, content.text, re.MULTILINE)), None)
