"""The page on security names tests, and they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_it_names_is_there() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:runtime|train|export)/[\w/]+\.py)`(?: \(([^)]*)\))?", page)
    assert len(named) > 40
    for file, functions in named:
        code = (ROOT / "tests" / file).read_text(encoding="utf-8")
        for function in re.findall(r"`(\w+)`", functions):
            assert f"\ndef {function}(" in code, f"{file} has no {function}"
