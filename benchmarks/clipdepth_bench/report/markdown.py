"""A document as Markdown; its pictures lie beside it."""

import re

from clipdepth_bench.report.document import Document, Section, Table, text_of

_SPECIAL = re.compile(r"([\\|<>&`*_\[\]~#$])")


def markdown(document: Document) -> str:
    """The document in GitHub's Markdown."""
    head = [f"# {_escape(document.title)}", *(_escape(sentence) for sentence in document.lead)]
    return "\n\n".join([*head, *(part for section in document.sections for part in _section(section))]) + "\n"


def _section(section: Section) -> list[str]:
    parts = [f"## {_escape(section.title)}"]
    parts += [f"![{_escape(picture.caption)}]({picture.name}.svg)" for picture in section.pictures]
    for table in section.tables:
        parts += [_table(table), *([_escape(table.caption)] if table.caption else [])]
    if section.items:
        parts.append("\n".join(f"- {_escape(item)}" for item in section.items))
    return parts


def _table(table: Table) -> str:
    rule = ["---" if table.is_of_words(column) else "--:" for column in range(len(table.heading))]
    rows = [[_escape(text_of(cell)) for cell in line.cells] for line in table.lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [[_escape(name) for name in table.heading], rule, *rows])


def _escape(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
