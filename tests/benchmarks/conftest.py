"""One tiny trained run and its bundle."""

from pathlib import Path

import pytest

from clipdepth_export.exporter import write_bundle
from clipdepth_export.sources.run import run_source
from runs import train_tiny_run, write_rgbd_folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RGB-D pairs to train and to test on."""
    return write_rgbd_folder(tmp_path_factory.mktemp("pairs"), 2, 2)


@pytest.fixture(scope="session")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny edge run; its bundle is beside it."""
    run = train_tiny_run(tmp_path_factory.mktemp("runs") / "tiny", data)
    write_bundle(run_source(run), run.with_name("tiny.bundle"))
    return run
