"""See rclpy.utilities."""


def remove_ros_args(args: list[str]) -> list[str]:
    """What is not between --ros-args and the end."""
    return args[: args.index("--ros-args")] if "--ros-args" in args else args
