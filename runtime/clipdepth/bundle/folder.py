"""The bundle: a folder that holds all a device needs, checked before it is used."""

from dataclasses import dataclass
from pathlib import Path

from clipdepth.bundle.box import BOX, find_folder, is_bare, list_models
from clipdepth.bundle.golden import Golden, load_golden
from clipdepth.bundle.graph_check import check_graphs
from clipdepth.bundle.hub import fetch_bundle, fetch_weights
from clipdepth.bundle.hub_name import HubName, hub_name_of, is_hub_name
from clipdepth.bundle.manifest import LARGEST_MANIFEST, MANIFEST, Graph, Manifest, Placement, decode_manifest
from clipdepth.bundle.stored_file import check_files
from clipdepth.errors import BundleError, UsageError
from clipdepth.files.foreign import shown

_REMEDY = "export the bundle again"
_OLD_ENGINES = "engines"
"""Where earlier versions kept TensorRT's engines, which anyone could have put there."""


@dataclass(frozen=True)
class Bundle:
    """A folder whose files are those that its manifest states."""

    path: Path
    manifest: Manifest

    @property
    def hub_name(self) -> HubName | None:
        """What it is called on the hub, with its commit, where it came from there."""
        return hub_name_of(self.path)

    @property
    def name(self) -> str:
        """What reports call it: 'hf:OWNER/NAME@COMMIT', or the name of its folder."""
        return str(self.hub_name or self.path.name)

    def as_named(self, named: str) -> str:
        """What it was named on the command line, pinned to its commit where it came from the hub."""
        return str(self.hub_name or named)

    def require(self, precision: str) -> None:
        """Raise UsageError for a precision that the bundle does not have."""
        if precision not in self.manifest.precisions:
            raise UsageError(f"{self.path} has no {precision} graph; it has {', '.join(self.manifest.precisions)}")

    def graph(self, precision: str, placement: Placement = "cpu") -> Path:
        """The ONNX file of `precision` for engines of that placement; raises as `stated`."""
        return self.path / self.stated(precision, placement).file

    def graph_bytes(self, precision: str, placement: Placement = "cpu") -> int:
        """The size of that graph, weights included; raises as `stated`."""
        return self.manifest.bytes_of(self.stated(precision, placement))

    def stated(self, precision: str, placement: Placement = "cpu") -> Graph:
        """What the manifest says of that graph; raises UsageError where the bundle does not have it."""
        self.require(precision)
        graphs = self.manifest.graphs
        found = next((graph for graph in graphs if graph.precision == precision and graph.suits(placement)), None)
        if found is None:
            labels = ", ".join(graph.label for graph in graphs)
            raise UsageError(f"{self.path} has no {precision} graph placed for {placement}; it has {labels}")
        return found

    @property
    def sizes(self) -> list["Bundle"]:
        """The bundle of each of its sizes alone, the first one first."""
        return [Bundle(self.path, manifest) for manifest in self.manifest.sizes]

    def at(self, height: int, width: int) -> "Bundle":
        """The bundle of that size alone, which has to be one of its sizes."""
        return Bundle(self.path, self.manifest.at(height, width))

    def of_size(self, wanted: tuple[int, int] | None) -> "Bundle":
        """The bundle of the size `wanted`, (height, width), alone; of its first one for None.

        Raises UsageError for a size that it does not have.
        """
        inputs = self.manifest.inputs
        height, width = wanted or (inputs[0].height, inputs[0].width)
        if (height, width) not in [(size.height, size.width) for size in inputs]:
            raise UsageError(f"{self.path} has no graph of {height}×{width}; it has {', '.join(map(str, inputs))}")
        return self.at(height, width)

    def golden(self) -> Golden:
        """The golden frames of its first size."""
        size, kind = self.manifest.input, self.manifest.kind
        place = self.path / self.manifest.golden
        golden = load_golden(place, size.height, size.width, kind)
        if (golden.confidence is not None) != self.manifest.confidence:
            stated = "has confidence" if self.manifest.confidence else "has no confidence"
            raise BundleError(f"{place} does not fit {MANIFEST}, whose model {stated}; {_REMEDY}")
        return golden

    def weights(self) -> Path:
        """The file of the network's weights, checked; raises BundleError where it has none or another one.

        Those of a bundle from the hub are downloaded now; raises as `fetch_weights` too.
        """
        name = self.manifest.weights
        if name is None:
            raise BundleError(f"{self.path} has no weights to train on from; export its run with --weights")
        if self.hub_name:
            fetch_weights(self.hub_name, self.manifest)
        check_files(self.path, {name: self.manifest.files[name]}, _remedy(self.path))
        return self.path / name


def open_bundle(named: str | Path, box: Path = BOX, any_tolerance: bool = False) -> Bundle:
    """Open the bundle that `named` means and check the size and hash of what a device reads.

    Text that starts with 'hf:' means a bundle on the hub, see `fetch_bundle`; see `find_folder` for all else.

    The weights to train on from are not read here, but by `Bundle.weights`, since hashing them takes time. Raises
    BundleError where the bundle is missing, damaged, tampered with or of an unsupported schema, holds what its
    manifest does not state, or has a graph that the exporter does not write, and as `fetch_bundle` for one on the hub.
    `any_tolerance` as in `decode_manifest`.
    """
    path = fetch_bundle(str(named)) if is_hub_name(named) else find_folder(named, box)
    if not path.is_dir():
        models = f"{list_models(box)}; " if is_bare(named) else ""
        raise BundleError(f"no bundle at {path}; {models}make one with 'clipdepth export RUN --out {path}'")
    manifest = _read_manifest(path, any_tolerance)
    _refuse_others(path, manifest)
    needed = {name: stated for name, stated in manifest.files.items() if name != manifest.weights}
    check_files(path, needed, _remedy(path))
    # uv installs packages as hard links to its cache, and what is in the box is trusted as the code beside it is.
    check_graphs(path, _graph_files(manifest), needed, _REMEDY, hard_links=path.parent == box)
    return Bundle(path, manifest)


def _remedy(path: Path) -> str:
    """What to do about a damaged file."""
    return f"remove {path}, and it is downloaded again" if hub_name_of(path) else _REMEDY


def is_bundle(path: Path) -> bool:
    """Whether the folder `path` has a bundle's manifest, and not another program's `manifest.json`."""
    try:
        _read_manifest(path, any_tolerance=True)
    except (BundleError, OSError):
        return False
    return True


def _read_manifest(path: Path, any_tolerance: bool) -> Manifest:
    place = path / MANIFEST
    if not place.is_file() or place.is_symlink():
        raise BundleError(f"{path} has no {MANIFEST}, so it is no bundle; {_REMEDY}")
    if place.stat().st_size > LARGEST_MANIFEST:
        raise BundleError(f"{place} has more than {LARGEST_MANIFEST} bytes; {_REMEDY}")
    return decode_manifest(place.read_bytes(), str(place), any_tolerance)


def _graph_files(manifest: Manifest) -> list[str]:
    graphs = [graph.file for size in manifest.sizes for graph in size.graphs]
    return graphs + (manifest.sam.graph_files if manifest.sam else [])


def _refuse_others(path: Path, manifest: Manifest) -> None:
    others = sorted({entry.name for entry in path.iterdir()} - {MANIFEST, *manifest.files})
    if not others:
        return
    remedy = "remove it"
    if others[0] == _OLD_ENGINES:
        remedy += f": engines lie in the user's cache now, and are built again with 'clipdepth build {path}'"
    raise BundleError(f"{shown(str(path / others[0]))} is not in the bundle's {MANIFEST}; {remedy}")
