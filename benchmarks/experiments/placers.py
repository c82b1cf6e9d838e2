"""Our int8 placement for processors against other placers, of one fp32 graph calibrated on the same frames.

    python benchmarks/experiments/placers.py BUNDLE…

A bundle has to have an fp32 graph. It is calibrated on its golden frames, on which the difference to fp32 is measured
too. NNCF comes with `pip install --group peers`, ModelOpt by itself: `pip install 'nvidia-modelopt[onnx]'`.

    python benchmarks/experiments/placers.py --write-depth-anything FOLDER

writes Depth Anything V2 Small with random weights, which `clipdepth export FOLDER --size 238x322` makes a bundle of.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.onnx_file import OnnxFile
from clipdepth.engines import Engine, infer_golden, onnxruntime_cpu, openvino, usable_cores
from clipdepth.engines.operations import count_precisions
from clipdepth_bench.families.peers import depth_anything
from clipdepth_bench.measure.duration import by_clock
from clipdepth_bench.measure.samples import ratio_to
from clipdepth_bench.measure.timing import Limits, interleave
from clipdepth_export.calibration import Feeds, Statistics, activation_ranges, largest_values
from clipdepth_export.int8.cpu import CpuQuantizer
from clipdepth_export.variants import feeds

Place = Callable[[Path, list[Feeds], Path], None]
"""Writes the int8 graph of an fp32 graph, calibrated on frames, to a path."""


def main() -> None:
    """Place each bundle's graph by every placer that is installed, run it on both engines, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE")
    parser.add_argument("--write-depth-anything", type=Path, metavar="FOLDER", help="as transformers saves it")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the timing of a bundle (default: %(default)s)")
    options = parser.parse_args()
    if not options.bundles and not options.write_depth_anything:
        parser.error("give a bundle, or --write-depth-anything FOLDER")
    if options.write_depth_anything:
        write_depth_anything(options.write_depth_anything)
    if options.bundles:
        print_table(options.bundles, options.seconds)


def write_depth_anything(folder: Path) -> None:
    """Save the network and its processor."""
    import transformers

    depth_anything.network().save_pretrained(folder)
    transformers.DPTImageProcessor(
        size={"height": depth_anything.OWN.height, "width": depth_anything.OWN.width},
        keep_aspect_ratio=True,
        ensure_multiple_of=depth_anything.PATCH,
    ).save_pretrained(folder)


def print_table(bundles: Sequence[str], seconds: float) -> None:
    """The rows of every bundle."""
    sys.stdout.write("| model | placer | engine | ran | off fp32, mean | × ONNX Runtime's fp32 (p10 to p90) |\n")
    sys.stdout.write("| --- | --- | --- | --- | --: | --: |\n")
    for named in bundles:
        bundle = open_bundle(named, any_tolerance=True)
        with TemporaryDirectory() as folder:
            for row in _rows(bundle, Path(folder), seconds):
                sys.stdout.write(f"| {' | '.join(row)} |\n")
                sys.stdout.flush()


def _rows(bundle: Bundle, folder: Path, seconds: float) -> Iterator[list[str]]:
    fp32, golden = bundle.graph("fp32"), bundle.golden()
    graphs = {"fp32": fp32} | {name: folder / f"{name}.onnx" for name in PLACERS}
    loaded: dict[tuple[str, str], Engine] = {}
    for name, path in graphs.items():
        try:
            if name in PLACERS:
                # In a process of its own: ModelOpt changes ONNX Runtime's calibration for all that comes after it.
                with get_context("spawn").Pool(1) as alone:
                    alone.apply(PLACERS[name], (fp32, feeds(golden), path))
            loaded[name, "onnxruntime"] = onnxruntime_cpu.load_graph(path, usable_cores())
            loaded[name, "openvino"] = openvino.load_graph(path, usable_cores())
        except Exception as error:  # another library's, at whatever version is installed
            yield [bundle.name, name, "", f"not here: {' '.join(str(error).split())[:80]}", "", ""]
    timing = interleave([by_clock(engine.infer) for engine in loaded.values()], golden.frames, Limits(seconds=seconds))
    exact = infer_golden(loaded["fp32", "onnxruntime"].infer, golden).depth
    for ((name, kind), engine), samples in zip(loaded.items(), timing.samples, strict=True):
        with closing(engine):
            off = np.abs(infer_golden(engine.infer, golden).depth - exact).mean() / np.abs(exact).mean()
            ran = count_precisions(engine.operations(), OnnxFile(graphs[name]).nodes)
        ratio = ratio_to(timing.samples[0], samples)
        yield [bundle.name, name, kind, str(ran), f"{100 * off:.2g}%", str(ratio)]


def _ours(fp32: Path, frames: list[Feeds], out: Path) -> None:
    statistics = Statistics(activation_ranges(fp32, frames), largest_values(fp32, frames))
    quantizer = CpuQuantizer(onnx.load(fp32), statistics)
    onnx.save_model(quantizer(quantizer.layers), out)


class _Frames(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, frames: list[Feeds]) -> None:
        self._left = iter(frames)

    def get_next(self) -> Feeds | None:
        """See CalibrationDataReader."""
        return next(self._left, None)


def _onnxruntime(fp32: Path, frames: list[Feeds], out: Path) -> None:
    quantize_static(
        fp32,
        out,
        _Frames(frames),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def _nncf(fp32: Path, frames: list[Feeds], out: Path) -> None:
    import nncf  # type: ignore[import-untyped]

    nncf.set_log_level(logging.ERROR)
    dataset = nncf.Dataset(frames, lambda feed: feed)
    placed = nncf.quantize(onnx.load(fp32), dataset, subset_size=len(frames))
    onnx.save_model(placed, out)


def _modelopt(fp32: Path, frames: list[Feeds], out: Path) -> None:
    from modelopt.onnx.quantization import quantize  # type: ignore[import-not-found]

    stacked: dict[str, NDArray[Any]] = {name: np.concatenate([feed[name] for feed in frames]) for name in frames[0]}
    # It writes into the folder of the graph that it is given, and changes that graph.
    copy = out.with_suffix(".fp32.onnx")
    onnx.save_model(onnx.load(fp32), copy)
    quantize(str(copy), quantize_mode="int8", calibration_data=stacked, output_path=str(out))


PLACERS: dict[str, Place] = {
    "clipdepth": _ours,
    "ONNX Runtime": _onnxruntime,
    "NNCF": _nncf,
    "ModelOpt": _modelopt,
}

if __name__ == "__main__":
    main()
