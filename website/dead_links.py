"""Links of a built site that lead nowhere. Zensical looks at pages and anchors, not at pictures, files, navigation."""

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


def dead_links(site: Path) -> list[str]:
    """A line for each link of a page to a file or an anchor that is not there."""
    pages = sorted(site.rglob("*.html"))
    return [f"{page.relative_to(site)}: {link}" for page in pages for link in _dead(page, site)]


def _dead(page: Path, site: Path) -> Iterator[str]:
    for link in sorted(_read(page).links):
        url = urlsplit(link)
        if url.scheme or url.netloc or url.path.startswith("/"):  # 404.html's are of the address that it is served for
            continue
        file = (page.parent / unquote(url.path)).resolve() if url.path else page
        file = file / "index.html" if file.is_dir() else file
        if not file.is_relative_to(site.resolve()) and file != page:
            yield f"{link} leaves the site"
        elif not file.is_file():
            yield f"{link} is not there"
        elif url.fragment and file.suffix == ".html" and unquote(url.fragment) not in _read(file).anchors:
            yield f"{link} has no such heading"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


@cache
def _read(page: Path) -> _Page:
    parsed = _Page()
    parsed.feed(page.read_text(encoding="utf-8"))
    return parsed
