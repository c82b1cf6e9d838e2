"""What the pages link to and tell people to run is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = "runtime|train|export|benchmarks|tests|docs"
NAMED = re.compile(rf"(?<![\w./-])((?:{ROOMS})/[\w./-]*\w)")
"""A path from the repository's root, in a command or in code."""
BASES = (ROOT, ROOT / "tests")
SCRIPT = re.compile(r"python (benchmarks/[\w/]+\.py)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), f"{page.name} links to {target}"
        if heading:
            assert heading in _headings(found.read_text(encoding="utf-8")), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_checkout_that_a_page_names_are_there(page: Path) -> None:
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), re.DOTALL))
    # docs/security.md names tests from their folder.
    assert [name for name in NAMED.findall(code) if not any((base / name).exists() for base in BASES)] == []


def test_scripts_say_how_they_are_run_from_the_root() -> None:
    scripts = sorted((ROOT / "benchmarks").rglob("*.py"))
    named = {(path, name) for path in scripts for name in SCRIPT.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 15
    assert [(path, name) for path, name in sorted(named) if path != ROOT / name] == []


def _headings(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
