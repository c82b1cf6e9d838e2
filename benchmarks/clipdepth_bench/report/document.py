"""A document before it is written: sections of text, tables and pictures, the same in Markdown and in HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


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
    """Whether its cells are short, so that none but a long text is broken into lines."""

    def is_of_words(self, column: int) -> bool:
        """Whether text stands in that column, which is aligned to the left; numbers and dashes are to the right."""
        cells = [line.cells[column] for line in self.lines]
        if column == 0 or not self.numbers:
            return True
        return any(_says(cell) for cell in cells if not any(isinstance(part, Number) for part in cell))

    def without_empty_columns(self) -> "Table":
        """The same without the columns in which no line says anything."""
        kept = [index for index in range(len(self.heading)) if any(_says(line.cells[index]) for line in self.lines)]
        lines = (Line(tuple(line.cells[index] for index in kept), line.failed) for line in self.lines)
        return replace(self, heading=tuple(self.heading[index] for index in kept), lines=tuple(lines))


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


def _says(cell: Cell) -> bool:
    """Whether it is more than a dash."""
    return text_of(cell) not in ("", "–")


def text_line(*cells: str) -> Line:
    """A line of plain text."""
    return Line(tuple((cell,) for cell in cells))


def text_of(cell: Sequence[str | Number]) -> str:
    """A cell as people read it."""
    return "".join(part.text if isinstance(part, Number) else part for part in cell)
