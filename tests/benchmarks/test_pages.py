"""A report's Markdown and HTML against the report."""

import re
import shutil
import sys
from importlib import util
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from benchmarks.fakes import absent_row, report_of
from benchmarks.pages import EAGER, HOSTILE, Page, failed_row, full_report, full_row
from clipdepth.errors import MissingExtraError
from clipdepth_bench.report import require_plots, write_pages
from clipdepth_bench.report.document import text_of
from clipdepth_bench.report.html import html
from clipdepth_bench.report.markdown import markdown
from clipdepth_bench.report.record import Memory, Report, read_report
from clipdepth_bench.report.sections import bench_document
from clipdepth_bench.roofline.record import Floor, Rate, Roofline, RooflineRow, Work

CELL = re.compile(r"(?<!\\)\|")


def page_of(report: Report) -> Page:
    return Page(html(bench_document(report)))


def markdown_rows(text: str) -> list[list[list[str]]]:
    """The cells of every table."""
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in CELL.split(line)[1:-1]] for line in table.splitlines()] for table in tables]


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = page_of(full_report())
    assert page.faults == []
    assert {"html", "head", "body", "main", "table", "svg", "style"} <= {tag for tag, _ in page.tags}
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "data", "poster", "action"):
                assert value.startswith("#"), value
    source = html(bench_document(full_report()))
    assert re.findall(r"@import|url\((?!#)", source) == []
    assert "default-src 'none'" in source


def test_what_is_referred_to_is_there_once() -> None:
    page = page_of(full_report())
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    source = html(bench_document(full_report()))
    named = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', source))
    assert named
    assert {first or second for first, second in named} <= set(ids)


def test_names_are_text_and_not_markup() -> None:
    page = page_of(full_report())
    assert "b" not in {tag for tag, _ in page.tags}
    assert f"clipdepth bench: {HOSTILE}.bundle, 48×64" in page.text
    assert f"no energy: {HOSTILE}" in page.text


def test_every_row_has_its_numbers_in_full() -> None:
    page, row = page_of(full_report()), full_row()
    assert row.latency_ms
    assert row.speedup
    assert row.agreement
    assert row.streaming
    assert row.memory
    latency, ratio, agreement, streaming = row.latency_ms, row.speedup, row.agreement, row.streaming
    assert row.p50_interval_ms
    expected = {
        *(latency.n, latency.mean, latency.p50, latency.p90, latency.p99, latency.max, *row.p50_interval_ms),
        *(ratio.p50, ratio.p10, ratio.p90),
        *(agreement.mean, agreement.p99, agreement.largest, agreement.tolerance.mean),
        *(agreement.rel_change, agreement.delta1_change),
        *(streaming.capture_to_depth_ms.p50, streaming.capture_to_depth_ms.p99, streaming.fps, 0.4567),
        *(row.memory.host_mb, row.memory.device_mb, row.model_mb),
    }
    assert page.numbers[row.key] == expected
    for text in ("11.0", "12.3", "9.12 (8.77 to 10.23)", "29.9", "-2.35", "+0.12"):
        assert text in page.text


def test_markdown_tables_are_whole() -> None:
    tables = markdown_rows(markdown(bench_document(full_report())))
    assert len(tables) == 5
    for table in tables:
        assert len({len(row) for row in table}) == 1
        assert all(re.fullmatch(r"--[-:]", cell) for cell in table[1])


def test_markdown_shows_names_as_they_are() -> None:
    text = markdown(bench_document(full_report()))
    assert f"{HOSTILE}" not in text
    shown = re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", text)
    assert f"# clipdepth bench: {HOSTILE}.bundle" in shown
    assert f"- no energy: {HOSTILE}" in shown


def test_a_failed_row_is_failed_and_has_no_place_among_the_fast() -> None:
    report = full_report()
    page = page_of(report)
    assert set(page.failed) == {failed_row().key}
    assert page.numbers[failed_row().key] == {0.05, 0.06, 0.07, 1e-4}, "how far it is off, and no time"
    assert "FAILED, so not timed: onnxruntime int8." in page.text
    assert "openvino int8 agrees with PyTorch and is 9.12 times as fast as PyTorch eager fp32" in page.text
    assert "FAILED" in markdown(bench_document(report))


def test_how_a_peers_form_was_chosen_stands_beside_the_table_and_not_in_it() -> None:
    peer = replace(full_row(), name="Other 64×64", precision="best form", peer=True, chosen="OpenVINO int8, not wrong")
    sections = {section.title: section for section in bench_document(report_of(EAGER, peer)).sections}
    (table,) = sections["Other models in their best form"].tables
    (line,) = table.lines
    assert [text_of(cell) for cell in line.cells] == ["Other 64×64", "OpenVINO int8, not wrong"]
    (speed,) = sections["Speed"].tables
    assert not any("OpenVINO int8" in text_of(cell) for line in speed.lines for cell in line.cells)
    assert "Other models in their best form" not in page_of(full_report()).text


def test_words_are_on_the_left_and_numbers_on_the_right() -> None:
    (speed, *_) = markdown_rows(markdown(bench_document(full_report())))
    sides = dict(zip(speed[0], speed[1], strict=True))
    assert sides["verdict"] == sides["ended by"] == "---"
    assert sides["p50"] == sides["95% interval"] == sides["n"] == "--:"


def test_columns_of_dashes_are_left_out() -> None:
    with_gpu, without = full_row(), replace(full_row(), memory=Memory(345.678, None))
    for row, headings in ((with_gpu, 1), (without, 0)):
        tables = markdown_rows(markdown(bench_document(report_of(EAGER, row))))
        assert sum("GPU MB" in table[0] for table in tables) == headings
        assert sum("host MB" in table[0] for table in tables) == 1


def test_ratios_come_first() -> None:
    (speed, *_) = markdown_rows(markdown(bench_document(full_report())))
    heading = speed[0]
    assert heading.index("× PyTorch eager fp32 (p10 to p90)") < heading.index("p50")


def test_what_is_not_there_says_why() -> None:
    page = page_of(report_of(absent_row("tensorrt", "", "no GPU here")))
    assert "no GPU here" in page.text
    assert "svg" not in {tag for tag, _ in page.tags}


def test_an_interrupted_report_says_so() -> None:
    assert "interrupted" in page_of(report_of(EAGER, interrupted=True)).text
    assert "interrupted" not in page_of(report_of(EAGER)).text


def test_files(tmp_path: Path) -> None:
    report, folder = full_report(), tmp_path / "new" / "pages"
    written = write_pages(report, folder)
    names = {"report.json", "report.md", "report.html", "latency.svg", "speedup.svg"}
    assert {path.name for path in written} == names == {path.name for path in folder.iterdir()}
    assert read_report(folder / "report.json") == report
    for name in re.findall(r"!\[.*\]\((.*)\)", (folder / "report.md").read_text(encoding="utf-8")):
        ElementTree.parse(folder / name)


def test_without_matplotlib_one_line_says_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"matplotlib.*clipdepth\[bench\]"):
        require_plots("clipdepth bench --out")
    with pytest.raises(MissingExtraError):
        write_pages(full_report(), tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_has_nothing_to_complain_of_and_the_page_fits(tmp_path: Path, width: int) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("needs Chromium (Debian: chromium)")
    write_pages(full_report(), tmp_path)
    complaints: list[str] = []
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme="dark")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        ink = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
        assert ink in ("rgb(235, 235, 235)", "rgb(168, 168, 168)"), "plots are in the dark scheme's colours"
        browser.close()
    assert [text for text in complaints if not text.endswith("report.html")] == []


def test_the_roofline_is_on_the_page_where_it_was_measured() -> None:
    work = Work({"fp32": 3_000_000_000, "int8": 1_000_000_000}, 20_000_000, 7, 2_000_000)
    whole, part = Floor(work, 8.0, 0.5, 1.5, 16.0), Floor(work, 6.0, 0.25, 1.25, None)
    roofline = Roofline(
        [Rate("CPU", "fp32", "openvino", 512, 375.0)], [], [RooflineRow("x", "int8", "CPU", whole, part)], ["odd"]
    )
    text = markdown(bench_document(replace(full_report(), roofline=roofline)))
    assert "| CPU | fp32 products of 512×512 | openvino | 375 GOP/s |" in text
    assert "| x int8 | whole | 4.00 | 22.0 | 8.00 | 0.500 | 8.00 | 16.0 | 2.00 | 1.50 |" in text
    assert "|  | convolutions | 4.00 | 22.0 | 6.00 | 0.250 | 6.00 | – | – | 1.25 |" in text
    assert "odd" in text
    assert "Roofline" not in markdown(bench_document(full_report()))
