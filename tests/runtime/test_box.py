"""Models found by name: what a name means, and what is said of one that means nothing."""

import logging
import shutil
from pathlib import Path

import pytest

from bundles import WEIGHTS, write_bundle
from clipdepth.bundle.box import BOX, find_folder, is_bare, list_models, model_names, portable
from clipdepth.bundle.folder import open_bundle
from clipdepth.errors import BundleError


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A box of two models; the working directory is another one, and empty."""
    box = tmp_path / "box"
    for name in ("edge", "base"):
        write_bundle(box / name)
    (box / "__pycache__").mkdir()
    (box / "gone").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return box


def test_what_ships_opens() -> None:
    for name in model_names():
        assert open_bundle(name).path == BOX / name


def test_models_are_folders_with_a_manifest(box: Path) -> None:
    assert model_names(box) == ["base", "edge"]
    assert model_names(box / "nowhere") == []
    assert list_models(box) == "the models that ship are base, edge"
    assert list_models(box / "nowhere") == "no model ships with this clipdepth"


def test_a_name_is_the_model_and_all_else_a_path(box: Path) -> None:
    assert find_folder("edge", box) == box / "edge"
    for text in ("./edge", "edge/", "x/edge", "/edge", "other", "", ".", ".."):
        assert find_folder(text, box) == Path(text)
    assert find_folder(Path("edge"), box) == Path("edge")
    assert [is_bare(named) for named in ("edge", "./edge", "edge/", Path("edge"))] == [True, False, False, False]


def test_a_folder_of_that_name_is_told_and_does_not_count(box: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_bundle(Path("edge"), 24, 32)
    assert open_bundle("edge", box).path == box / "edge"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "edge is the model that ships with clipdepth, not the folder here; give ./edge for that"
    )
    caplog.clear()
    for other in ("./edge", "edge/", Path("edge")):
        assert open_bundle(other, box).manifest.input.height == 24
    assert not caplog.records


def test_in_the_box_itself_nothing_is_told(
    box: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(box)
    assert open_bundle("edge", box).path == box / "edge"
    assert not caplog.records


def test_an_unknown_name_lists_the_models(box: Path) -> None:
    with pytest.raises(BundleError) as error:
        open_bundle("edgy", box)
    assert str(error.value) == (
        "no bundle at edgy; the models that ship are base, edge; make one with 'clipdepth export RUN --out edgy'"
    )
    with pytest.raises(BundleError, match=r"^no bundle at edgy; no model ships with this clipdepth; make one with"):
        open_bundle("edgy", box / "nowhere")
    for path in ("./edgy", Path("edgy")):
        with pytest.raises(BundleError, match=r"^no bundle at edgy; make one with"):
            open_bundle(path, box)


def test_a_folder_in_the_working_directory_is_named_without_a_path(box: Path) -> None:
    write_bundle(Path("kitchen"))
    assert open_bundle("kitchen", box).path == Path("kitchen")


def test_weights_are_checked_when_they_are_read(box: Path) -> None:
    path = write_bundle(box / "trained", weights=b"weights")
    assert open_bundle("trained", box).weights() == path / WEIGHTS
    (path / WEIGHTS).write_bytes(b"Weights")
    bundle = open_bundle("trained", box)
    with pytest.raises(BundleError, match=r"weights\.safetensors is not the file its manifest states"):
        bundle.weights()
    (path / WEIGHTS).unlink()
    with pytest.raises(BundleError, match=r"weights\.safetensors is missing"):
        open_bundle("trained", box).weights()
    with pytest.raises(BundleError, match=r"edge has no weights to train on from; export its run with --weights$"):
        open_bundle("edge", box).weights()


def test_each_node_of_a_cluster_has_its_own_copy_of_a_model(box: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(box, tmp_path / "elsewhere")
    named = portable(open_bundle("edge", box).path, box)
    assert elsewhere / named == elsewhere / "edge"
    Path("kitchen").mkdir()
    assert elsewhere / portable(Path("kitchen"), box) == tmp_path / "here" / "kitchen"
