"""The ROS 2 node, `python -m clipdepth.ros`: pictures and CameraInfo in; depth, points and diagnostics out."""
