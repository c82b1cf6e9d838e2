"""The node's topics: what it subscribes to and what it publishes."""

from typing import Any

from clipdepth.camera.corrections import Corrections
from clipdepth.frame import DepthFrame
from clipdepth.model import DepthModel
from clipdepth.ros.depth_maker import DepthMaker
from clipdepth.ros.library import as_sequence, message_type
from clipdepth.ros.parameters import RAW, TRANSPORTS, Parameters
from clipdepth.sinks.ros.messages import Messages
from clipdepth.sources.ros.bag import stamp_ns
from clipdepth.sources.ros.topics import CAMERA_INFO, IMAGE

REPORT_S = 1.0
"""How often diagnostics are published, seconds."""


class DepthNode:
    """Publishes the depth of the pictures that an rclpy `node` hears of, from `__enter__` to `__exit__`.

    Subscribes to image, or image/compressed, and to camera_info; publishes ~/depth, ~/camera_info, ~/confidence where
    the bundle has it, ~/points if asked for, and /diagnostics. Depth keeps the picture's header. All but diagnostics
    are best effort and keep the last message only, so that depth never lags.
    """

    def __init__(self, node: Any, model: DepthModel, parameters: Parameters) -> None:
        self.error: BaseException | None = None
        """What ended it, if anything did."""
        self._node, self._model, self._parameters = node, model, parameters
        self._messages = Messages(message_type, as_sequence)
        self._refused = ""
        image = _image_topic(node, parameters.image_transport)
        topics = node.resolve_topic_name(image), node.resolve_topic_name("camera_info")
        self._maker = DepthMaker(
            model,
            topics,
            self._publish,
            self._refuse,
            self._fail,
            is_told=Corrections(model.bundle.manifest, parameters.camera).is_told,
            min_confidence=parameters.min_confidence,
            most=parameters.max_rate,
        )
        newest = _newest_only()
        kinds = {"depth": IMAGE, "camera_info": CAMERA_INFO}
        kinds |= {"confidence": IMAGE} if model.bundle.manifest.confidence else {}
        kinds |= {"points": "sensor_msgs/msg/PointCloud2"} if parameters.publish_cloud else {}
        self._publishers = {
            topic: node.create_publisher(message_type(kind), f"~/{topic}", newest) for topic, kind in kinds.items()
        }
        array = message_type("diagnostic_msgs/msg/DiagnosticArray")
        self._diagnostics = node.create_publisher(array, "/diagnostics", 1)
        node.create_subscription(message_type(CAMERA_INFO), "camera_info", self._maker.take_info, newest)
        kind = message_type(TRANSPORTS[parameters.image_transport])
        node.create_subscription(kind, image, self._maker.take_picture, newest)
        node.create_timer(REPORT_S, self._report)
        node.get_logger().info(
            f"{model.bundle.manifest.name} in {model.precision} on {model.engine.name}, {model.engine.device}: "
            f"{topics[0]} to {node.resolve_topic_name('~/depth')}"
        )

    def _publish(self, picture: Any, frame: DepthFrame) -> None:
        frame_id = self._parameters.frame_id or picture.header.frame_id
        header = self._messages.header(stamp_ns(picture, 0), frame_id)
        for topic, make in self._messages.of_depth(header, frame, self._parameters.publish_cloud):
            self._publishers[topic].publish(make())

    def _refuse(self, problem: str) -> None:
        """Log a problem when it begins; diagnostics have it as long as it lasts."""
        if problem != self._refused:
            self._refused = problem
            self._node.get_logger().error(problem)

    def _fail(self, error: BaseException) -> None:
        import rclpy

        # After Ctrl-C nothing can be published: that is no failure.
        if rclpy.ok():
            self.error = error
            rclpy.try_shutdown()

    def _report(self) -> None:
        report = self._maker.health.report()
        kind, pair = message_type("diagnostic_msgs/msg/DiagnosticStatus"), message_type("diagnostic_msgs/msg/KeyValue")
        runs = {
            "model": self._model.bundle.manifest.name,
            "engine": self._model.engine.name,
            "precision": self._model.precision,
        }
        status = kind(
            level=getattr(kind, report.level),
            name=f"{self._node.get_name()}: depth",
            message=report.message,
            hardware_id=self._model.engine.device,
            values=[pair(key=key, value=value) for key, value in (runs | report.values).items()],
        )
        header = self._messages.header(self._node.get_clock().now().nanoseconds, "")
        self._diagnostics.publish(message_type("diagnostic_msgs/msg/DiagnosticArray")(header=header, status=[status]))

    def __enter__(self) -> "DepthNode":
        self._maker.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._maker.__exit__()


def _image_topic(node: Any, transport: str) -> str:
    """As ROS's own nodes name it: where image is remapped, so is what it is called compressed."""
    return "image" if transport == RAW else f"{node.resolve_topic_name('image')}/{transport}"


def _newest_only() -> Any:
    from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
