"""A document as one HTML file that loads nothing: readable on a phone, in light and in dark, without scripts."""

import re
from html import escape
from pathlib import Path

from clipdepth_bench.report.document import Cell, Document, Line, Number, Picture, Section, Table, text_of
from clipdepth_bench.report.figures import COLOURS

_STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_LONG = 28
"""Characters: a longer text may be broken into lines."""
_RIGHT, _LONG_TEXT = ' class="number"', ' class="text"'


def html(document: Document) -> str:
    """The document as a page; every number carries its full value in `<data>`."""
    lead = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in document.lead)
    sections = "\n".join(_section(section) for section in document.sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(document.title)}</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>{escape(document.title)}</h1>
{lead}
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def _section(section: Section) -> str:
    pictures = "\n".join(_picture(picture) for picture in section.pictures)
    tables = "\n".join(_table(table) for table in section.tables)
    items = "\n".join(f"<li>{escape(item)}</li>" for item in section.items)
    parts = [
        f"<h2>{escape(section.title)}</h2>",
        f'<div class="pictures">\n{pictures}\n</div>' if pictures else "",
        tables,
        f"<ul>\n{items}\n</ul>" if items else "",
    ]
    return "<section>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def _picture(picture: Picture) -> str:
    caption = escape(picture.caption)
    return f"<figure>\n{inline_svg(picture)}\n<figcaption>{caption}</figcaption>\n</figure>"


def inline_svg(picture: Picture) -> str:
    """The picture's `<svg>` element, in the page's colours, its ids unlike those of other pictures."""
    svg = picture.svg[picture.svg.index("<svg ") :].strip()
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{picture.name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(picture.caption)}" ', 1)


def _table(table: Table) -> str:
    numbers = [not table.is_of_words(column) for column in range(len(table.heading))]
    heading = "".join(
        f'<th scope="col"{_RIGHT if right else ""}>{escape(name)}</th>'
        for name, right in zip(table.heading, numbers, strict=True)
    )
    lines = "\n".join(_line(line, numbers) for line in table.lines)
    kind = "numbers" if table.numbers else "words"
    caption = f'\n<p class="quiet">{escape(table.caption)}</p>' if table.caption else ""
    return f"""<div class="wide" tabindex="0"><table class="{kind}">
<thead><tr>{heading}</tr></thead>
<tbody>
{lines}
</tbody>
</table></div>{caption}"""


def _line(line: Line, numbers: list[bool]) -> str:
    first, *others = line.cells
    cells = "".join(
        f"<td{_RIGHT if right else _LONG_TEXT if len(text_of(cell)) > _LONG else ''}>{_cell(cell)}</td>"
        for cell, right in zip(others, numbers[1:], strict=True)
    )
    opening = '<tr class="failed">' if line.failed else "<tr>"
    return f'{opening}<th scope="row">{_cell(first)}</th>{cells}</tr>'


def _cell(cell: Cell) -> str:
    return "".join(
        f'<data value="{part.value!r}">{escape(part.text)}</data>' if isinstance(part, Number) else escape(part)
        for part in cell
    )
