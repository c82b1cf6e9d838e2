"""`python -m clipdepth.ros` runs the ROS 2 node."""

import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.kind import require_metric
from clipdepth.camera.corrections import Corrections
from clipdepth.cli.arguments import ArgumentParser
from clipdepth.cli.logs import log_failure, set_up_logging
from clipdepth.errors import ClipdepthError
from clipdepth.model import DepthModel, load
from clipdepth.ros.library import require_ros
from clipdepth.ros.node import DepthNode
from clipdepth.ros.parameters import Parameters


def main(argv: Sequence[str]) -> int:
    """Run the node until it is shut down; return 0, 1 for a failure, 2 for misuse."""
    try:
        set_up_logging()
        _run(argv)
    except ClipdepthError as error:
        log_failure(" ".join(str(error).split()))
        return error.exit_status
    except KeyboardInterrupt:
        pass
    return 0


def _run(argv: Sequence[str]) -> None:
    if {"-h", "--help"} & set(argv):
        parser().print_help()
        return
    require_ros()
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.utilities import remove_ros_args

    parser().parse_args(remove_ros_args(["clipdepth", *argv])[1:])
    rclpy.init(args=["clipdepth", *argv])
    try:
        node = rclpy.create_node("clipdepth")
        parameters = Parameters.declared(node)
        with _loaded(parameters) as model, DepthNode(node, model, parameters) as depth:
            with suppress(ExternalShutdownException):
                rclpy.spin(node)
            if depth.error:
                raise depth.error
    finally:
        rclpy.try_shutdown()


def _loaded(parameters: Parameters) -> DepthModel:
    """The model; raises NotMetricError where its depth is not in metres."""
    bundle = open_bundle(parameters.bundle)
    require_metric(Corrections(bundle.manifest, parameters.camera).kind, "depth in metres", parameters.bundle)
    bundle.manifest.least_confidence(parameters.min_confidence or None, "min_confidence")
    return load(
        bundle,
        engine=parameters.engine,
        precision=parameters.precision or None,
        threads=parameters.threads or None,
        camera=parameters.camera,
    )


def parser() -> ArgumentParser:
    """The help. All that the node is told are ROS parameters and remappings."""
    told = "".join(f"\n  {each.name:<16}{each.metadata['description']}" for each in fields(Parameters))
    return ArgumentParser(
        "python -m clipdepth.ros",
        "A ROS 2 node that publishes the depth of pictures. It subscribes to image and camera_info.\n\n"
        f"parameters:{told}",
        "python -m clipdepth.ros --ros-args -p bundle:=edge-nyu -r image:=/camera/image_rect "
        "-r camera_info:=/camera/camera_info",
        formatter_class=RawDescriptionHelpFormatter,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
