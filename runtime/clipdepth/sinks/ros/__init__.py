"""Depth in ROS 2's messages: recordings."""
