"""Build the documentation site: python website/make_site.py OUT. A warning or a dead link is an error."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from dead_links import dead_links
from generated_pages import generated
from page_tree import lay_out

ROOT = Path(__file__).resolve().parents[1]


def make_site(out: Path) -> list[str]:
    """Write OUT/pages, the Markdown, and OUT/site, the HTML; return what is wrong with it."""
    pages = out / "pages"
    shutil.rmtree(out, ignore_errors=True)
    pages.mkdir(parents=True)
    lay_out(ROOT, pages)
    for name, text in generated().items():
        (pages / name).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / "website" / "tables.css", pages)
    shutil.copy(ROOT / "website" / "zensical.toml", out)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    ended = subprocess.run(command, cwd=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return dead_links(out / "site") if ended.returncode == 0 else [ended.stdout]


def main() -> int:
    """Build, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="a folder for the site, which is emptied first")
    out: Path = parser.parse_args().out
    wrong = make_site(out)
    sys.stdout.write("\n".join([*wrong, f"{out / 'site' / 'index.html'}: {len(wrong)} faults", ""]))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
