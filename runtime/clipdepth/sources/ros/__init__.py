"""Pictures and cameras in ROS's messages and bags."""
