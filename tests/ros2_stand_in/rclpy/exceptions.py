"""See rclpy.exceptions."""


class ParameterException(Exception):  # noqa: N818, rclpy's name
    pass


class InvalidParameterTypeException(ParameterException):
    pass
