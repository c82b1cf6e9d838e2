"""A benchmark's report as people look at it: Markdown, a self-contained HTML page, and plots."""

from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from clipdepth.errors import MissingExtraError
from clipdepth.files.atomic import make_folder, write_text
from clipdepth_bench.report.record import Report, write_report

if TYPE_CHECKING:
    from clipdepth_bench.report.document import Document

__all__ = ["require_plots", "write_document", "write_pages"]


def require_plots(command: str) -> None:
    """Raise MissingExtraError where `command` lacks what draws plots; before it measures for minutes."""
    if util.find_spec("matplotlib") is None:
        raise MissingExtraError(command, "matplotlib", "bench")


def write_pages(report: Report, folder: Path) -> list[Path]:
    """Write report.json, report.md, report.html and the plots' SVG files into `folder`; return what was written.

    Raises MissingExtraError without matplotlib.
    """
    require_plots("a benchmark's page")
    from clipdepth_bench.report.sections import bench_document

    make_folder(folder)
    data = folder / "report.json"
    write_report(data, report)
    return [data, *write_document(bench_document(report), folder, "report")]


def write_document(document: "Document", folder: Path, name: str) -> Sequence[Path]:
    """Write a document's Markdown, its pictures beside it, and its HTML, which holds them, into `folder`."""
    from clipdepth_bench.report.html import html
    from clipdepth_bench.report.markdown import markdown

    files = {f"{picture.name}.svg": picture.svg for picture in document.pictures}
    files |= {f"{name}.md": markdown(document), f"{name}.html": html(document)}
    for file, text in files.items():
        write_text(folder / file, text)
    return [folder / file for file in files]
