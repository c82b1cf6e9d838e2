"""CONTRIBUTING.md says where things are added; the places are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = re.findall(r"^\| (?!to add|---)(.+?) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_is_named_is_in_the_file_that_is_named(row: tuple[str, str, str, str]) -> None:
    _, _, where, tests = row
    path = re.search(r"`([a-z_/]+\.py)`", where)
    assert path, where
    name = re.match(r"`([A-Za-z_]+)` in ", where)
    source = (ROOT / path[1]).read_text()
    assert name is None or re.search(rf"^(def )?{name[1]}\b", source, re.MULTILINE), where
    assert (ROOT / tests.strip("`")).is_file()


def test_every_command_is_one_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv").replace("$(INSTALLED)", ".venv/.installed")
    block = re.search(r"```\n(make .*?)```", TEXT, re.DOTALL)
    assert block
    targets = re.findall(r"^make (\S+)", block[1], re.MULTILINE)
    assert len(targets) == 6
    for target in targets:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target
