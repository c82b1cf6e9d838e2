"""The pages of docs/, laid out as the site wants them, with the files that they link to."""

import posixpath
import re
import shutil
from pathlib import Path

LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
HOME = "index.md"
BESIDE = ("README.md", "SECURITY.md", "CHANGELOG.md")
"""Pages that do not lie in docs/."""


def lay_out(root: Path, out: Path) -> None:
    """Copy docs/ and the README into `out`, and whatever they link to in the repository `root`.

    Pages of docs/ lie at the top, the README is the home page, other files keep their paths.
    """
    waiting = [*(root / name for name in BESIDE), *sorted((root / "docs").rglob("*"))]
    done: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in done or file.is_dir():
            continue
        done.add(file)
        target = out / _place(file, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".md":
            text, linked = _relinked(file, root)
            target.write_text(text, encoding="utf-8")
            waiting += linked
        else:
            shutil.copyfile(file, target)


def _place(file: Path, root: Path) -> str:
    if file == root / "README.md":
        return HOME
    docs = root / "docs"
    return file.relative_to(docs if file.is_relative_to(docs) else root).as_posix()


def _relinked(page: Path, root: Path) -> tuple[str, list[Path]]:
    """The page's text with the site's links, and the files that it links to; a link to nothing stays as it is."""
    linked = []
    here = posixpath.dirname(_place(page, root))

    def moved(link: re.Match[str]) -> str:
        path, mark, anchor = link[1].partition("#")
        file = (page.parent / path).resolve()
        if "://" in path or not path or not file.is_file():
            return link[1]
        linked.append(file)
        return posixpath.relpath(_place(file, root), here or ".") + mark + anchor

    text = LINK.sub(moved, page.read_text(encoding="utf-8"))
    return text, linked
