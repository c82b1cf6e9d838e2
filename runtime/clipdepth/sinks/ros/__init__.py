"""Depth in ROS 2's messages: recordings, and live for Foxglove."""
