"""What the stages of an archive have to do, and the folders that its output goes to."""

from dataclasses import dataclass, replace
from hashlib import sha256

from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.corrections import Corrections
from clipdepth.cluster.archive.settings import Settings
from clipdepth.cluster.archive.sources import Item
from clipdepth.cluster.archive.uri import Uri, open_uri
from clipdepth.cluster.sent_bundle import SentBundle
from clipdepth.cluster.sent_model import SentModel

CHUNK_BYTES = 32 << 20
"""How many bytes of pictures go through Ray's object store together."""


@dataclass(frozen=True)
class Job:
    """All that the stages need to know; it is sent to every worker."""

    out: str
    """The folder or URI of the output."""
    bundle: str
    """See `box.portable`; where a node has not this bundle there, it is sent."""
    settings: Settings
    """With an engine and a precision, once they are settled."""
    threads: int
    """Of the engine."""
    inputs: tuple[InputSize, ...]
    """The sizes of the network."""
    corrections: Corrections
    """For the camera that filmed."""
    device: int | None = None
    """The GPU's number, where one is named."""

    def model(self, sent: SentBundle | None) -> SentModel:
        """What a worker loads."""
        engine, precision = self.settings.engine, self.settings.precision
        return SentModel(self.bundle, self.settings.bundle, engine, precision, self.threads, self.device, sent)

    def settled(self, model: SentModel) -> "Job":
        """The same job with the engine and the precision of `model`."""
        return replace(self, settings=replace(self.settings, engine=model.engine, precision=model.precision))

    @property
    def chunk_frames(self) -> int:
        """How many frames make a chunk: a multiple of the engine's batch."""
        height, width = self.largest
        batches = CHUNK_BYTES // (height * width * 3 * self.max_batch)
        return max(batches, 1) * self.max_batch

    @property
    def max_batch(self) -> int:
        """How many frames the engine takes at once, at most."""
        return self.inputs[0].max_batch

    @property
    def largest(self) -> tuple[int, int]:
        """The height and the width that hold a picture of any of the sizes."""
        return max(size.height for size in self.inputs), max(size.width for size in self.inputs)

    @property
    def folder(self) -> Uri:
        """The folder of the output."""
        return open_uri(self.out)

    def depth_path(self, item: Item, index: int) -> str:
        """Where the depth of frame `index` of an item goes, from the output's folder on."""
        if item.is_image:
            return f"depth/{item.name}.png"
        return f"depth/{item.name}.mkv" if self.settings.format == "mkv" else f"depth/{item.name}/{index:06d}.png"

    def index(self, name: str) -> Uri:
        """The Parquet file about the video or the images of that name."""
        return self.folder / f"index/{name}.parquet"

    @property
    def work(self) -> Uri:
        """Where what is not whole yet lies."""
        return self.folder / ".work"

    def parts(self, item: Item) -> Uri:
        """The folder of a video's parts; another one when the video changes."""
        state = sha256(f"{item.source} {item.size} {item.modified}".encode()).hexdigest()[:16]
        return self.work / f"{item.name}.{state}"
