"""Which bundle a worker opens: its node's own copy, or the one that was sent."""

from pathlib import Path

import pytest

from bundles import WEIGHTS, write_bundle
from clipdepth.bundle.box import DEFAULT
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.cluster.sent_bundle import SentBundle, bundle_sha256, open_meant
from clipdepth.errors import BundleError

pytestmark = pytest.mark.usefixtures("own_cache")

NOWHERE = "/nowhere/made.bundle"


class Sent(SentBundle):
    """A bundle that was sent, without Ray: its files, and how often they were fetched."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        object.__setattr__(self, "fetched", [])

    def files(self) -> dict[str, bytes]:
        self.fetched.append(1)  # type: ignore[attr-defined]
        return dict(self.reference)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(tmp_path / "made.bundle", weights=b"weights"))


def files_of(bundle: Bundle) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in bundle.path.iterdir() if file.name != WEIGHTS}


def test_a_copy_that_is_there_is_taken(bundle: Bundle) -> None:
    assert open_meant(str(bundle.path), bundle_sha256(bundle), None).path == bundle.path
    shipped = open_bundle(DEFAULT)
    assert open_meant(DEFAULT, bundle_sha256(shipped), None).path == shipped.path


@pytest.mark.parametrize("place", [NOWHERE, DEFAULT, f"hf:someone/edge@{'0' * 40}"])
def test_else_it_is_what_was_sent_and_kept(bundle: Bundle, place: str) -> None:
    """Also where another bundle is at that place."""
    sent = Sent(files_of(bundle))
    for _ in range(2):
        found = open_meant(place, bundle_sha256(bundle), sent)
        assert found.manifest == bundle.manifest
        assert files_of(found) == files_of(bundle)
    assert sent.fetched == [1]  # type: ignore[attr-defined]


def test_without_it_nothing_else_is_taken(bundle: Bundle) -> None:
    for place in (NOWHERE, DEFAULT):
        with pytest.raises(BundleError, match="is not the bundle that it was at the start"):
            open_meant(place, bundle_sha256(bundle), None)


def test_what_arrives_is_checked_as_every_bundle_is(bundle: Bundle, own_cache: Path) -> None:
    meant, files = bundle_sha256(bundle), files_of(bundle)
    with pytest.raises(BundleError, match="another bundle was sent"):
        open_meant(NOWHERE, meant, Sent({**files, "manifest.json": files["manifest.json"] + b" "}))
    others = {"../above": b"x", "x.pkl": b"x"}
    graph = "depth.fp32.onnx"
    with pytest.raises(BundleError, match=rf"{graph} is not the file its manifest states \(sha256 differs\)"):
        open_meant(NOWHERE, meant, Sent({**files, **others, graph: files[graph][:-1] + b"x"}))
    names = {file.name for file in own_cache.rglob("*") if file.is_file()}
    assert names <= set(files)
    assert open_meant(NOWHERE, meant, Sent(files | others)).manifest == bundle.manifest
