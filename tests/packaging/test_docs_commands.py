"""What the pages tell people to type is what the commands take, and their Python is Python of these names."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import clipdepth
from command_parsers import check

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
PROMPTS = ("", "sh", "bash", "console")
"""The languages of blocks that hold commands."""
OURS = re.compile(r"^(?:\w+=\S+ )*(?:.* -m |\S*/)?clipdepth (.+)$")
"""A line that calls the command, by itself, with variables before it, or through accelerate."""
SIGNS = {"|", "&&", ";", "&", ">", ">>"}
STAND_INS = {"…": "rest", "...": "rest"}


def blocks(page: Path, *languages: str) -> list[str]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [block for language, block in found if language in languages]


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `clipdepth` of each command in a block, with variables replaced; continued lines are one."""
    lines = re.sub(r"\\\n\s*", " ", text)
    for name, value in re.findall(r'^(\w+)="(.*)"$', lines, re.MULTILINE):
        lines = lines.replace(f"${name}", value)
    for line in lines.splitlines():
        found = OURS.match(line.strip())
        if found:
            words = shlex.split(found[1], comments=True)
            ends = [index for index, word in enumerate(words) if word in SIGNS]
            yield words[: ends[0]] if ends else words


def shown(page: Path) -> list[list[str]]:
    return [words for block in blocks(page, *PROMPTS) for words in command_lines(block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_what_the_command_takes(page: Path) -> None:
    refused = {" ".join(words): check(words) for words in shown(page) if not set(words) & set(STAND_INS)}
    assert {words: said for words, said in refused.items() if said} == {}


def test_commands_are_found_and_mistakes_told() -> None:
    assert sum(len(shown(page)) for page in PAGES) > 120
    block = 'D="--data x"\nA=1 accelerate launch -m clipdepth train edge \\\n    $D  # why\nx/clipdepth models && ls\n'
    assert list(command_lines(block)) == [["train", "edge", "--data", "x"], ["models"]]
    assert check(["run", "edge-nyu", "--source", "0"]) is None
    assert "--sauce" in (check(["run", "edge-nyu", "--source", "0", "--sauce", "0"]) or "")
    assert "prepare" in (check(["data", "prepere", "tum"]) or "")
    assert check(["train", "edge", "--optim.learning-rate", "fast"])
    assert check(["train", "edge", "--frames.heigth", "64"])
    assert "unknown command" in (check(["exprot", "runs/edge"]) or "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_a_page_is_python_of_names_that_are_there(page: Path) -> None:
    for block in blocks(page, "python", "py"):
        tree = ast.parse(block)
        named = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "clipdepth"
        }
        assert named <= set(dir(clipdepth))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
