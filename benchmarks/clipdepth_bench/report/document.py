"""A document before it is written: sections of text, tables and pictures, the same in Markdown and in HTML."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number as people read it; HTML keeps `value`, in full, beside it."""

    value: float
    text: str


Cell = tuple["str | Number", ...]
"""What stands in a cell, joined."""


@dataclass(frozen=True)
class Line:
    """A row of a table; `failed` is set off."""

    cells: tuple[Cell, ...]
    failed: bool = False


@dataclass(frozen=True)
class Table:
    """Lines of as many cells as `heading` has; the first cell is what the line is about."""

    heading: tuple[str, ...]
    lines: tuple[Line, ...]
    caption: str = ""
    numbers: bool = True
    """Whether all cells but the first are short and aligned to the right."""


@dataclass(frozen=True)
class Picture:
    """A plot: `svg` is a whole file, which lies beside a Markdown document as `name`.svg."""

    name: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below: pictures, then tables, then a list."""

    title: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A title, a few sentences and sections."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> list[Picture]:
        """Of all sections."""
        return [picture for section in self.sections for picture in section.pictures]


def text_line(*cells: str) -> Line:
    """A line of plain text."""
    return Line(tuple((cell,) for cell in cells))


def text_of(cell: Sequence[str | Number]) -> str:
    """A cell as people read it."""
    return "".join(part.text if isinstance(part, Number) else part for part in cell)
