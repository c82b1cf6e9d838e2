"""The documentation site builds without a fault, has every page, every command and every name, and faults are found."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

import clipdepth
from clipdepth.cli import COMMANDS

pytest.importorskip("zensical")

from command_parsers import commands
from dead_links import dead_links
from make_site import ROOT, make_site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    assert make_site(out) == []
    return out


def navigation(entries: list[object]) -> Iterator[str]:
    """The pages of a nav in zensical.toml."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for inner in entry.values():  # type: ignore[attr-defined]
                yield from navigation(inner if isinstance(inner, list) else [inner])


def test_the_navigation_has_every_page_once(built: Path) -> None:
    project = tomllib.loads((built / "zensical.toml").read_text(encoding="utf-8"))["project"]
    pages = list(navigation(project["nav"]))
    assert sorted(set(pages)) == sorted(pages)
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= set(pages)
    assert [page for page in pages if not (built / "pages" / page).is_file()] == []


def test_every_command_and_option_is_in_the_reference(built: Path) -> None:
    page = (built / "pages" / "commands.md").read_text(encoding="utf-8")
    found = dict(commands())
    assert list(found) == list(COMMANDS)
    for name in ("bench", "bench compare", "bench pareto", "bench scaling"):
        assert [parser.prog for parser in found[name]] == [f"clipdepth {name}"]
    assert {parser.prog for parser in found["data"]} > {"clipdepth data prepare tum", "clipdepth data check"}
    for name, parsers in found.items():
        section = page.partition(f"\n## clipdepth {name}\n")[2].partition("\n## ")[0]
        options = {text for parser in parsers for action in parser._actions for text in action.option_strings}
        assert [text for text in options - {"-h", "--help"} if text not in section] == []
    options_of_train = (built / "pages" / "train-options.md").read_text(encoding="utf-8")
    assert "--optim.learning-rate" in options_of_train
    for recipe in ("edge", "space", "msa-ssl", "depthclip"):
        section = options_of_train.partition(f"\n## The network of {recipe}\n")[2].partition("\n## ")[0]
        assert "--model.trunk.name" in section
        assert "--optim." not in section


def test_every_name_has_its_docstring(built: Path) -> None:
    page = (built / "site" / "api" / "index.html").read_text(encoding="utf-8")
    for name in set(clipdepth.__all__) - {"__version__"}:
        assert f'id="clipdepth.{name}"' in page
        line = (getattr(clipdepth, name).__doc__ or "").partition("\n")[0].partition("`")[0].partition("'")[0]
        assert line, f"{name} has no docstring"
        assert line in page


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("picture.png", "picture.png is not there"),
        ("../kitchen/", "../kitchen/ is not there"),
        ("../api/#clipdepth.nothing", "../api/#clipdepth.nothing has no such heading"),
        ("../../outside.html", "../../outside.html leaves the site"),
        ("../api/#clipdepth.load", None),
        ("https://example.org/", None),
    ],
)
def test_a_dead_link_is_found(link: str, fault: str | None, tmp_path: Path) -> None:
    (tmp_path / "outside.html").touch()
    for name in ("api", "page"):
        (tmp_path / "site" / name).mkdir(parents=True)
    (tmp_path / "site/api/index.html").write_text('<h2 id="clipdepth.load">load</h2>', encoding="utf-8")
    (tmp_path / "site/page/index.html").write_text(f'<a href="{link}">a</a>', encoding="utf-8")
    assert dead_links(tmp_path / "site") == ([f"page/index.html: {fault}"] if fault else [])


def test_zensical_is_asked_to_be_strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heading that a page links to and that is gone ends the build."""
    root = tmp_path / "root"
    for name in ("docs", "website"):
        (root / name).mkdir(parents=True)
    for name in ("zensical.toml", "tables.css"):
        shutil.copy(ROOT / "website" / name, root / "website")
    for name in ("README.md", "SECURITY.md", "CHANGELOG.md", "docs/cameras.md"):
        (root / name).write_text("# A page\n", encoding="utf-8")
    (root / "docs" / "hub.md").write_text("# Hub\n\n[gone](cameras.md#gone)\n", encoding="utf-8")
    monkeypatch.setattr("make_site.ROOT", root)
    monkeypatch.setattr("make_site.generated", dict)
    (told,) = make_site(tmp_path / "out")
    assert "hub.md" in told
    assert "anchor does not exist" in told
