"""See rclpy.executors."""


class ExternalShutdownException(Exception):  # noqa: N818, rclpy's name
    pass
