"""Runs an ONNX graph on frames and says which kernels ran, as JSON; it imports NumPy and ONNX Runtime alone.

    python benchmarks/experiments/arm/session.py depth.onnx frames.npy depth.npy

It stands alone so that an emulated machine can run it: `emulated.py` does so.
"""

import argparse
import json
import platform
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime


def main(argv: Sequence[str]) -> None:
    """Write the depth of the frames and print machine, version and the number of each operator that ran."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("graph", type=Path, help="ONNX graph from 'frame' to 'depth'")
    parser.add_argument("frames", type=Path, help="frames, (N, H, W, 3) uint8, as .npy")
    parser.add_argument("depth", type=Path, help="where to write the depth, (N, H, W) float32, as .npy")
    options = parser.parse_args(argv)
    with TemporaryDirectory() as folder:
        session = _open(options.graph, Path(folder) / "profile")
        frames = np.load(options.frames)
        np.save(options.depth, np.concatenate([session.run(["depth"], {"frame": frame[None]})[0] for frame in frames]))
        ran = _kernels(Path(session.end_profiling()))
    found = {"machine": platform.machine(), "onnxruntime": onnxruntime.__version__, "ran": ran}
    sys.stdout.write(json.dumps(found) + "\n")


def _open(graph: Path, profile: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _kernels(profile: Path) -> dict[str, int]:
    """The number of nodes of each operator that ran, whatever the number of frames."""
    events = json.loads(profile.read_text(encoding="utf-8"))
    nodes = {(event["args"]["op_name"], event["name"]) for event in events if event["cat"] == "Node"}
    return dict(Counter(operator for operator, _ in sorted(nodes)))


if __name__ == "__main__":
    main(sys.argv[1:])
