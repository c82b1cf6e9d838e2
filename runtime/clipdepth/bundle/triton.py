"""A bundle as a model repository for NVIDIA's Triton Inference Server.

A folder for each of its sizes, with a configuration (model_config.proto) and the graph as version 1.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.manifest import Placement
from clipdepth.errors import UsageError
from clipdepth.files.atomic import atomic_folder

Accelerator = Literal["openvino", "tensorrt"]
"""What ONNX Runtime hands the graph to inside Triton."""
CONFIG = "config.pbtxt"
GRAPH = "model.onnx"
HEAD = "# Written by clipdepth from a verified bundle."
_ACCELERATORS: dict[Accelerator, str] = {
    "openvino": "cpu_execution_accelerator",
    "tensorrt": "gpu_execution_accelerator",
}
_CHANNELS = 3


@dataclass(frozen=True)
class TritonModel:
    """A model of the repository: `bundle` has one size, and `name` is the folder's and the model's."""

    bundle: Bundle
    name: str
    precision: str
    accelerator: Accelerator | None = None
    instances: int = 1

    @property
    def placement(self) -> Placement:
        """Whose rules an int8 graph follows."""
        return "tensorrt" if self.accelerator == "tensorrt" else "cpu"

    def config(self) -> str:
        """The configuration, as text of the message ModelConfig."""
        manifest = self.bundle.manifest
        size = manifest.input
        # Without a batch in the graph Triton takes whole shapes; with one it adds the batch by itself.
        batch = [] if size.max_batch > 1 else [1]
        outputs = ["depth", *(["confidence"] if manifest.confidence else [])]
        frame = _tensor("frame", "TYPE_UINT8", [*batch, size.height, size.width, _CHANNELS])
        answers = [_tensor(name, "TYPE_FP32", [*batch, size.height, size.width]) for name in outputs]
        if manifest.confidence:
            answers.append(_tensor("novelty", "TYPE_FP32", batch))
        kind = "KIND_GPU" if self.accelerator == "tensorrt" else "KIND_CPU"
        lines = [
            HEAD,
            f'name: "{self.name}"',
            'platform: "onnxruntime_onnx"',
            f"max_batch_size: {size.max_batch if size.max_batch > 1 else 0}",
            f"input [{frame}]",
            f"output [{', '.join(answers)}]",
            f"instance_group [{{ count: {self.instances}, kind: {kind} }}]",
            *(["dynamic_batching {}"] if size.max_batch > 1 else []),
            *self._acceleration(),
            *(_parameter(key, value) for key, value in self._facts().items()),
        ]
        return "\n".join(lines) + "\n"

    def _acceleration(self) -> list[str]:
        if self.accelerator is None:
            return []
        where = _ACCELERATORS[self.accelerator]
        return [f'optimization {{ execution_accelerators {{ {where}: [{{ name: "{self.accelerator}" }}] }} }}']

    def _facts(self) -> dict[str, str]:
        """What a client needs to know besides; all focal lengths are pixels of the graph's picture."""
        camera = self.bundle.manifest.camera
        focal = {"training_fx": f"{camera.fx:.10g}", "training_fy": f"{camera.fy:.10g}"} if camera else {}
        return {"depth_kind": self.bundle.manifest.kind, "precision": self.precision, **focal}


def triton_models(
    bundle: Bundle, name: str, precision: str, accelerator: Accelerator | None = None, instances: int = 1
) -> list[TritonModel]:
    """A model for each size, called `name`, or `name`-HxW where there are several.

    Raises UsageError for a bundle with Segment Anything, which is more than one graph, and as `Bundle.stated`.
    """
    if bundle.manifest.sam:
        raise UsageError(f"{bundle.path} has Segment Anything beside its graph, which Triton cannot run as one model")
    sizes = bundle.sizes
    models = []
    for sized in sizes:
        size = sized.manifest.input
        own = name if len(sizes) == 1 else f"{name}-{size.height}x{size.width}"
        model = TritonModel(sized, own, precision, accelerator, instances)
        sized.stated(precision, model.placement)
        models.append(model)
    return models


def write_repository(models: Sequence[TritonModel], repository: Path) -> None:
    """Write the models into a folder that may hold others; each is whole or not there.

    One that an earlier call wrote is replaced. Raises UsageError where something else has its name.
    """
    for model in models:
        _require_ours(repository / model.name)
    for model in models:
        stated = model.bundle.stated(model.precision, model.placement)
        with atomic_folder(repository / model.name) as folder:
            version = folder / "1"
            version.mkdir()
            shutil.copyfile(model.bundle.path / stated.file, version / GRAPH)
            if stated.weights:  # the graph names it
                shutil.copyfile(model.bundle.path / stated.weights, version / stated.weights)
            (folder / CONFIG).write_text(model.config(), encoding="utf-8")


def _require_ours(folder: Path) -> None:
    config = folder / CONFIG
    if folder.exists() and not (config.is_file() and config.read_text("utf-8", "replace").startswith(HEAD)):
        raise UsageError(f"{folder} exists and was not written by clipdepth; choose another folder or --name")


def _tensor(name: str, data_type: str, dims: Sequence[int]) -> str:
    # Triton takes no answer without dimensions: one of a number a frame is told of as [1], and made of [].
    told = f"dims: [{', '.join(map(str, dims))}]" if dims else "dims: [1], reshape: { shape: [] }"
    return f'{{ name: "{name}", data_type: {data_type}, {told} }}'


def _parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}", value: {{ string_value: "{value}" }} }}'
